"""Field tables of Prodigy 0.4.4: checkpoints of MapReduce jobs and of their reduce phase."""

from __future__ import annotations

from .checker_jobs import AGENT_RESULT
from .checker_rules import (
    U32,
    U64,
    anything,
    boolean,
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
from .checker_values import span, time

PHASE = enum("Setup", "Map", "Reduce", "Complete")
PHASE_RESULT = struct(success=boolean, outputs=texts, duration=span)
WORK_ITEM = struct(id=text, data=anything)

MR_CHECKPOINT = struct(
    metadata=struct(
        checkpoint_id=text,
        job_id=text,
        version=U32,
        created_at=time,
        phase=PHASE,
        total_work_items=U64,
        completed_items=U64,
        checkpoint_reason=enum(
            "Interval", "PhaseTransition", "Manual", "BeforeShutdown", "BatchComplete", "ErrorRecovery"
        ),
        integrity_hash=text,
    ),
    execution_state=struct(
        current_phase=PHASE,
        phase_start_time=time,
        setup_results=maybe(PHASE_RESULT),
        map_results=maybe(struct(successful_count=U64, failed_count=U64, total_duration=span)),
        reduce_results=maybe(PHASE_RESULT),
        workflow_variables=values,
    ),
    work_item_state=struct(
        pending_items=listed(WORK_ITEM),
        in_progress_items=mapped(struct(work_item=WORK_ITEM, agent_id=text, started_at=time, last_update=time)),
        completed_items=listed(struct(work_item=WORK_ITEM, result=AGENT_RESULT, completed_at=time)),
        failed_items=listed(struct(work_item=WORK_ITEM, error=text, failed_at=time, retry_count=U64)),
        current_batch=maybe(struct(batch_id=text, items=texts, started_at=time)),
    ),
    agent_state=struct(
        active_agents=mapped(
            struct(
                agent_id=text,
                worktree_path=text,
                started_at=time,
                last_heartbeat=time,
                status=enum("Pending", "Running", "Success", "Timeout", Failed=text, Retrying=U32),
            )
        ),
        agent_assignments=mapped(texts),
        agent_results=mapped(AGENT_RESULT),
        resource_allocation=mapped(struct(cpu_cores=maybe(U64), memory_mb=maybe(U64), disk_mb=maybe(U64))),
    ),
    variable_state=struct(
        workflow_variables=texts_by_name,
        captured_outputs=texts_by_name,
        environment_variables=texts_by_name,
        item_variables=mapped(texts_by_name),
    ),
    resource_state=struct(
        total_agents_allowed=U64,
        current_agents_active=U64,
        worktrees_created=texts,
        worktrees_cleaned=texts,
        disk_usage_bytes=maybe(U64),
    ),
    error_state=struct(
        error_count=U64,
        dlq_items=listed(struct(item_id=text, error=text, timestamp=time, retry_count=U64)),
        error_threshold_reached=boolean,
        last_error=maybe(text),
    ),
)

REDUCE_CHECKPOINT = struct(
    version=U32,
    completed_steps=U64,
    total_steps=U64,
    step_results=listed(
        struct(step_index=U64, success=boolean, output=maybe(text), error=maybe(text), duration_secs=real)
    ),
    variables=texts_by_name,
    map_results=listed(anything),
    timestamp=time,
)
