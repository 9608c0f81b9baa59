"""Which numbers of the shared models have 32 bits in Prodigy's files; all others have 64, whole ones no sign."""

from __future__ import annotations

from typing import Any

from prodigy_storage.model import events
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.prodigy.values import F32, U32
from prodigy_storage.model.sessions import WorkflowData

LIMITS: dict[tuple[type[Any], str], Any] = {
    (DeadLetter, "failure_count"): U32,
    (Failure, "attempt_number"): U32,
    (WorkflowData, "iterations_completed"): U32,
    (WorkflowData, "files_changed"): U32,
    (events.AgentProgress, "progress_pct"): F32,
    (events.JobPaused, "checkpoint_version"): U32,
    (events.JobResumed, "checkpoint_version"): U32,
    (events.AgentStarted, "attempt"): U32,
    (events.AgentRetrying, "attempt"): U32,
    (events.CheckpointCreated, "version"): U32,
    (events.CheckpointLoaded, "version"): U32,
    (events.DLQItemAdded, "failure_count"): U32,
}
