"""Sessions: the visible execution of a workflow or a job, with an enforced transition table.

Fields and spelling are those of Prodigy's `UnifiedSession`; `repo` and `epoch` are our additions.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.values import Json


class SessionType(enum.Enum):
    """What runs in the session."""

    WORKFLOW = "Workflow"
    MAPREDUCE = "MapReduce"


class SessionStatus(enum.Enum):
    """Where the session stands. Completed and Cancelled are final."""

    INITIALIZING = "Initializing"
    RUNNING = "Running"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Phase(enum.Enum):
    """The phase of a MapReduce job."""

    SETUP = "Setup"
    MAP = "Map"
    REDUCE = "Reduce"
    COMPLETE = "Complete"


_S = SessionStatus
TRANSITIONS: Mapping[SessionStatus, frozenset[SessionStatus]] = {
    _S.INITIALIZING: frozenset({_S.RUNNING, _S.PAUSED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.PAUSED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.COMPLETED: frozenset(),
    _S.CANCELLED: frozenset(),
}
"""Which status may follow which; a status may always follow itself."""

_ENDED = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})


@attrs.frozen(kw_only=True)
class SessionCheckpoint:
    """A named state inside a session."""

    id: str
    created_at: datetime
    state: Json
    metadata: Mapping[str, Json] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Timing:
    """A length of time as Prodigy writes it in documents: an object of `secs` and `nanos`."""

    secs: int
    nanos: int

    @classmethod
    def of(cls, seconds: float) -> Timing:
        """The length nearest to `seconds`."""
        secs, nanos = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
        return cls(secs=secs, nanos=nanos)

    @property
    def seconds(self) -> float:
        """As a float."""
        return self.secs + self.nanos / 1_000_000_000


@attrs.frozen(kw_only=True)
class WorkflowData:
    """Progress of a workflow session."""

    workflow_id: str
    workflow_name: str
    current_step: int = 0
    total_steps: int = 0
    completed_steps: Sequence[int] = ()
    variables: Mapping[str, str] = attrs.field(factory=dict)
    iterations_completed: int = 0
    files_changed: int = 0
    worktree_name: str | None = None


@attrs.frozen(kw_only=True)
class MapReduceData:
    """Progress of a MapReduce session; `processed_items` counts settled items, dead ones included."""

    job_id: str
    total_items: int = 0
    processed_items: int = 0
    failed_items: int = 0
    agent_count: int = 0
    phase: Phase = Phase.SETUP
    reduce_results: Json = None


@attrs.frozen(kw_only=True)
class Session:
    """One execution.

    Args:
        id: `session-<uuid>` by custom; any name is accepted.
        started_at, updated_at: UTC.
        completed_at: When it ended, UTC; None while it can go on.
        timings: Durations by name.
        repo: The project; None in sessions that Prodigy wrote.
        epoch: The epoch of the lease under which this was written; a lower one never overwrites a higher one.
    """

    id: str
    session_type: SessionType
    status: SessionStatus
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    metadata: Mapping[str, Json] = attrs.field(factory=dict)
    checkpoints: Sequence[SessionCheckpoint] = ()
    timings: Mapping[str, Timing] = attrs.field(factory=dict)
    error: str | None = None
    workflow_data: WorkflowData | None = None
    mapreduce_data: MapReduceData | None = None
    repo: str | None = None
    epoch: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing follows any more."""
        return not TRANSITIONS[self.status]

    def moved(self, status: SessionStatus, *, at: datetime, error: str | None = None) -> Session:
        """This session in `status` from the moment `at` on.

        Raises:
            InvalidTransition: the table does not allow it.
        """
        if status is not self.status and status not in TRANSITIONS[self.status]:
            allowed = ", ".join(sorted(s.value for s in TRANSITIONS[self.status])) or "nothing: this is final"
            raise InvalidTransition(
                f"{self.id} is {self.status.value} and cannot become {status.value}; allowed: {allowed}"
            )
        return attrs.evolve(
            self, status=status, updated_at=at, completed_at=at if status in _ENDED else None, error=error
        )

    def timed(self, name: str, seconds: float) -> Session:
        """This session with `seconds` more spent on something."""
        known = self.timings.get(name)
        total = seconds + (known.seconds if known else 0.0)
        return attrs.evolve(self, timings={**self.timings, name: Timing.of(max(0.0, total))})

    def stepped(self, index: int, *, variables: Mapping[str, str] | None = None) -> Session:
        """This workflow session after its step `index` (from 0) was completed, with what the step has captured.

        Raises:
            InvalidTransition: it is no workflow session.
        """
        data = self._workflow()
        completed = sorted({*data.completed_steps, index})
        return attrs.evolve(
            self,
            workflow_data=attrs.evolve(
                data,
                current_step=index + 1,
                total_steps=max(data.total_steps, index + 1),
                completed_steps=completed,
                variables={**data.variables, **(variables or {})},
            ),
        )

    def iterated(self, *, files_changed: int = 0) -> Session:
        """This workflow session after one more iteration, which begins with the first step again.

        Raises:
            InvalidTransition: it is no workflow session.
        """
        data = self._workflow()
        return attrs.evolve(
            self,
            workflow_data=attrs.evolve(
                data,
                current_step=0,
                completed_steps=(),
                iterations_completed=data.iterations_completed + 1,
                files_changed=data.files_changed + files_changed,
            ),
        )

    def _workflow(self) -> WorkflowData:
        if self.workflow_data is None:
            raise InvalidTransition(f"{self.id} is no workflow session; it has no steps")
        return self.workflow_data
