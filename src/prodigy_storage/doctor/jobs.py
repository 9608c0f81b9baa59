"""Sessions, locks, mappings and state that do not fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from prodigy_storage.codecs.checkpoints import SETUP_ID
from prodigy_storage.codecs.documents import MAPPINGS
from prodigy_storage.codecs.kinds import (
    CHECKPOINT,
    JOB_STATE,
    MAPPING,
    PRODIGY_CHECKPOINT,
    PRODIGY_JOB_STATE,
    SESSION,
)
from prodigy_storage.codecs.quarantine import set_aside
from prodigy_storage.codecs.walks import gather
from prodigy_storage.doctor.findings import Finding, Looked, Severity
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.errors import Conflict, Corrupt, NotFound
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.ports.locks import Lease
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage, Document, Query

_LIVE = frozenset({SessionStatus.INITIALIZING, SessionStatus.RUNNING})
_STATE = (CHECKPOINT, JOB_STATE, PRODIGY_JOB_STATE, PRODIGY_CHECKPOINT)
_DOCTOR = "prodigy-storage doctor"


@attrs.frozen
class Jobs:
    """Looks at jobs.

    Args:
        around: The store's parts.
        repo: The project; None for all.
        looked: Told of what was looked at.
    """

    around: DoctorSurroundings
    repo: str | None
    looked: Looked

    def examine(self) -> Iterator[Finding]:
        """What was killed, what it holds, and what has lost its other half."""
        yield from self._locks()
        yield from self._sessions()
        yield from self._jobs()
        yield from self._mappings()

    # --- locks

    def _locks(self) -> Iterator[Finding]:
        damage: list[Damage] = []
        leases = [one for one in self.around.locks.list(damage.append) if self.repo in (None, *one.scope[:1])]
        self.looked("lock", len(leases) + len(damage))
        for one in damage:
            yield Finding(
                code="unreadable-lock",
                severity=Severity.ERROR,
                message=f"the lock of {one.id or 'a job'} cannot be read: {one.reason}",
                place=one.place or one.id,
                offset=one.offset,
                advice=f"If nobody runs it: prodigy-storage locks break {one.id} --force",
            )
        for lease in leases:
            if lease.alive is False:
                yield self._dead(lease)

    def _dead(self, lease: Lease) -> Finding:
        who = f"pid {lease.owner.pid} on {lease.owner.host}" if lease.owner else "nobody"
        program = "" if lease.epoch else ", another program,"
        return Finding(
            code="dead-lock",
            severity=Severity.WARNING,
            message=f"{lease.name} is held by {who},{program} which is gone",
            place="/".join(dict.fromkeys((*lease.scope, lease.name))),
            repair="release it, and keep a record of that",
            mend=lambda: self._release(lease),
        )

    def _release(self, lease: Lease) -> str:
        try:
            self.around.locks.break_lock(lease.scope, lease.name, by=_DOCTOR, reason="its holder is gone")
        except NotFound:
            return "nobody holds it any more"
        return "released"

    # --- sessions

    def _sessions(self) -> Iterator[Finding]:
        found = self.around.sessions.list(repo=self.repo).loaded
        for loaded in found:
            session = loaded.value
            if session.mapreduce_data is None:
                continue  # of a workflow nothing says who runs it
            if session.status in _LIVE and self._is_killed(session):
                yield self._killed(session, loaded.document.place)
            if session.repo is not None and self._has_no_setup(session):
                yield self._without_job(session, loaded.document)

    def _is_killed(self, session: Session) -> bool:
        """Whether nobody runs it, and it has not ended since it was read."""
        job = session.mapreduce_data.job_id if session.mapreduce_data else session.id
        if self.around.is_run(session.id, job):
            return False
        try:
            now = self.around.sessions.find(session.id)
        except Corrupt:
            return False
        return now is not None and now.status in _LIVE and now.updated_at == session.updated_at

    def _killed(self, session: Session, place: str) -> Finding:
        how = (
            "it was killed" if session.epoch else "it was killed, unless Prodigy, which needs no lock to start, runs it"
        )
        return Finding(
            code="killed",
            severity=Severity.WARNING,
            message=f"{session.id} is {session.status.value}, and nobody holds its job: {how}",
            place=place or f"{SESSION.name}/{session.id}",
            advice="Resume it with the program that started it, which loses nothing; or pause it:\n"
            f"prodigy-storage sessions pause {session.id}",
        )

    def _has_no_setup(self, session: Session) -> bool:
        try:
            self.around.runs.find(session.id)
        except NotFound:
            return True
        except Corrupt:
            return False
        return False

    def _without_job(self, session: Session, document: Document) -> Finding:
        job = session.mapreduce_data.job_id if session.mapreduce_data else ""
        found = Finding(
            code="no-job",
            severity=Severity.WARNING,
            message=f"{session.id} is {session.status.value}, and its job {job} has no setup",
            place=document.place or f"{SESSION.name}/{session.id}",
            advice="It cannot go on. Restore its job from a backup, or cancel and clean it:\n"
            f"prodigy-storage sessions cancel {session.id}",
        )
        if not session.ended or self._has_state((session.repo or "", job)):
            return found
        what = "finish the removal of the session, which was interrupted; it is kept in quarantine"
        return attrs.evolve(found, repair=what, advice="", mend=lambda: self._finish(session, document))

    def _has_state(self, scope: Scope) -> bool:
        storage = self.around.storage
        pages = (storage.documents(Query(kind, scope, limit=1)) for kind in _STATE)
        return any(page.documents or page.damage for page in pages)

    def _finish(self, session: Session, document: Document) -> str:
        """The job's records went first, in one batch: what is left are the mapping and the session."""
        repo, job = session.repo or "", session.mapreduce_data.job_id if session.mapreduce_data else ""
        if self._has_state((repo, job)):
            raise Conflict(f"{job} has state again; nothing was removed", kind=CHECKPOINT.name)
        self.around.mappings.remove(repo, session.id, job)
        set_aside(self.around.storage, SESSION, document)
        return "removed; it is kept in quarantine"

    # --- jobs without a session

    def _jobs(self) -> Iterator[Finding]:
        storage = self.around.storage
        scopes = [one for one in storage.scopes(CHECKPOINT) if len(one) == 2 and self.repo in (None, one[0])]
        self.looked("job", len(scopes))
        for scope in scopes:
            setup = storage.fetch(scope, CHECKPOINT, [SETUP_ID], fresh=True).get(SETUP_ID)
            if setup is None and self._has_state(scope):  # else it was removed just now
                yield self._without_setup(scope)
            elif setup is not None and not self.around.is_run(scope[1]) and self._has_no_session(scope):
                yield self._without_session(scope, setup)

    def _has_no_session(self, scope: Scope) -> bool:
        try:
            setup = self.around.checkpoints.setup(*scope)
            return self.around.sessions.find(setup.session_id) is None
        except (Corrupt, NotFound):
            return False

    def _without_session(self, scope: Scope, setup: Document) -> Finding:
        return Finding(
            code="no-session",
            severity=Severity.WARNING,
            message=f"job {scope[1]} has state, and its session is gone",
            place=setup.place or "/".join(scope),
            advice="Resume it by the id of the job: that makes its session again.",
        )

    def _without_setup(self, scope: Scope) -> Finding:
        return Finding(
            code="no-setup",
            severity=Severity.ERROR,
            message=f"job {scope[1]} has checkpoints, and no setup to go on from",
            place="/".join(scope),
            advice="Restore it from a backup: prodigy-storage restore",
        )

    # --- mappings

    def _mappings(self) -> Iterator[Finding]:
        for scope in self.around.storage.scopes(MAPPING):
            if self.repo not in (None, *scope[:1]):
                continue
            found, damage = gather(self.around.storage, Query(MAPPING, scope), lambda one: (one, MAPPINGS.decode(one)))
            known = {document.id for document, _ in found} | {one.id for one in damage}
            for document, mapping in found:
                missing = {mapping.session_id, mapping.job_id} - known
                if missing and self._is_alone(document, missing):
                    yield self._one_sided(document, mapping, missing.pop())

    def _is_alone(self, document: Document, missing: Iterable[str]) -> bool:
        """Whether it is still there, and the other side still is not."""
        there = self.around.storage.fetch(document.scope, MAPPING, [document.id, *missing], fresh=True)
        return list(there) == [document.id]

    def _one_sided(self, document: Document, mapping: SessionJobMapping, missing: str) -> Finding:
        def mend() -> str:
            self.around.mappings.keep(document.scope[0], mapping)
            return "both sides are there"

        return Finding(
            code="one-sided",
            severity=Severity.WARNING,
            message=f"the mapping of {document.id} has no other side, {missing}",
            place=document.place or "/".join((MAPPING.name, *document.scope, document.id)),
            repair="write the other side, as this one says it",
            mend=mend,
        )
