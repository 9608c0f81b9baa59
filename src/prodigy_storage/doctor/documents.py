"""Documents that cannot be read, and those in quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from prodigy_storage.codecs.checkpoints import SETUP_ID, decode_info
from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, REDRIVES, SESSIONS, SUMMARIES
from prodigy_storage.codecs.kinds import (
    ARCHIVED_LETTER,
    CHECKPOINT,
    DATA_KINDS,
    DEAD_LETTER,
    JOB_STATE,
    LOCK_BREAK,
    MAPPING,
    ORPHANED_WORKTREES,
    PRODIGY_CHECKPOINT,
    PRODIGY_JOB_METADATA,
    PRODIGY_JOB_STATE,
    QUARANTINE,
    REDRIVE,
    REDUCE_CHECKPOINT,
    SESSION,
    WORKTREE,
)
from prodigy_storage.codecs.leases import decode_break
from prodigy_storage.codecs.prodigy import documents as prodigy
from prodigy_storage.codecs.quarantine import set_aside
from prodigy_storage.codecs.walks import walk
from prodigy_storage.doctor.findings import Finding, Looked, Severity, corrupt
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.errors import Corrupt, Locked, StorageError
from prodigy_storage.ports.storage import Damage, Document, Kind, Query

_DECODE: Mapping[Kind, Callable[[Document], object]] = {
    ARCHIVED_LETTER: DEAD_LETTERS.decode,
    CHECKPOINT: decode_info,
    DEAD_LETTER: DEAD_LETTERS.decode,
    JOB_STATE: SUMMARIES.decode,
    LOCK_BREAK: decode_break,
    MAPPING: MAPPINGS.decode,
    ORPHANED_WORKTREES: prodigy.ORPHANED_WORKTREES.decode,
    PRODIGY_CHECKPOINT: prodigy.PRODIGY_CHECKPOINTS.decode,
    PRODIGY_JOB_METADATA: prodigy.PRODIGY_JOB_METADATA.decode,
    PRODIGY_JOB_STATE: prodigy.PRODIGY_JOB_STATES.decode,
    REDRIVE: REDRIVES.decode,
    REDUCE_CHECKPOINT: prodigy.REDUCE_CHECKPOINTS.decode,
    SESSION: SESSIONS.decode,
    WORKTREE: prodigy.WORKTREES.decode,
}
_PRODIGYS = frozenset({PRODIGY_CHECKPOINT, PRODIGY_JOB_METADATA, PRODIGY_JOB_STATE, REDUCE_CHECKPOINT})
"""What Prodigy alone writes stays where it is."""
_CALLED = {ORPHANED_WORKTREES: "list of orphaned worktrees", PRODIGY_JOB_METADATA: "prodigy job metadata file"}
_SETUP = "It is what the job starts from, and stays where it is. Restore it from a backup: prodigy-storage restore"
_STAYS = "It is Prodigy's own, and stays where it is."
_BY_HAND = "Look at the file; what is no document of the store can be moved elsewhere."
_ASIDE = "move it to quarantine, byte for byte"


@attrs.frozen
class Documents:
    """Looks at documents.

    Args:
        around: The store's parts.
        repo: The project; None for all.
        looked: Told of what was looked at.
    """

    around: DoctorSurroundings
    repo: str | None
    looked: Looked

    def examine(self) -> Iterator[Finding]:
        """Documents of every kind that cannot be read, checkpoints that contradict themselves, and quarantine."""
        for kind in DATA_KINDS:
            if kind != QUARANTINE:
                yield from self._damaged(kind)
        yield from self._contradictions()
        yield from self._quarantined()

    def _damaged(self, kind: Kind) -> Iterator[Finding]:
        for page in walk(self.around.storage, self._query(kind)):
            for damage in page.damage:
                yield self._finding(kind, damage, self._document(kind, damage))
            for document in page.documents:
                try:
                    _DECODE[kind](document)
                except Corrupt as error:
                    damage = Damage(document.place, error.offset, error.reason, document.id)
                    yield self._finding(kind, damage, document)
            self.looked(_CALLED.get(kind, kind.name.replace("_", " ")), len(page.documents) + len(page.damage))

    def _query(self, kind: Kind) -> Query:
        if self.repo is None:
            return Query(kind)
        return Query(kind, tags={"repo": self.repo}) if kind == SESSION else Query(kind, (self.repo,))

    def _document(self, kind: Kind, damage: Damage) -> Document | None:
        """The document that lies where the damage is; None if its bytes cannot even be fetched."""
        if not damage.id:
            return None
        for scope in self.around.storage.scopes(kind):
            try:
                found = self.around.storage.fetch(scope, kind, [damage.id], fresh=True).get(damage.id)
            except StorageError:
                continue
            if found is not None and found.place == damage.place:
                return found
        return None

    def _finding(self, kind: Kind, damage: Damage, document: Document | None) -> Finding:
        found = corrupt(damage, _address(kind, document))
        name = f"{kind.name.replace('_', ' ')} {document.id if document else damage.id}".rstrip()
        found = attrs.evolve(found, message=f"{name}: {found.message}")
        if kind in _PRODIGYS:
            return attrs.evolve(found, advice=_STAYS)
        if document is None:
            return attrs.evolve(found, advice=_BY_HAND)
        if (kind, document.id) == (CHECKPOINT, SETUP_ID):
            return attrs.evolve(found, advice=_SETUP)
        if kind == MAPPING:
            what = "let it say what its other side says, or else move it to quarantine; its bytes are kept there"
            return attrs.evolve(found, repair=what, mend=lambda: self._mapping(document))
        return attrs.evolve(found, repair=_ASIDE, mend=lambda: self._aside(kind, document))

    def _mapping(self, document: Document) -> str:
        """The sides are repaired by looking one up."""
        try:
            if self.around.mappings.find(document.id, repo=document.scope[0]):
                return "it says what its other side says; its bytes are in quarantine"
        except Corrupt:
            pass
        return self._aside(MAPPING, document)

    def _aside(self, kind: Kind, document: Document) -> str:
        if self.around.is_run(document.id, *document.scope[1:]):
            raise Locked(f"{_address(kind, document)} is left as it is: its job is being run", name=document.id)
        set_aside(self.around.storage, kind, document)
        return "moved to quarantine"

    def _contradictions(self) -> Iterator[Finding]:
        """Checkpoints that can be read, and do not fit their job or themselves."""
        for verdict in self.around.checkpoints.validate(self.repo):
            if verdict.sound or verdict.phase is None:  # what cannot be read was found before
                continue
            scope, id = (verdict.repo, verdict.job_id), verdict.id
            document = self.around.storage.fetch(scope, CHECKPOINT, [id], fresh=True).get(id)
            if document is not None:
                yield self._contradiction(document, verdict.reasons)

    def _contradiction(self, document: Document, reasons: Sequence[str]) -> Finding:
        damage = Damage(document.place, None, "; ".join(reasons), document.id)
        return attrs.evolve(self._finding(CHECKPOINT, damage, document), code="contradiction")

    def _quarantined(self) -> Iterator[Finding]:
        for page in walk(self.around.storage, self._query(QUARANTINE)):
            for document in page.documents:
                yield Finding(
                    code="quarantined",
                    severity=Severity.WARNING,
                    message=f"{document.id} was damaged and is kept in quarantine",
                    place=document.place or _address(QUARANTINE, document),
                    advice="Look at it, and remove it when nobody needs it any more.",
                )
            self.looked("document in quarantine", len(page.documents))


def _address(kind: Kind, document: Document | None) -> str:
    if document is None:
        return kind.name
    return document.place or "/".join((kind.name, *document.scope, document.id))
