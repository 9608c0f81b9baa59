"""What a job starts from: stored once, or step by step until it is complete."""

from __future__ import annotations

from collections.abc import Sequence

from prodigy_storage.codecs.checkpoints import SETUP_ID, decode_setup, encode_setup
from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.errors import InvalidTransition, NotFound
from prodigy_storage.model.jobs import Setup
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Batch, Document, Expect, Operation, Put, Storage


class Setups:
    """The setups of jobs."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def save_setup(self, setup: Setup, *, guard: Sequence[Operation] = ()) -> None:
        """Store what a job starts from; once.

        Raises:
            InvalidValue: an item is no JSON.
            Conflict: the job has one already, or `guard` did not hold.
        """
        scope = (setup.repo, setup.job_id)
        self._storage.commit(Batch(scope, (*guard, Put(CHECKPOINT, SETUP_ID, encode_setup(setup), Expect.ABSENT))))

    def advance_setup(self, setup: Setup, *, guard: Sequence[Operation] = ()) -> None:
        """Store how far the setup phase of a job came, or what it gave.

        Raises:
            InvalidValue: an item, an output or a variable is no JSON.
            InvalidTransition: the setup was complete already.
            NotFound: there is no such job.
            Conflict: `guard` did not hold, or somebody else changed it.
        """
        scope = (setup.repo, setup.job_id)
        document = self._document(scope, SETUP_ID)
        if decode_setup(document).complete:
            raise InvalidTransition(f"the setup of {setup.job_id} is complete and cannot change")
        self._storage.commit(Batch(scope, (*guard, Put(CHECKPOINT, SETUP_ID, encode_setup(setup), document.version))))

    def setup(self, repo: str, job: str) -> Setup:
        """What a job started from.

        Raises:
            NotFound: there is no such job.
            Corrupt: the document is damaged.
        """
        return decode_setup(self._document((repo, job), SETUP_ID))

    def _document(self, scope: Scope, id: str) -> Document:
        document = self._storage.fetch(scope, CHECKPOINT, [id], fresh=True).get(id)
        if document is None:
            raise NotFound(f"there is no {id} in {'/'.join(scope)}")
        return document
