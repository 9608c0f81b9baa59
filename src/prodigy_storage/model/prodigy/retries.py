"""What a workflow checkpoint knows of retries. Durations are texts, but for `total_retry_duration`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.prodigy.values import (
    I32,
    U32,
    BackoffStrategy,
    BreakerState,
    HumanDuration,
    RetryEnd,
    RetryOn,
    Tagged,
)
from prodigy_storage.model.sessions import Timing


@attrs.frozen(kw_only=True)
class RetryConfig:
    """How a step is tried again."""

    attempts: U32 = 3
    backoff: BackoffStrategy = attrs.field(factory=lambda: Tagged("exponential", {"base": 2.0}))
    initial_delay: HumanDuration = "1s"
    max_delay: HumanDuration = "30s"
    jitter: bool = False
    jitter_factor: float = 0.3
    retry_on: Sequence[RetryOn] = ()
    retry_budget: HumanDuration | None = None
    on_failure: RetryEnd = attrs.field(factory=lambda: Tagged("stop"))


@attrs.frozen(kw_only=True)
class BackoffState:
    """Where the backoff of a step stands."""

    strategy: BackoffStrategy
    current_delay: HumanDuration
    base_delay: HumanDuration
    max_delay: HumanDuration
    multiplier: float
    jitter_enabled: bool
    jitter_factor: float
    fibonacci_prev: int | None = None
    fibonacci_curr: int | None = None


@attrs.frozen(kw_only=True)
class RetryAttempt:
    """One try of a step."""

    attempt_number: U32
    executed_at: datetime
    duration: HumanDuration
    success: bool
    error: str | None = None
    backoff_applied: HumanDuration
    exit_code: I32 | None = None


@attrs.frozen(kw_only=True)
class CommandRetryState:
    """The tries of one step."""

    command_id: str
    attempt_count: U32
    max_attempts: U32
    last_attempt_at: datetime | None = None
    next_retry_at: datetime | None = None
    backoff_state: BackoffState
    retry_history: Sequence[RetryAttempt]
    retry_config: RetryConfig | None = None
    is_circuit_broken: bool
    retry_budget_expires_at: datetime | None = None
    total_retry_duration: Timing


@attrs.frozen(kw_only=True)
class RetryExecution:
    """A step with all its tries, in the history."""

    command_id: str
    correlation_id: str
    started_at: datetime
    completed_at: datetime | None = None
    total_attempts: U32
    succeeded: bool
    final_error: str | None = None


@attrs.frozen(kw_only=True)
class CircuitBreaker:
    """A circuit breaker."""

    state: BreakerState
    failure_count: U32
    failure_threshold: U32
    last_failure_at: datetime | None = None
    recovery_timeout: HumanDuration
    half_open_max_calls: U32
    half_open_success_count: U32


@attrs.frozen(kw_only=True)
class RetryCheckpointState:
    """Everything about the retries of a workflow."""

    command_retry_states: Mapping[str, CommandRetryState]
    global_retry_config: RetryConfig | None = None
    retry_execution_history: Sequence[RetryExecution]
    circuit_breaker_states: Mapping[str, CircuitBreaker]
    retry_correlation_map: Mapping[str, str]
    checkpointed_at: datetime
