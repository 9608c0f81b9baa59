"""Session-job mappings, readable from either side and repaired when one side is missing."""

from __future__ import annotations

import contextlib

from prodigy_storage.codecs.documents import MAPPINGS
from prodigy_storage.codecs.kinds import MAPPING
from prodigy_storage.codecs.quarantine import kept
from prodigy_storage.codecs.trees import is_sealed
from prodigy_storage.errors import Conflict, Corrupt, ReadOnly
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.ports.storage import Batch, Delete, Document, Expect, Operation, Put, Query, Storage


class Mappings:
    """`store.mappings`. The same document is stored under the session's id and under the job's."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def save(self, repo: str, mapping: SessionJobMapping) -> None:
        """Store both sides in one batch."""
        body = MAPPINGS.encode(mapping)
        puts = [Put(MAPPING, id, body) for id in dict.fromkeys((mapping.session_id, mapping.job_id))]
        self._storage.commit(Batch((repo,), puts))

    def keep(self, repo: str, mapping: SessionJobMapping) -> None:
        """Store the sides that are missing: as the other side says it, or else the mapping. What is there stays."""
        sides = tuple(dict.fromkeys((mapping.session_id, mapping.job_id)))
        known = self._storage.fetch((repo,), MAPPING, sides, fresh=True)
        missing = [id for id in sides if id not in known]
        body = next((one.body for one in known.values() if _is_sound(one)), None) or MAPPINGS.encode(mapping)
        if missing:
            with contextlib.suppress(Conflict):  # somebody else was faster
                self._storage.commit(Batch((repo,), [Put(MAPPING, id, body, Expect.ABSENT) for id in missing]))

    def find(self, id: str, *, repo: str | None = None) -> dict[str, SessionJobMapping]:
        """The mapping that a session id or a job id stands for, by repo; empty if there is none.

        A side that is missing or damaged is found through the other one; if that is one of ours, it is repaired.

        Raises:
            Corrupt: the side is damaged, and the other one is of no use.
        """
        found: dict[str, SessionJobMapping] = {}
        for scope in self._storage.scopes(MAPPING):
            if repo in (None, scope[0]):
                mapping = self._in(scope[0], id)
                if mapping is not None:
                    found[scope[0]] = mapping
        return found

    def remove(self, repo: str, session: str, job: str) -> None:
        """Remove both sides in one batch; what is not there is no error."""
        deletes = [Delete(MAPPING, id) for id in dict.fromkeys((session, job))]
        self._storage.commit(Batch((repo,), deletes))

    def _in(self, repo: str, id: str) -> SessionJobMapping | None:
        document = self._storage.fetch((repo,), MAPPING, [id]).get(id)
        if document is None:
            return self._other_side(repo, id)
        try:
            return MAPPINGS.decode(document)
        except Corrupt:
            mapping = self._other_side(repo, id)
            if mapping is None:
                raise
            return mapping

    def _other_side(self, repo: str, id: str) -> SessionJobMapping | None:
        """The mapping as the other side has it; a writing store repairs what is missing or damaged."""
        for tag in ("session", "job"):
            for document in self._storage.documents(Query(MAPPING, (repo,), {tag: id}, limit=1)).documents:
                mapping = MAPPINGS.decode(document)
                if is_sealed(document.body):  # looking at what another program wrote changes nothing
                    with contextlib.suppress(ReadOnly):
                        self._repair(repo, id, document)
                return mapping
        return None

    def _repair(self, repo: str, id: str, sound: Document) -> None:
        """Let the side `id` say what the sound one does; what was there goes to quarantine."""
        damaged = self._storage.fetch((repo,), MAPPING, [id], fresh=True).get(id)
        operations: list[Operation] = [Put(MAPPING, id, sound.body, damaged.version if damaged else Expect.ABSENT)]
        if damaged is not None:
            operations.append(kept(self._storage, damaged))
        with contextlib.suppress(Conflict):  # somebody else was faster
            self._storage.commit(Batch((repo,), operations))


def _is_sound(document: Document) -> bool:
    try:
        MAPPINGS.decode(document)
    except Corrupt:
        return False
    return True
