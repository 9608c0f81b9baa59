"""Small values that several aggregates share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

Json: TypeAlias = str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None
"""What JSON can say. Numbers are finite."""

_NANOS = 1_000_000_000


class Duration(NamedTuple):
    """A length of time as Prodigy writes it in events: `[secs, nanos]` with 0 <= nanos < 10**9."""

    secs: int
    nanos: int = 0

    @classmethod
    def of(cls, seconds: float) -> Duration:
        """The duration nearest to `seconds`."""
        return cls(*divmod(round(seconds * _NANOS), _NANOS))

    @property
    def seconds(self) -> float:
        """As a float; exact to about a nanosecond for times below some months."""
        return self.secs + self.nanos / _NANOS
