"""Prodigy's checkpoints of workflows, `{id}.checkpoint.json`."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.prodigy.retries import RetryCheckpointState
from prodigy_storage.model.prodigy.values import ABSENT, U32
from prodigy_storage.model.sessions import Timing
from prodigy_storage.model.values import Json


class WorkflowStatus(enum.Enum):
    """Where a workflow stands."""

    RUNNING = "Running"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    FAILED = "Failed"
    INTERRUPTED = "Interrupted"


@attrs.frozen(kw_only=True)
class WorkflowExecution:
    """How far a workflow is; in the last checkpoint of a run `total_steps` is 0."""

    current_step_index: int
    total_steps: int
    status: WorkflowStatus
    start_time: datetime
    last_checkpoint: datetime
    current_iteration: int | None = None
    total_iterations: int | None = None


@attrs.frozen(kw_only=True)
class StepRetry:
    """How often a step was tried."""

    current_attempt: U32
    max_attempts: U32
    failure_history: Sequence[str]
    in_retry_loop: bool


@attrs.frozen(kw_only=True)
class CompletedStep:
    """A step that was executed."""

    step_index: int
    command: str
    success: bool
    output: str | None = None
    captured_variables: Mapping[str, str] = attrs.field(factory=dict)
    duration: Timing
    completed_at: datetime
    retry_state: StepRetry | None = attrs.field(default=None, metadata=ABSENT)


@attrs.frozen(kw_only=True)
class AgentProgressState:
    """An item in progress."""

    agent_id: str
    item_id: str
    started_at: datetime
    last_update: datetime


@attrs.frozen(kw_only=True)
class WorkflowMapReduce:
    """The job inside a workflow; `completed_items` is a set, in no order."""

    completed_items: Sequence[str] = ()
    failed_items: Sequence[str] = ()
    in_progress_items: Mapping[str, AgentProgressState] = attrs.field(factory=dict)
    reduce_completed: bool = False
    agent_results: Mapping[str, Json] = attrs.field(factory=dict)
    total_items: int = 0
    aggregate_variables: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class CachedVariable:
    """A computed variable."""

    value: Json
    computed_at: datetime
    cache_key: str
    dependencies: Sequence[str]
    is_expensive: bool


@attrs.frozen(kw_only=True)
class EnvironmentSnapshot:
    """The environment of the process, secrets included, as Prodigy keeps it."""

    variables: Mapping[str, str]
    captured_at: datetime
    hostname: str
    working_directory: str


@attrs.frozen(kw_only=True)
class Interpolation:
    """A template that was filled in."""

    template: str
    result: str
    interpolated_at: datetime
    variable_dependencies: Sequence[str]
    phase: str | None = None


@attrs.frozen(kw_only=True)
class VariableMetadata:
    """Numbers over the variables."""

    total_variables: int
    computed_variables: int
    total_interpolations: int
    checkpoint_version: str


@attrs.frozen(kw_only=True)
class VariableCheckpointState:
    """Every variable of a workflow."""

    global_variables: Mapping[str, Json]
    phase_variables: Mapping[str, Mapping[str, Json]]
    computed_cache: Mapping[str, CachedVariable]
    environment_snapshot: EnvironmentSnapshot
    interpolation_history: Sequence[Interpolation]
    variable_metadata: VariableMetadata
    captured_outputs: Mapping[str, str]
    iteration_vars: Mapping[str, str]


@attrs.frozen(kw_only=True)
class WorkflowCheckpoint:
    """A checkpoint of a workflow, whole.

    Args:
        variable_state: Variables; those that begin with `__` tell of an error to recover from.
        workflow_hash: A name and a number of steps, no digest.
    """

    workflow_id: str
    execution_state: WorkflowExecution
    completed_steps: Sequence[CompletedStep] = ()
    variable_state: Mapping[str, Json] = attrs.field(factory=dict)
    mapreduce_state: WorkflowMapReduce | None = None
    timestamp: datetime
    version: U32 = 1
    workflow_hash: str
    total_steps: int
    workflow_name: str | None = None
    workflow_path: str | None = None
    retry_checkpoint_state: RetryCheckpointState | None = None
    variable_checkpoint_state: VariableCheckpointState | None = None
