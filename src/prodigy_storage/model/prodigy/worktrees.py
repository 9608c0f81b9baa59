"""Session worktrees, and those that were left behind."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.prodigy.values import U32, CommandType


class WorktreeStatus(enum.Enum):
    """Where a session worktree stands."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    MERGED = "merged"
    CLEANED_UP = "cleaned_up"
    FAILED = "failed"
    ABANDONED = "abandoned"
    INTERRUPTED = "interrupted"


class InterruptionType(enum.Enum):
    """What interrupted the work in a worktree."""

    USER_INTERRUPT = "user_interrupt"
    TERMINATION = "termination"
    PROCESS_KILL = "process_kill"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Iterations:
    """How often the workflow ran, of how often it may."""

    completed: U32 = 0
    max: U32 = 10


@attrs.frozen(kw_only=True)
class WorktreeStats:
    """What was done in a worktree."""

    files_changed: U32 = 0
    commits: U32 = 0
    last_commit_sha: str | None = None


@attrs.frozen(kw_only=True)
class WorktreeCheckpoint:
    """The last command in a worktree."""

    iteration: U32
    timestamp: datetime
    last_command: str
    last_command_type: CommandType
    last_spec_id: str | None = None
    files_modified: Sequence[str] = ()
    command_output: str | None = None


@attrs.frozen(kw_only=True)
class WorktreeState:
    """A session's worktree."""

    session_id: str
    worktree_name: str
    branch: str
    original_branch: str = ""
    created_at: datetime
    updated_at: datetime
    status: WorktreeStatus = WorktreeStatus.IN_PROGRESS
    iterations: Iterations = attrs.field(factory=Iterations)
    stats: WorktreeStats = attrs.field(factory=WorktreeStats)
    merged: bool = False
    merged_at: datetime | None = None
    error: str | None = None
    merge_prompt_shown: bool = False
    merge_prompt_response: str | None = None
    interrupted_at: datetime | None = None
    interruption_type: InterruptionType | None = None
    last_checkpoint: WorktreeCheckpoint | None = None
    resumable: bool = False


@attrs.frozen(kw_only=True)
class OrphanedWorktree:
    """A worktree whose cleaning failed."""

    path: str
    agent_id: str
    item_id: str
    failed_at: datetime
    error: str
