"""Field tables of Prodigy 0.4.4: the steps of workflows and the state of jobs."""

from __future__ import annotations

from .checker_events import CONFIG, of_job
from .checker_rules import (
    U32,
    U64,
    anything,
    boolean,
    default,
    either,
    enum,
    integer_key,
    listed,
    mapped,
    maybe,
    nullable_default,
    real,
    struct,
    text,
    texts,
    texts_by_name,
    values,
    wanted,
)
from .checker_text import Offence
from .checker_values import span, spelled, time

BACKOFF = enum(
    "fixed",
    "fibonacci",
    linear=struct(increment=spelled),
    exponential=struct(base=default(real)),
    custom=struct(delays=listed(span)),
)

RETRY = struct(
    attempts=default(U32),
    backoff=default(BACKOFF),
    initial_delay=default(spelled),
    max_delay=default(spelled),
    jitter=default(boolean),
    jitter_factor=default(real),
    retry_on=default(listed(enum("network", "timeout", "server_error", "rate_limit", pattern=text))),
    retry_budget=nullable_default(spelled),
    on_failure=default(enum("stop", "continue", fallback=struct(command=text))),
)


_COMMAND = struct(
    claude=maybe(text),
    shell=maybe(text),
    analyze=maybe(values),
    test=maybe(anything),
    foreach=maybe(anything),
    write_file=maybe(anything),
    commit_required=default(boolean),
)


def command(node, path):
    """What is done with each element: an object that says what to run, of which only the usual members are looked at."""
    wanted(node, path, "object")
    _COMMAND(node, path)
    given = {key for key, value in node.content if value.form != "null"}
    if not given & {"claude", "shell", "analyze", "test", "foreach", "write_file"}:
        raise Offence(path, "nothing to run")


def step(node, path):
    """One step of a workflow; steps hold steps."""
    STEP(node, path)


STEP = struct(
    name=maybe(text),
    claude=maybe(text),
    shell=maybe(text),
    test=maybe(
        struct(
            command=text,
            on_failure=maybe(
                struct(
                    claude=text,
                    max_attempts=default(U32),
                    fail_workflow=default(boolean),
                    commit_required=default(boolean),
                )
            ),
        )
    ),
    foreach=maybe(
        struct(
            foreach=either(text, texts),
            parallel=default(either(boolean, U64)),
            do=listed(command),
            continue_on_error=default(boolean),
            max_items=maybe(U64),
        )
    ),
    write_file=maybe(
        struct(
            path=text,
            content=text,
            format=default(enum("text", "json", "yaml")),
            mode=default(text),
            create_dirs=default(boolean),
        )
    ),
    command=maybe(text),
    handler=maybe(anything),
    capture=maybe(text),
    capture_format=maybe(enum("string", "json", "lines", "number", "boolean")),
    capture_streams=default(
        struct(
            stdout=default(boolean),
            stderr=default(boolean),
            exit_code=default(boolean),
            success=default(boolean),
            duration=default(boolean),
        )
    ),
    output_file=maybe(text),
    timeout=maybe(U64),
    capture_output=default(either(boolean, text)),
    working_dir=maybe(text),
    env=default(texts_by_name),
    on_failure=maybe(anything),
    retry=maybe(RETRY),
    on_success=maybe(step),
    on_exit_code=default(mapped(step, integer_key)),
    commit_required=default(boolean),
    auto_commit=default(boolean),
    skip_validation=default(boolean),
    ignore_validation_failure=default(boolean),
    when=maybe(text),
)

AGENT_RESULT = struct(
    item_id=text,
    status=enum("Pending", "Running", "Success", "Timeout", Failed=text, Retrying=U32),
    output=maybe(text),
    commits=default(texts),
    files_modified=default(texts),
    duration=span,
    error=maybe(text),
    worktree_path=maybe(text),
    branch_name=maybe(text),
    worktree_session_id=maybe(text),
    json_log_location=maybe(text),
    cleanup_status=maybe(enum("Success", "Skipped", Failed=text)),
)

JOB_STATE = of_job(
    config=CONFIG,
    started_at=time,
    updated_at=time,
    work_items=listed(anything),
    agent_results=mapped(AGENT_RESULT),
    completed_agents=texts,
    failed_agents=mapped(
        struct(
            item_id=text,
            attempts=U32,
            last_error=text,
            last_attempt=time,
            worktree_info=maybe(struct(path=text, name=text, branch=maybe(text), session_id=maybe(text))),
        )
    ),
    pending_items=texts,
    checkpoint_version=U32,
    checkpoint_format_version=default(U32),
    parent_worktree=maybe(text),
    reduce_phase_state=maybe(
        struct(
            started=boolean,
            completed=boolean,
            executed_commands=texts,
            output=maybe(text),
            error=maybe(text),
            started_at=maybe(time),
            completed_at=maybe(time),
        )
    ),
    total_items=U64,
    successful_count=U64,
    failed_count=U64,
    is_complete=boolean,
    agent_template=listed(step),
    reduce_commands=maybe(listed(step)),
    variables=default(values),
    setup_output=nullable_default(text),
    setup_completed=default(boolean),
    item_retry_counts=default(mapped(U32)),
)

JOB_METADATA = struct(path=text, version=U32, created_at=time, size_bytes=U64)
