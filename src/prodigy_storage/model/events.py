"""The 27 events of the global storage architecture, and the record that carries one.

Field names, order and spelling are those of Prodigy's `EventRecord`; `event_type` is the tag on disk. The five
dead-letter tags have a second spelling in Prodigy's filters (`dlq_…` for `d_l_q_…`); `canonical_type` knows both.
The classes have no slots: encoders walk slots in the order of their names, and the tag must come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from prodigy_storage.model.construction import lean
from prodigy_storage.model.values import Duration, Json


@attrs.frozen(slots=False)
class MapReduceConfig:
    """How a job was asked to run, as `job_started` carries it."""

    input: str = ""
    json_path: str = ""
    max_parallel: int = 10
    agent_timeout_secs: int | None = None
    continue_on_failure: bool = False
    batch_size: int | None = None
    enable_checkpoints: bool = True
    max_items: int | None = None
    offset: int | None = None


@attrs.frozen(slots=False)
class Event:
    """Base of all events. A subclass sets its tag as the default of `event_type` and adds its fields."""

    event_type: str = attrs.field(init=False, default="")


# --- jobs


@attrs.frozen(slots=False)
class JobStarted(Event):
    """A job began."""

    event_type: str = attrs.field(init=False, default="job_started")
    job_id: str
    config: MapReduceConfig
    total_items: int
    timestamp: datetime


@attrs.frozen(slots=False)
class JobCompleted(Event):
    """A job settled every item."""

    event_type: str = attrs.field(init=False, default="job_completed")
    job_id: str
    duration: Duration
    success_count: int
    failure_count: int


@attrs.frozen(slots=False)
class JobFailed(Event):
    """A job gave up."""

    event_type: str = attrs.field(init=False, default="job_failed")
    job_id: str
    error: str
    partial_results: int


@attrs.frozen(slots=False)
class JobPaused(Event):
    """A job stopped in order and can be resumed."""

    event_type: str = attrs.field(init=False, default="job_paused")
    job_id: str
    checkpoint_version: int


@attrs.frozen(slots=False)
class JobResumed(Event):
    """A job goes on from a checkpoint."""

    event_type: str = attrs.field(init=False, default="job_resumed")
    job_id: str
    checkpoint_version: int
    pending_items: int


# --- agents


@attrs.frozen(slots=False)
class AgentStarted(Event):
    """An agent took an item; `attempt` counts from 1."""

    event_type: str = attrs.field(init=False, default="agent_started")
    job_id: str
    agent_id: str
    item_id: str
    worktree: str
    attempt: int


@attrs.frozen(slots=False)
class AgentProgress(Event):
    """An agent reached a step; `progress_pct` is 0 to 100."""

    event_type: str = attrs.field(init=False, default="agent_progress")
    job_id: str
    agent_id: str
    step: str
    progress_pct: float


@attrs.frozen(slots=False)
class AgentCompleted(Event):
    """An agent finished its item."""

    event_type: str = attrs.field(init=False, default="agent_completed")
    job_id: str
    agent_id: str
    duration: Duration
    commits: tuple[str, ...] = ()
    json_log_location: str | None = None


@attrs.frozen(slots=False)
class AgentFailed(Event):
    """An attempt failed; `retry_eligible` says whether another one follows."""

    event_type: str = attrs.field(init=False, default="agent_failed")
    job_id: str
    agent_id: str
    error: str
    retry_eligible: bool


@attrs.frozen(slots=False)
class AgentRetrying(Event):
    """Attempt `attempt` will follow after `backoff_ms` milliseconds."""

    event_type: str = attrs.field(init=False, default="agent_retrying")
    job_id: str
    agent_id: str
    attempt: int
    backoff_ms: int


# --- checkpoints


@attrs.frozen(slots=False)
class CheckpointCreated(Event):
    """A checkpoint is durable; `version` is its number."""

    event_type: str = attrs.field(init=False, default="checkpoint_created")
    job_id: str
    version: int
    agents_completed: int


@attrs.frozen(slots=False)
class CheckpointLoaded(Event):
    """A checkpoint was read to go on from."""

    event_type: str = attrs.field(init=False, default="checkpoint_loaded")
    job_id: str
    version: int


@attrs.frozen(slots=False)
class CheckpointFailed(Event):
    """A checkpoint could not be written or read."""

    event_type: str = attrs.field(init=False, default="checkpoint_failed")
    job_id: str
    error: str


# --- worktrees


@attrs.frozen(slots=False)
class WorktreeCreated(Event):
    """A git worktree was made for an agent."""

    event_type: str = attrs.field(init=False, default="worktree_created")
    job_id: str
    agent_id: str
    worktree_name: str
    branch: str


@attrs.frozen(slots=False)
class WorktreeMerged(Event):
    """A worktree's branch was merged."""

    event_type: str = attrs.field(init=False, default="worktree_merged")
    job_id: str
    agent_id: str
    target_branch: str


