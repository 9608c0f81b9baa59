"""The state of a job: `checkpoint-v{n}.json` and `metadata.json`, which Prodigy's `resume-job` reads.

Fields and spelling are those of Prodigy 0.4; its names are longer: `MapReduceJobState`, `CheckpointMetadata`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.events import MapReduceConfig
from prodigy_storage.model.prodigy.values import ABSENT, U32, AgentStatus, CleanupStatus
from prodigy_storage.model.sessions import Timing
from prodigy_storage.model.values import Json


@attrs.frozen(kw_only=True)
class AgentResult:
    """What an agent made of an item."""

    item_id: str
    status: AgentStatus
    output: str | None = attrs.field(default=None, metadata=ABSENT)
    commits: Sequence[str] = ()
    files_modified: Sequence[str] = attrs.field(default=(), metadata=ABSENT)
    duration: Timing
    error: str | None = attrs.field(default=None, metadata=ABSENT)
    worktree_path: str | None = attrs.field(default=None, metadata=ABSENT)
    branch_name: str | None = attrs.field(default=None, metadata=ABSENT)
    worktree_session_id: str | None = attrs.field(default=None, metadata=ABSENT)
    json_log_location: str | None = attrs.field(default=None, metadata=ABSENT)
    cleanup_status: CleanupStatus | None = attrs.field(default=None, metadata=ABSENT)


@attrs.frozen(kw_only=True)
class WorktreeInfo:
    """Where a failed agent worked."""

    path: str
    name: str
    branch: str | None = None
    session_id: str | None = None


@attrs.frozen(kw_only=True)
class FailedAgent:
    """The failures of an item; Prodigy's `FailureRecord`."""

    item_id: str
    attempts: U32
    last_error: str
    last_attempt: datetime
    worktree_info: WorktreeInfo | None = None


@attrs.frozen(kw_only=True)
class ReducePhase:
    """How far the reduce phase is; Prodigy's `ReducePhaseState`."""

    started: bool
    completed: bool
    executed_commands: Sequence[str]
    output: str | None = None
    error: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@attrs.frozen(kw_only=True)
class ProdigyJobState:
    """The whole state of a job.

    Args:
        work_items: The items; `item_7` is the eighth.
        completed_agents: The settled items, failed ones too; a set, in no order.
        failed_count: Counts failures, so it can exceed the number of failed items.
        agent_template, reduce_commands: Steps of the workflow, as they are.
        checkpoint_version: The number of this state, which its file is named after.
    """

    job_id: str
    config: MapReduceConfig
    started_at: datetime
    updated_at: datetime
    work_items: Sequence[Json]
    agent_results: Mapping[str, AgentResult]
    completed_agents: Sequence[str]
    failed_agents: Mapping[str, FailedAgent]
    pending_items: Sequence[str]
    checkpoint_version: U32
    checkpoint_format_version: U32 = 1
    parent_worktree: str | None = None
    reduce_phase_state: ReducePhase | None = None
    total_items: int
    successful_count: int
    failed_count: int
    is_complete: bool
    agent_template: Sequence[Json]
    reduce_commands: Sequence[Json] | None = None
    variables: Mapping[str, Json] = attrs.field(factory=dict)
    setup_output: str | None = None
    setup_completed: bool = False
    item_retry_counts: Mapping[str, U32] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ProdigyJobMetadata:
    """Which state of a job is the newest. `path` is absolute and points nowhere when the root has moved."""

    path: str
    version: U32
    created_at: datetime
    size_bytes: int
