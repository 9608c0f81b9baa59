"""The job states that a run leaves for Prodigy: derived from its checkpoints, never the truth."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prodigy_storage.codecs.kinds import PRODIGY_JOB_METADATA, PRODIGY_JOB_STATE
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_METADATA as METADATA
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_STATES
from prodigy_storage.codecs.prodigy.job_states import check_setup, state_of
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.checkpoints import MapCheckpoint
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.prodigy.jobs import ProdigyJobMetadata, ProdigyJobState
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Batch, Delete, Document, Operation, Put, Query, Storage

KEPT = 3
"""How many states stay, as with Prodigy."""
_ID = re.compile(r"checkpoint-v(\d+)")


class JobStateWriter:
    """Writes `checkpoint-v{n}.json` and `metadata.json` beside the checkpoints of a run."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, setup: Setup) -> None:
        """Accept a job before it begins.

        Raises:
            InvalidValue: Prodigy could not read an item or a variable; names it.
        """
        check_setup(setup)

    def save(self, setup: Setup, checkpoint: MapCheckpoint, *, guard: Sequence[Operation] = ()) -> None:
        """Store the state at a checkpoint as the newest one, and remove all but the last three.

        Raises:
            InvalidValue: Prodigy could not read a value back; names it.
            Conflict: `guard` did not hold.
        """
        scope = (setup.repo, setup.job_id)
        stored = self._stored(scope)
        newest = max(stored, default=-1)
        known = _readable(stored.get(newest))
        version = max(newest + 1, checkpoint.number)
        state = state_of(setup, checkpoint, known, version)
        body = PRODIGY_JOB_STATES.encode(state, stored[newest] if known else None)
        id = f"checkpoint-v{version}"
        self._storage.commit(Batch(scope, (*guard, Put(PRODIGY_JOB_STATE, id, body))))
        metadata = ProdigyJobMetadata(
            path=self._storage.fetch(scope, PRODIGY_JOB_STATE, [id])[id].place or id,
            version=version,
            created_at=checkpoint.created_at,
            size_bytes=len(body),
        )
        gone = [Delete(PRODIGY_JOB_STATE, stored[number].id) for number in sorted(stored)[: 1 - KEPT]]
        put = Put(PRODIGY_JOB_METADATA, "metadata", METADATA.encode(metadata))
        self._storage.commit(Batch(scope, (*guard, put, *gone)))

    def _stored(self, scope: Scope) -> dict[int, Document]:
        """The states that are there, by their numbers."""
        found, _ = gather(self._storage, Query(PRODIGY_JOB_STATE, scope), lambda document: document)
        numbered = ((_ID.fullmatch(document.id), document) for document in found)
        return {int(match[1]): document for match, document in numbered if match}


def _readable(document: Document | None) -> ProdigyJobState | None:
    try:
        return None if document is None else PRODIGY_JOB_STATES.decode(document)
    except Corrupt:
        return None
