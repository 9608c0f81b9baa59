"""Small values in Prodigy's files, and the ranges of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

import attrs

from prodigy_storage.model.sessions import Timing
from prodigy_storage.model.values import Json


@attrs.frozen
class Whole:
    """Whole numbers of so many bits."""

    bits: int
    signed: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the greatest."""
        if self.signed:
            return -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        return 0, (1 << self.bits) - 1


@attrs.frozen
class Single:
    """Floats of 32 bits."""


@attrs.frozen
class Human:
    """Durations as people write them: `1m 30s`."""


@attrs.frozen(eq=False)
class Cases:
    """The cases of a `Tagged`, each with the type of what it carries: None, a type, or types of members by name."""

    types: Mapping[str, Any]


@attrs.frozen
class Words:
    """The texts that a field can have."""

    words: frozenset[str]


U32: TypeAlias = Annotated[int, Whole(32)]
"""A whole number of 32 bits, as most counters of tries are; an `int` without a note has 64 and no sign."""
I32: TypeAlias = Annotated[int, Whole(32, signed=True)]
"""A whole number of 32 bits with a sign."""
F32: TypeAlias = Annotated[float, Single()]
"""A float of 32 bits, as `progress_pct` is; a `float` without a note has 64."""
HumanDuration: TypeAlias = Annotated[str, Human()]
"""A duration as text: `500ms`, `1m 30s`."""


@attrs.frozen
class Tagged:
    """One of several named cases, with what it carries: `"Success"`, or `{"Failed": "exit code 1"}`.

    Args:
        name: The case.
        value: What it carries; None if nothing.
    """

    name: str
    value: Json = None


AgentStatus: TypeAlias = Annotated[
    Tagged,
    Cases({"Pending": None, "Running": None, "Success": None, "Failed": str, "Timeout": None, "Retrying": U32}),
]
"""What an agent is at: `Pending`, `Running`, `Success`, `Failed` with the message, `Timeout`, `Retrying`."""
CleanupStatus: TypeAlias = Annotated[Tagged, Cases({"Success": None, "Failed": str, "Skipped": None})]
"""What became of an agent's worktree."""
BackoffStrategy: TypeAlias = Annotated[
    Tagged,
    Cases(
        {
            "fixed": None,
            "fibonacci": None,
            "linear": {"increment": HumanDuration},
            "exponential": {"base": float},
            "custom": {"delays": Sequence[Timing]},
        }
    ),
]
"""How the wait grows."""
RetryOn: TypeAlias = Annotated[
    Tagged, Cases({"network": None, "timeout": None, "server_error": None, "rate_limit": None, "pattern": str})
]
"""After which errors a step is tried again."""
RetryEnd: TypeAlias = Annotated[Tagged, Cases({"stop": None, "continue": None, "fallback": {"command": str}})]
"""What follows the last try."""
CommandType: TypeAlias = Annotated[
    Tagged, Cases({"code_review": None, "implement_spec": None, "lint": None, "custom": str})
]
"""What a command in a worktree was for."""
Reason: TypeAlias = Annotated[
    str,
    Words(frozenset({"Interval", "PhaseTransition", "Manual", "BeforeShutdown", "BatchComplete", "ErrorRecovery"})),
]
"""Why a checkpoint was made."""
BreakerState: TypeAlias = Annotated[str, Words(frozenset({"Closed", "Open", "HalfOpen"}))]
"""Whether a circuit breaker lets tries through."""

ABSENT: Mapping[str, bool] = MappingProxyType({"absent": True})
"""Metadata of a field that is left out of the file while it has its default."""
