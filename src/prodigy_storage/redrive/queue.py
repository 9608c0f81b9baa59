"""Which item is tried next: in order, none before its backoff is over, not too many in a second."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import attrs


@attrs.define
class Queue:
    """Pure; times are monotonic seconds.

    Args:
        interval: Seconds between two starts; 0 for none.
    """

    interval: float = 0.0
    _waiting: list[tuple[float, int, str]] = attrs.field(factory=list)
    _order: int = 0
    _next_start: float = 0.0

    def extend(self, items: Iterable[str]) -> None:
        """Let items start at once, in this order."""
        for item in items:
            self.put(item)

    def put(self, item: str, not_before: float = 0.0) -> None:
        """Let an item start, not before a time."""
        self._order += 1
        heapq.heappush(self._waiting, (not_before, self._order, item))

    def take(self, now: float) -> str | None:
        """The next item that may start; None if there is none now."""
        if now < self._next_start or not self._waiting or self._waiting[0][0] > now:
            return None
        self._next_start = now + self.interval
        return heapq.heappop(self._waiting)[2]
