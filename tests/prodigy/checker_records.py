"""Field tables of Prodigy 0.4.4: dead letters, sessions, worktrees, locks and the storage configuration."""

from __future__ import annotations

from .checker_events import of_job
from .checker_rules import (
    I32,
    U32,
    U64,
    anything,
    boolean,
    default,
    either,
    enum,
    listed,
    mapped,
    maybe,
    real,
    struct,
    text,
    texts,
    texts_by_name,
    values,
)
from .checker_values import span, spelled, time

ERROR_TYPE = enum(
    "Timeout",
    "CommitValidationFailed",
    "WorktreeError",
    "MergeConflict",
    "ValidationFailed",
    "ResourceExhausted",
    "Unknown",
    CommandFailed=struct(exit_code=I32),
)

FAILURE = struct(
    attempt_number=U32,
    timestamp=time,
    error_type=ERROR_TYPE,
    error_message=text,
    error_context=maybe(texts),
    stack_trace=maybe(text),
    agent_id=text,
    step_failed=text,
    duration_ms=U64,
    json_log_location=maybe(text),
)

DLQ_ITEM = struct(
    item_id=text,
    item_data=anything,
    first_attempt=time,
    last_attempt=time,
    failure_count=U32,
    failure_history=listed(FAILURE),
    error_signature=text,
    worktree_artifacts=maybe(
        struct(worktree_path=text, branch_name=text, uncommitted_changes=maybe(text), error_logs=maybe(text))
    ),
    reprocess_eligible=boolean,
    manual_review_required=boolean,
)

SESSION = struct(
    id=text,
    session_type=enum("Workflow", "MapReduce"),
    status=enum("Initializing", "Running", "Paused", "Completed", "Failed", "Cancelled"),
    started_at=time,
    updated_at=time,
    completed_at=maybe(time),
    metadata=values,
    checkpoints=listed(struct(id=text, created_at=time, state=anything, metadata=values)),
    timings=mapped(span),
    error=maybe(text),
    workflow_data=maybe(
        struct(
            workflow_id=text,
            workflow_name=text,
            current_step=U64,
            total_steps=U64,
            completed_steps=listed(U64),
            variables=texts_by_name,
            iterations_completed=U32,
            files_changed=U32,
            worktree_name=maybe(text),
        )
    ),
    mapreduce_data=maybe(
        of_job(
            total_items=U64,
            processed_items=U64,
            failed_items=U64,
            agent_count=U64,
            phase=enum("Setup", "Map", "Reduce", "Complete"),
            reduce_results=maybe(anything),
        )
    ),
)

MAPPING = struct(session_id=text, job_id=text, workflow_name=text, created_at=time)

RESUME_LOCK = struct(job_id=text, process_id=U32, hostname=text, acquired_at=time)

WORKTREE_STATE = struct(
    session_id=text,
    worktree_name=text,
    branch=text,
    original_branch=default(text),
    created_at=time,
    updated_at=time,
    status=enum("in_progress", "completed", "merged", "cleaned_up", "failed", "abandoned", "interrupted"),
    iterations=struct(completed=U32, max=U32),
    stats=struct(files_changed=U32, commits=U32, last_commit_sha=maybe(text)),
    merged=boolean,
    merged_at=maybe(time),
    error=maybe(text),
    merge_prompt_shown=boolean,
    merge_prompt_response=maybe(text),
    interrupted_at=maybe(time),
    interruption_type=maybe(enum("user_interrupt", "termination", "process_kill", "unknown")),
    last_checkpoint=maybe(
        struct(
            iteration=U32,
            timestamp=time,
            last_command=text,
            last_command_type=enum("code_review", "implement_spec", "lint", custom=text),
            last_spec_id=maybe(text),
            files_modified=texts,
            command_output=maybe(text),
        )
    ),
    resumable=boolean,
)

ORPHAN_REGISTRY = listed(struct(path=text, agent_id=text, item_id=text, failed_at=time, error=text))

STORAGE_CONFIG = struct(
    backend=enum("file", "memory"),
    connection_pool_size=default(U64),
    retry_policy=default(
        struct(
            max_retries=default(U32),
            initial_delay=default(spelled),
            max_delay=default(spelled),
            backoff_multiplier=default(real),
            jitter=default(boolean),
        )
    ),
    timeout=default(spelled),
    backend_config=either(
        struct(
            base_dir=text,
            use_global=default(boolean),
            enable_file_locks=default(boolean),
            max_file_size=default(U64),
            enable_compression=default(boolean),
        ),
        struct(max_memory=default(U64), persist_to_disk=default(boolean), persistence_path=maybe(text)),
    ),
    enable_locking=default(boolean),
    enable_cache=default(boolean),
    cache_config=default(struct(max_entries=default(U64), ttl=default(spelled), cache_type=default(enum("memory")))),
)