@attrs.frozen(slots=False)
class WorktreeCleaned(Event):
    """A worktree was removed."""

    event_type: str = attrs.field(init=False, default="worktree_cleaned")
    job_id: str
    agent_id: str
    worktree_name: str


# --- load


@attrs.frozen(slots=False)
class QueueDepthChanged(Event):
    """How many items wait, run and are done."""

    event_type: str = attrs.field(init=False, default="queue_depth_changed")
    job_id: str
    pending: int
    active: int
    completed: int


@attrs.frozen(slots=False)
class MemoryPressure(Event):
    """Memory runs short; megabytes."""

    event_type: str = attrs.field(init=False, default="memory_pressure")
    job_id: str
    used_mb: int
    limit_mb: int


# --- dead letters


@attrs.frozen(slots=False)
class DLQItemAdded(Event):
    """An item became a dead letter, or failed again as one."""

    event_type: str = attrs.field(init=False, default="d_l_q_item_added")
    job_id: str
    item_id: str
    error_signature: str
    failure_count: int


@attrs.frozen(slots=False)
class DLQItemRemoved(Event):
    """A dead letter was removed."""

    event_type: str = attrs.field(init=False, default="d_l_q_item_removed")
    job_id: str
    item_id: str


@attrs.frozen(slots=False)
class DLQItemsReprocessed(Event):
    """Dead letters were run again."""

    event_type: str = attrs.field(init=False, default="d_l_q_items_reprocessed")
    job_id: str
    count: int


@attrs.frozen(slots=False)
class DLQItemsEvicted(Event):
    """Dead letters were moved out by a capacity policy."""

    event_type: str = attrs.field(init=False, default="d_l_q_items_evicted")
    job_id: str
    count: int


@attrs.frozen(slots=False)
class DLQAnalysisGenerated(Event):
    """Dead letters were analysed."""

    event_type: str = attrs.field(init=False, default="d_l_q_analysis_generated")
    job_id: str
    patterns: int


# --- Claude agents


@attrs.frozen(slots=False)
class ClaudeToolInvoked(Event):
    """An agent used a tool."""

    event_type: str = attrs.field(init=False, default="claude_tool_invoked")
    agent_id: str
    tool_name: str
    tool_id: str
    parameters: Json
    timestamp: datetime


@attrs.frozen(slots=False)
class ClaudeTokenUsage(Event):
    """Tokens that an agent used."""

    event_type: str = attrs.field(init=False, default="claude_token_usage")
    agent_id: str
    input_tokens: int
    output_tokens: int
    cache_tokens: int


@attrs.frozen(slots=False)
class ClaudeSessionStarted(Event):
    """An agent's own session began."""

    event_type: str = attrs.field(init=False, default="claude_session_started")
    agent_id: str
    session_id: str
    model: str
    tools: tuple[str, ...]


@attrs.frozen(slots=False)
class ClaudeMessage(Event):
    """An agent said something."""

    event_type: str = attrs.field(init=False, default="claude_message")
    agent_id: str
    content: str
    message_type: str
    json_log_location: str | None = None


EVENT_TYPES: Mapping[str, type[Event]] = {
    attrs.fields(cls).event_type.default: lean(cls) for cls in Event.__subclasses__()
}
"""The 27 built-in events by their tag."""


@attrs.frozen(slots=False)
class UnknownEvent(Event):
    """An event of a type that is not registered, whole: `fields` has every member but the tag."""

    event_type: str
    fields: Mapping[str, Json]


def canonical_type(name: str) -> str:
    """The tag on disk for either spelling: `dlq_item_added` and `d_l_q_item_added` are one."""
    return f"d_l_q_{name[4:]}" if name.startswith("dlq_") else name


@attrs.frozen(slots=False)
class EventRecord:
    """A fact with its circumstances: one line of an event segment.

    Args:
        id: A UUID.
        timestamp: When it was logged, UTC.
        correlation_id: The same for everything that belongs to one run.
        event: What happened.
        metadata: `host`, `pid`, `thread` and whatever the caller added.
        raw: The stored line, if it was read: a record is never rewritten, so unknown members survive in it.
    """

    id: str
    timestamp: datetime
    correlation_id: str
    event: Event
    metadata: Mapping[str, Json] = attrs.field(factory=dict)
    raw: bytes | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def event_type(self) -> str:
        """The tag on disk."""
        return self.event.event_type

    @property
    def job_id(self) -> str | None:
        """The job that the event names, if it names one."""
        return self._member("job_id")

    @property
    def agent_id(self) -> str | None:
        """The agent that the event names, if it names one."""
        return self._member("agent_id")

    def _member(self, name: str) -> str | None:
        event = self.event
        value = event.fields.get(name) if isinstance(event, UnknownEvent) else getattr(event, name, None)
        return value if isinstance(value, str) else None
