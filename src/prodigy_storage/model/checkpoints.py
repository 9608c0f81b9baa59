"""Checkpoints of a job, when to make one, and which to keep."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from prodigy_storage.model.jobs import JobState
from prodigy_storage.model.sessions import Phase
from prodigy_storage.model.values import Json


class CheckpointReason(enum.Enum):
    """Why a checkpoint was made; names of Prodigy."""

    INTERVAL = "Interval"
    PHASE_TRANSITION = "PhaseTransition"
    MANUAL = "Manual"
    BEFORE_SHUTDOWN = "BeforeShutdown"
    ERROR_RECOVERY = "ErrorRecovery"


@attrs.frozen(kw_only=True)
class MapCheckpoint:
    """The state of the map phase: the fold of the progress stream up to a cursor.

    Args:
        number: Counts from 1 within a job.
        epoch: The epoch of the lease under which it was made.
        progress: Cursor in the progress stream: what is before it is folded in here.
        events: Cursor in the event stream: what is before it was flushed.
        in_progress: Items that were being tried, with the number of the attempt.
    """

    job_id: str
    session_id: str
    number: int
    epoch: int
    created_at: datetime
    reason: CheckpointReason
    state: JobState
    progress: str | None = None
    events: str | None = None
    in_progress: Mapping[str, int] = attrs.field(factory=dict)
    final: bool = False


@attrs.frozen(kw_only=True)
class ReduceCheckpoint:
    """The result of the reduce phase."""

    job_id: str
    session_id: str
    number: int
    epoch: int
    created_at: datetime
    result: Json


@attrs.frozen(kw_only=True)
class CheckpointInfo:
    """What a listing says of a checkpoint, without its content."""

    id: str
    job_id: str
    number: int
    phase: Phase
    created_at: datetime
    epoch: int = 0
    completed: int = 0
    dead_letters: int = 0
    final: bool = False
    progress: str | None = None


@attrs.frozen(kw_only=True)
class CheckpointTrigger:
    """When a checkpoint is due: after so many settled items or so many seconds, whichever comes first."""

    items: int = 100
    seconds: float = 300.0

    def due(self, *, settled: int, elapsed: float) -> bool:
        """Whether `settled` items or `elapsed` seconds since the last checkpoint call for one."""
        return settled >= self.items or (settled > 0 and elapsed >= self.seconds)


@attrs.frozen(kw_only=True)
class CheckpointRetention:
    """Which map checkpoints stay: the newest `keep`, none older than `max_age`, always the newest and the final one."""

    keep: int = 10
    max_age: timedelta = timedelta(days=7)
    keep_final: bool = True

    def pruned(self, checkpoints: Sequence[CheckpointInfo], *, now: datetime) -> list[CheckpointInfo]:
        """Those that go. Setup and reduce checkpoints never do."""
        maps = sorted((info for info in checkpoints if info.phase is Phase.MAP), key=lambda info: info.number)
        newest = maps[-1:]
        recent = {info.id for info in maps[-self.keep :]} if self.keep > 0 else set()
        return [
            info
            for info in maps
            if info not in newest
            and not (info.final and self.keep_final)
            and (info.id not in recent or now - info.created_at > self.max_age)
        ]
