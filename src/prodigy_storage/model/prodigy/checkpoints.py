"""Prodigy's checkpoints of MapReduce jobs, `{id}.checkpoint.{json,gz,zst,lz4}`, and of their reduce phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.prodigy.jobs import AgentResult
from prodigy_storage.model.prodigy.values import U32, AgentStatus, Reason
from prodigy_storage.model.sessions import Phase, Timing
from prodigy_storage.model.values import Json


@attrs.frozen(kw_only=True)
class CheckpointMetadata:
    """What identifies a checkpoint.

    Args:
        integrity_hash: Over job, version, phase and counts; never over content.
    """

    checkpoint_id: str
    job_id: str
    version: U32
    created_at: datetime
    phase: Phase
    total_work_items: int
    completed_items: int
    checkpoint_reason: Reason
    integrity_hash: str = ""


@attrs.frozen(kw_only=True)
class PhaseResult:
    """What the setup or the reduce phase gave."""

    success: bool
    outputs: Sequence[str]
    duration: Timing


@attrs.frozen(kw_only=True)
class MapPhaseResults:
    """What the map phase gave."""

    successful_count: int
    failed_count: int
    total_duration: Timing


@attrs.frozen(kw_only=True)
class ExecutionState:
    """Where the job stands."""

    current_phase: Phase
    phase_start_time: datetime
    setup_results: PhaseResult | None = None
    map_results: MapPhaseResults | None = None
    reduce_results: PhaseResult | None = None
    workflow_variables: Mapping[str, Json] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class StoredItem:
    """An item; Prodigy's `WorkItem`."""

    id: str
    data: Json


@attrs.frozen(kw_only=True)
class ItemInProgress:
    """An item that an agent works on."""

    work_item: StoredItem
    agent_id: str
    started_at: datetime
    last_update: datetime


@attrs.frozen(kw_only=True)
class CompletedItem:
    """An item that is done."""

    work_item: StoredItem
    result: AgentResult
    completed_at: datetime


@attrs.frozen(kw_only=True)
class FailedItem:
    """An item that failed."""

    work_item: StoredItem
    error: str
    failed_at: datetime
    retry_count: U32


@attrs.frozen(kw_only=True)
class CurrentBatch:
    """Items that were handed out together."""

    batch_id: str
    items: Sequence[str]
    started_at: datetime


@attrs.frozen(kw_only=True)
class WorkItemState:
    """Every item, by what became of it."""

    pending_items: Sequence[StoredItem] = ()
    in_progress_items: Mapping[str, ItemInProgress] = attrs.field(factory=dict)
    completed_items: Sequence[CompletedItem] = ()
    failed_items: Sequence[FailedItem] = ()
    current_batch: CurrentBatch | None = None


@attrs.frozen(kw_only=True)
class AgentInfo:
    """An agent at work."""

    agent_id: str
    worktree_path: str
    started_at: datetime
    last_heartbeat: datetime
    status: AgentStatus


@attrs.frozen(kw_only=True)
class ResourceAllocation:
    """What an agent may use."""

    cpu_cores: U32 | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None


@attrs.frozen(kw_only=True)
class AgentState:
    """The agents; each one in `agent_assignments` has to be in `active_agents`."""

    active_agents: Mapping[str, AgentInfo] = attrs.field(factory=dict)
    agent_assignments: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    agent_results: Mapping[str, AgentResult] = attrs.field(factory=dict)
    resource_allocation: Mapping[str, ResourceAllocation] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class VariableState:
    """Variables of the workflow; `environment_variables` can hold secrets."""

    workflow_variables: Mapping[str, str] = attrs.field(factory=dict)
    captured_outputs: Mapping[str, str] = attrs.field(factory=dict)
    environment_variables: Mapping[str, str] = attrs.field(factory=dict)
    item_variables: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ResourceState:
    """What the job uses."""

    total_agents_allowed: int = 0
    current_agents_active: int = 0
    worktrees_created: Sequence[str] = ()
    worktrees_cleaned: Sequence[str] = ()
    disk_usage_bytes: int | None = None


@attrs.frozen(kw_only=True)
class DeadItem:
    """An item that went to the dead letters."""

    item_id: str
    error: str
    timestamp: datetime
    retry_count: U32


@attrs.frozen(kw_only=True)
class ErrorState:
    """What went wrong."""

    error_count: int = 0
    dlq_items: Sequence[DeadItem] = ()
    error_threshold_reached: bool = False
    last_error: str | None = None


@attrs.frozen(kw_only=True)
class MapReduceCheckpoint:
    """A checkpoint of a job, whole."""

    metadata: CheckpointMetadata
    execution_state: ExecutionState
    work_item_state: WorkItemState
    agent_state: AgentState
    variable_state: VariableState
    resource_state: ResourceState
    error_state: ErrorState


@attrs.frozen(kw_only=True)
class ReduceStep:
    """A step of the reduce phase that was executed."""

    step_index: int
    success: bool
    output: str | None = None
    error: str | None = None
    duration_secs: float


@attrs.frozen(kw_only=True)
class ProdigyReduceCheckpoint:
    """How far the reduce phase is; the next step is number `completed_steps`."""

    version: U32 = 1
    completed_steps: int
    total_steps: int
    step_results: Sequence[ReduceStep] = ()
    variables: Mapping[str, str] = attrs.field(factory=dict)
    map_results: Sequence[Json] = ()
    timestamp: datetime
