"""States of jobs that Prodigy wrote: `checkpoint-v{n}.json`, the newest that is sound, whatever `metadata.json` says."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from prodigy_storage.codecs.documents import Listing, Loaded
from prodigy_storage.codecs.kinds import PRODIGY_JOB_METADATA, PRODIGY_JOB_STATE
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_METADATA as METADATA
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_STATES
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.prodigy.jobs import ProdigyJobState
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage, Document, Query, Storage

_PREFIX = "checkpoint-v"
_METADATA = "metadata"


@attrs.frozen
class NewestState:
    """The newest state of a job that is sound (None: there is none), and what was passed over."""

    loaded: Loaded[ProdigyJobState] | None
    damage: Sequence[Damage] = ()


class JobStates:
    """`store.job_states`. Reads only: a run that goes on with such a job keeps its own records."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def latest(self, repo: str, job: str) -> NewestState:
        """The state with the highest number that can be read.

        `metadata.json` is written after the state that it names, and its path is absolute. So it is followed nowhere:
        it only tells whether a state is missing. What is damaged or missing is reported.
        """
        scope = (repo, job)
        documents: list[Document] = []
        _, damage = gather(self._storage, Query(PRODIGY_JOB_STATE, scope, limit=1000), documents.append)
        numbers = {number_of(document.id): document for document in documents}
        newest = None
        for number in sorted(numbers, reverse=True):
            try:
                newest = PRODIGY_JOB_STATES.load(numbers[number])
                break
            except Corrupt as error:
                damage.append(Damage(error.place, error.offset, error.reason, numbers[number].id))
        seen = [*numbers, *(number_of(one.place.rpartition("/")[2].removesuffix(".json")) for one in damage)]
        return NewestState(newest, [*damage, *self._missing(scope, max(seen, default=-1))])

    def _missing(self, scope: Scope, newest: int) -> list[Damage]:
        """What the metadata says and no file does."""
        found = self._storage.fetch(scope, PRODIGY_JOB_METADATA, [_METADATA]).get(_METADATA)
        if found is None:
            return []
        try:
            version = METADATA.decode(found).version
        except Corrupt as error:
            return [Damage(error.place, error.offset, error.reason, _METADATA)]
        if version <= newest:
            return []
        return [Damage(found.place, None, f"it names {_PREFIX}{version}, which is missing", _METADATA)]

    def list(self, repo: str | None = None, job: str | None = None) -> Listing[ProdigyJobState]:
        """Every state of one job, one repo, or all, in the order of time; damaged ones apart."""
        scope = tuple(name for name in (repo, job) if name is not None)
        return Listing(*gather(self._storage, Query(PRODIGY_JOB_STATE, scope, limit=1000), PRODIGY_JOB_STATES.load))


def number_of(id: str) -> int:
    """The number of a state, by the id of its document; -1 if it has none."""
    digits = id.removeprefix(_PREFIX)
    return int(digits) if digits.isdecimal() else -1
