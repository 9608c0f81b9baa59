"""Checkpoints of a job, when to make one, and which to keep."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from prodigy_storage.model.jobs import JobState, Progress, StepResult
from prodigy_storage.model.sessions import Phase
from prodigy_storage.model.values import Json


class CheckpointReason(enum.Enum):
    """Why a checkpoint was made; names of Prodigy."""

    INTERVAL = "Interval"
    PHASE_TRANSITION = "PhaseTransition"
    MANUAL = "Manual"
    BEFORE_SHUTDOWN = "BeforeShutdown"
    ERROR_RECOVERY = "ErrorRecovery"


class ResumeStrategy(enum.Enum):
    """From where a job goes on."""

    CONTINUE = "continue"
    """After what was acknowledged."""
    RESTART_PHASE = "restart-phase"
    """From the start of the phase that it is in."""
    RESTART_FROM_MAP = "restart-from-map"
    """With every item pending again; the setup stays."""
    VALIDATE = "validate"
    """After what was acknowledged, if all of it is sound."""


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
    """How far the reduce phase came.

    Args:
        result: What the phase gave; None until it is complete.
        steps: The completed steps, in their order.
        variables: What the steps left for each other.
        complete: Whether `result` is final.
    """

    job_id: str
    session_id: str
    number: int
    epoch: int
    created_at: datetime
    result: Json = None
    steps: Sequence[StepResult] = ()
    variables: Mapping[str, Json] = attrs.field(factory=dict)
    complete: bool = True


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
    """When a checkpoint is due: after so many settled items or so many seconds, whichever comes first.

    Args:
        items, seconds: Since the last one; seconds count only if an item was settled meanwhile.
        phase_change: Whether the end of the map phase calls for one too.
    """

    items: int = 100
    seconds: float = 300.0
    phase_change: bool = True

    def due(self, *, settled: int, elapsed: float) -> bool:
        """Whether `settled` items or `elapsed` seconds since the last checkpoint call for one."""
        return settled >= self.items or (settled > 0 and elapsed >= self.seconds)


@attrs.frozen(kw_only=True)
class CheckpointRetention:
    """Which checkpoints of a phase stay: the newest `keep`, none older than `max_age`, always the newest and the final.

    A job's setup stays as long as the job.
    """

    keep: int = 10
    max_age: timedelta = timedelta(days=7)
    keep_final: bool = True

    def pruned(self, checkpoints: Sequence[CheckpointInfo], *, now: datetime) -> list[CheckpointInfo]:
        """Those that go."""
        return [*self._pruned(checkpoints, Phase.MAP, now), *self._pruned(checkpoints, Phase.REDUCE, now)]

    def _pruned(self, checkpoints: Sequence[CheckpointInfo], phase: Phase, now: datetime) -> list[CheckpointInfo]:
        ours = sorted((info for info in checkpoints if info.phase is phase), key=lambda info: info.number)
        recent = {info.id for info in ours[-self.keep :]} if self.keep > 0 else set()
        return [
            info
            for info in ours[:-1]
            if not (info.final and self.keep_final) and (info.id not in recent or now - info.created_at > self.max_age)
        ]


@attrs.frozen(kw_only=True)
class CheckpointDiff:
    """What changed from one map checkpoint to a later one, by item ids, sorted.

    Args:
        completed: Items that are done now and were not.
        died: Items that are dead letters now and were not.
        failed: Items with another failure, still to be tried.
        reopened: Items that were settled and are not any more: the phase was restarted.
        changed: Items that are settled in both, with another result.
        before, after: Totals by name: `completed`, `dead_letters`, `failures`.
    """

    completed: Sequence[str] = ()
    died: Sequence[str] = ()
    failed: Sequence[str] = ()
    reopened: Sequence[str] = ()
    changed: Sequence[str] = ()
    before: Mapping[str, int]
    after: Mapping[str, int]


def compare(before: JobState, after: JobState) -> CheckpointDiff:
    """What changed from one state of a job to another one."""
    settled = {**before.done, **before.dead}
    later = {**after.done, **after.dead}
    return CheckpointDiff(
        completed=sorted(after.done.keys() - before.done.keys()),
        died=sorted(after.dead.keys() - before.dead.keys()),
        failed=sorted(item for item, many in after.failed.items() if many != before.failed.get(item)),
        reopened=sorted(settled.keys() - later.keys()),
        changed=sorted(
            item for item in settled.keys() & later.keys() if _result(settled, item) != _result(later, item)
        ),
        before=_totals(before),
        after=_totals(after),
    )


def _result(settled: Mapping[str, Progress], item: str) -> tuple[object, ...]:
    return settled[item].outcome, settled[item].result, settled[item].error


def _totals(state: JobState) -> dict[str, int]:
    failures = sum(len(many) for many in state.failed.values())
    return {"completed": len(state.done), "dead_letters": len(state.dead), "failures": failures}
