"""Field tables of Prodigy 0.4.4: events, their index and their retention."""

from __future__ import annotations

from .checker_rules import (
    U32,
    U64,
    anything,
    boolean,
    couple,
    default,
    listed,
    mapped,
    maybe,
    real,
    struct,
    tagged,
    text,
    texts,
    values,
)
from .checker_values import pair, time, uuid

CONFIG = struct(
    input=default(text),
    json_path=default(text),
    max_parallel=default(U64),
    agent_timeout_secs=maybe(U64),
    continue_on_failure=boolean,
    batch_size=maybe(U64),
    enable_checkpoints=boolean,
    max_items=maybe(U64),
    offset=maybe(U64),
)


def of_job(**fields):
    return struct(job_id=text, **fields)


def of_agent(**fields):
    return struct(job_id=text, agent_id=text, **fields)


EVENT = tagged(
    "event_type",
    {
        "job_started": of_job(config=CONFIG, total_items=U64, timestamp=time),
        "job_completed": of_job(duration=pair, success_count=U64, failure_count=U64),
        "job_failed": of_job(error=text, partial_results=U64),
        "job_paused": of_job(checkpoint_version=U32),
        "job_resumed": of_job(checkpoint_version=U32, pending_items=U64),
        "agent_started": of_agent(item_id=text, worktree=text, attempt=U32),
        "agent_progress": of_agent(step=text, progress_pct=real),
        "agent_completed": of_agent(duration=pair, commits=texts, json_log_location=maybe(text)),
        "agent_failed": of_agent(error=text, retry_eligible=boolean),
        "agent_retrying": of_agent(attempt=U32, backoff_ms=U64),
        "checkpoint_created": of_job(version=U32, agents_completed=U64),
        "checkpoint_loaded": of_job(version=U32),
        "checkpoint_failed": of_job(error=text),
        "worktree_created": of_agent(worktree_name=text, branch=text),
        "worktree_merged": of_agent(target_branch=text),
        "worktree_cleaned": of_agent(worktree_name=text),
        "queue_depth_changed": of_job(pending=U64, active=U64, completed=U64),
        "memory_pressure": of_job(used_mb=U64, limit_mb=U64),
        "d_l_q_item_added": of_job(item_id=text, error_signature=text, failure_count=U32),
        "d_l_q_item_removed": of_job(item_id=text),
        "d_l_q_items_reprocessed": of_job(count=U64),
        "d_l_q_items_evicted": of_job(count=U64),
        "d_l_q_analysis_generated": of_job(patterns=U64),
        "claude_tool_invoked": struct(agent_id=text, tool_name=text, tool_id=text, parameters=anything, timestamp=time),
        "claude_token_usage": struct(agent_id=text, input_tokens=U64, output_tokens=U64, cache_tokens=U64),
        "claude_session_started": struct(agent_id=text, session_id=text, model=text, tools=texts),
        "claude_message": struct(agent_id=text, content=text, message_type=text, json_log_location=maybe(text)),
    },
)

EVENT_RECORD = struct(id=uuid, timestamp=time, correlation_id=text, event=EVENT, metadata=default(values))

EVENT_INDEX = struct(
    job_id=text,
    event_counts=mapped(U64),
    time_range=couple(time),
    file_offsets=listed(struct(file_path=text, byte_offset=U64, line_number=U64, event_id=uuid, timestamp=time)),
    total_events=U64,
)

RETENTION_POLICY = struct(
    max_age_days=maybe(U32),
    max_events=maybe(U64),
    max_file_size_bytes=maybe(U64),
    archive_old_events=boolean,
    archive_path=maybe(text),
    compress_archives=boolean,
)

RETENTION_ANALYSIS = struct(
    file_path=text,
    events_total=U64,
    events_retained=U64,
    events_to_remove=U64,
    events_to_archive=U64,
    original_size_bytes=U64,
    projected_size_bytes=U64,
    space_to_save=U64,
    estimated_duration_secs=real,
    warnings=texts,
)
