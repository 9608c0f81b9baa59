"""Everything that Prodigy calls a checkpoint: states of jobs, checkpoints of MapReduce jobs, reduce phases, workflows."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from prodigy_storage.codecs.documents import Codec
from prodigy_storage.codecs.kinds import PRODIGY_CHECKPOINT, PRODIGY_JOB_STATE, REDUCE_CHECKPOINT
from prodigy_storage.codecs.prodigy.documents import PRODIGY_CHECKPOINTS, PRODIGY_JOB_STATES, REDUCE_CHECKPOINTS
from prodigy_storage.codecs.values import moment
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import Corrupt, NotFound
from prodigy_storage.model.prodigy.checkpoints import MapReduceCheckpoint
from prodigy_storage.model.prodigy.integrity import Integrity, integrity
from prodigy_storage.ports.storage import Damage, Document, Index, Kind, Query, Storage


class Sort(enum.Enum):
    """What a checkpoint of Prodigy's is."""

    JOB_STATE = "job state"
    MAPREDUCE = "mapreduce"
    WORKFLOW = "workflow"
    REDUCE = "reduce"


@attrs.frozen(kw_only=True)
class ForeignCheckpoint:
    """A checkpoint of Prodigy's.

    Args:
        id: Its id: `checkpoint-v8`, `cp-…`, the id of a workflow, or `{job}/reduce-checkpoint-…`.
        sort: What it is.
        of: The job or workflow.
        repo: Under which project it lies; empty where the path names none.
        state: The phase or status that it says, if any.
        at: When it was made.
        document: It itself.
    """

    id: str
    sort: Sort
    of: str
    repo: str
    state: str
    at: datetime
    document: Document

    def belongs_to(self, name: str) -> bool:
        """Whether a job, workflow, session or checkpoint of that name has to do with it."""
        return name in {self.of, self.id, *self.document.scope}


@attrs.frozen
class ForeignListing:
    """Checkpoints in the order of time, and what could not be read."""

    checkpoints: Sequence[ForeignCheckpoint]
    damage: Sequence[Damage] = ()


@attrs.frozen(kw_only=True)
class ForeignVerdict:
    """What reading one checkpoint of Prodigy's whole has found.

    Args:
        id: Which one; empty if not even that can be said.
        place: Where it lies, for messages.
        offset: Where in its body it is damaged, if that is known.
        reasons: What is wrong with it; empty if it is sound.
    """

    id: str
    place: str
    offset: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.reasons


class ForeignCheckpoints:
    """`store.foreign_checkpoints`. Reads only."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def validate(self, name: str | None = None, *, repo: str | None = None) -> Sequence[ForeignVerdict]:
        """Read every checkpoint whole, and judge those of MapReduce jobs as Prodigy's manager does.

        Either form of the integrity hash is accepted. What cannot even be listed is judged too, if no name is given.

        Args:
            name, repo: As in `list`.
        """
        found = self.list(name, repo=repo)
        damage = found.damage if name is None and repo is None else ()
        broken = [
            ForeignVerdict(id=one.id, place=one.place, offset=one.offset, reasons=(one.reason,)) for one in damage
        ]
        return [*broken, *map(_judged, found.checkpoints)]

    def _of(self, kind: Kind, damage: list[Damage]) -> Iterator[ForeignCheckpoint]:
        for page in walk(self._storage, Query(kind, limit=1000)):
            damage.extend(page.damage)
            for document in page.documents:
                yield _described(document, kind.index(document.body))

    def list(self, name: str | None = None, *, repo: str | None = None) -> ForeignListing:
        """Every checkpoint of Prodigy's.

        Args:
            name: Of that job, workflow or session only.
            repo: Of that project only.
        """
        damage: list[Damage] = []
        found = [
            one
            for kind in (PRODIGY_JOB_STATE, PRODIGY_CHECKPOINT, REDUCE_CHECKPOINT)
            for one in self._of(kind, damage)
            if (name is None or one.belongs_to(name)) and repo in (None, one.repo)
        ]
        return ForeignListing(sorted(found, key=lambda one: (one.at, one.id)), damage)

    def show(self, name: str, id: str, *, repo: str | None = None) -> ForeignCheckpoint:
        """One checkpoint of a job, workflow or session.

        Raises:
            NotFound: there is none.
        """
        found = [one for one in self.list(name, repo=repo).checkpoints if one.id == id]
        if not found:
            raise NotFound(f"there is no {id} of {name}")
        return found[-1]


def _judged(one: ForeignCheckpoint) -> ForeignVerdict:
    try:
        value = _CODECS[one.sort].decode(one.document)
    except Corrupt as error:
        return ForeignVerdict(id=one.id, place=one.document.place, offset=error.offset, reasons=(error.reason,))
    reasons = tuple(_mapreduce(value)) if isinstance(value, MapReduceCheckpoint) else ()
    return ForeignVerdict(id=one.id, place=one.document.place, reasons=reasons)


def _mapreduce(checkpoint: MapReduceCheckpoint) -> Iterator[str]:
    if integrity(checkpoint) is Integrity.MISMATCH:
        yield "its integrity hash fits neither of Prodigy's forms: it was changed, or imported under another job"
    agents = checkpoint.agent_state
    idle = sorted(set(agents.agent_assignments) - set(agents.active_agents))
    if idle:
        yield f"items are assigned to {len(idle)} agents that are not active, such as {idle[0]}"


_CODECS: Mapping[Sort, Codec[Any]] = {
    Sort.JOB_STATE: PRODIGY_JOB_STATES,
    Sort.MAPREDUCE: PRODIGY_CHECKPOINTS,
    Sort.WORKFLOW: PRODIGY_CHECKPOINTS,
    Sort.REDUCE: REDUCE_CHECKPOINTS,
}


def _described(document: Document, index: Index) -> ForeignCheckpoint:
    sort, of, state = Sort.JOB_STATE, document.scope[-1] if document.scope else "", ""
    if document.kind == PRODIGY_CHECKPOINT.name:
        sort, of, state = Sort(index.tags["type"]), index.tags["of"], index.tags["state"]
    elif document.kind == REDUCE_CHECKPOINT.name:
        sort, of = Sort.REDUCE, document.id.partition("/")[0]
    elif index.tags["complete"] == "yes":
        state = "complete"
    return ForeignCheckpoint(
        id=document.id,
        sort=sort,
        of=of,
        repo=document.scope[0] if document.scope else "",
        state=state,
        at=moment(index.at),
        document=document,
    )
