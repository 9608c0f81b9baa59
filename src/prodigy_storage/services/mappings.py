"""Session-job mappings, readable from either side and repaired when one side is missing."""

from __future__ import annotations

import contextlib

from prodigy_storage.codecs.documents import MAPPINGS
from prodigy_storage.codecs.kinds import MAPPING
from prodigy_storage.errors import ReadOnly
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.ports.storage import Batch, Put, Query, Storage


class Mappings:
    """`store.mappings`. The same document is stored under the session's id and under the job's."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def save(self, repo: str, mapping: SessionJobMapping) -> None:
        """Store both sides in one batch."""
        body = MAPPINGS.encode(mapping)
        puts = [Put(MAPPING, id, body) for id in dict.fromkeys((mapping.session_id, mapping.job_id))]
        self._storage.commit(Batch((repo,), puts))

    def find(self, id: str, *, repo: str | None = None) -> dict[str, SessionJobMapping]:
        """The mapping that a session id or a job id stands for, by repo; empty if there is none.

        A side that is missing although the other one names it is found too.
        """
        found: dict[str, SessionJobMapping] = {}
        for scope in self._storage.scopes(MAPPING):
            if repo in (None, scope[0]):
                mapping = self._in(scope[0], id)
                if mapping is not None:
                    found[scope[0]] = mapping
        return found

    def _in(self, repo: str, id: str) -> SessionJobMapping | None:
        document = self._storage.fetch((repo,), MAPPING, [id]).get(id)
        return MAPPINGS.decode(document) if document else self._other_side(repo, id)

    def _other_side(self, repo: str, id: str) -> SessionJobMapping | None:
        for tag in ("session", "job"):
            for document in self._storage.documents(Query(MAPPING, (repo,), {tag: id}, limit=1)).documents:
                mapping = MAPPINGS.decode(document)
                with contextlib.suppress(ReadOnly):
                    self.save(repo, mapping)
                return mapping
        return None
