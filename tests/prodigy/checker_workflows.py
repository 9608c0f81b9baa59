"""Field tables of Prodigy 0.4.4: checkpoints of workflows."""

from __future__ import annotations

from .checker_jobs import BACKOFF, RETRY
from .checker_rules import (
    I32,
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
from .checker_values import span, spelled, time

COMMAND_RETRY = struct(
    command_id=text,
    attempt_count=U32,
    max_attempts=U32,
    last_attempt_at=maybe(time),
    next_retry_at=maybe(time),
    backoff_state=struct(
        strategy=BACKOFF,
        current_delay=spelled,
        base_delay=spelled,
        max_delay=spelled,
        multiplier=real,
        jitter_enabled=boolean,
        jitter_factor=real,
        fibonacci_prev=maybe(U64),
        fibonacci_curr=maybe(U64),
    ),
    retry_history=listed(
        struct(
            attempt_number=U32,
            executed_at=time,
            duration=spelled,
            success=boolean,
            error=maybe(text),
            backoff_applied=spelled,
            exit_code=maybe(I32),
        )
    ),
    retry_config=maybe(RETRY),
    is_circuit_broken=boolean,
    retry_budget_expires_at=maybe(time),
    total_retry_duration=span,
)

RETRY_STATE = struct(
    command_retry_states=mapped(COMMAND_RETRY),
    global_retry_config=maybe(RETRY),
    retry_execution_history=listed(
        struct(
            command_id=text,
            correlation_id=text,
            started_at=time,
            completed_at=maybe(time),
            total_attempts=U32,
            succeeded=boolean,
            final_error=maybe(text),
        )
    ),
    circuit_breaker_states=mapped(
        struct(
            state=enum("Closed", "Open", "HalfOpen"),
            failure_count=U32,
            failure_threshold=U32,
            last_failure_at=maybe(time),
            recovery_timeout=spelled,
            half_open_max_calls=U32,
            half_open_success_count=U32,
        )
    ),
    retry_correlation_map=texts_by_name,
    checkpointed_at=time,
)

VARIABLE_STATE = struct(
    global_variables=values,
    phase_variables=mapped(values),
    computed_cache=mapped(
        struct(value=anything, computed_at=time, cache_key=text, dependencies=texts, is_expensive=boolean)
    ),
    environment_snapshot=struct(variables=texts_by_name, captured_at=time, hostname=text, working_directory=text),
    interpolation_history=listed(
        struct(template=text, result=text, interpolated_at=time, variable_dependencies=texts, phase=maybe(text))
    ),
    variable_metadata=struct(
        total_variables=U64, computed_variables=U64, total_interpolations=U64, checkpoint_version=text
    ),
    captured_outputs=texts_by_name,
    iteration_vars=texts_by_name,
)

WORKFLOW_CHECKPOINT = struct(
    workflow_id=text,
    execution_state=struct(
        current_step_index=U64,
        total_steps=U64,
        status=enum("Running", "Paused", "Completed", "Failed", "Interrupted"),
        start_time=time,
        last_checkpoint=time,
        current_iteration=maybe(U64),
        total_iterations=maybe(U64),
    ),
    completed_steps=listed(
        struct(
            step_index=U64,
            command=text,
            success=boolean,
            output=maybe(text),
            captured_variables=texts_by_name,
            duration=span,
            completed_at=time,
            retry_state=maybe(
                struct(current_attempt=U64, max_attempts=U64, failure_history=texts, in_retry_loop=boolean)
            ),
        )
    ),
    variable_state=values,
    mapreduce_state=maybe(
        struct(
            completed_items=texts,
            failed_items=texts,
            in_progress_items=mapped(struct(agent_id=text, item_id=text, started_at=time, last_update=time)),
            reduce_completed=boolean,
            agent_results=values,
            total_items=U64,
            aggregate_variables=texts_by_name,
        )
    ),
    timestamp=time,
    version=U32,
    workflow_hash=text,
    total_steps=U64,
    workflow_name=maybe(text),
    workflow_path=maybe(text),
    retry_checkpoint_state=maybe(RETRY_STATE),
    variable_checkpoint_state=maybe(VARIABLE_STATE),
)
