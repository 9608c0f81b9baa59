"""Which item is next: ready ones in order, failed ones when their backoff is over, each to one taker at a time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

import attrs


@attrs.define
class Queue:
    """Pure; times are microseconds.

    Args:
        ready: Items that may start now.
        active: Items that somebody works on, with the number of the attempt.
    """

    ready: deque[str] = attrs.field(factory=deque)
    active: dict[str, int] = attrs.field(factory=dict)
    _waiting: list[tuple[int, int, str]] = attrs.field(factory=list)
    _order: int = 0

    @classmethod
    def of(cls, items: Iterable[tuple[str, int]]) -> Queue:
        """A queue of (item, not before); 0 means at once."""
        queue = cls()
        for item, not_before in items:
            queue.put(item, not_before)
        return queue

    def put(self, item: str, not_before: int = 0) -> None:
        """Let the item start, not before a time."""
        if not_before:
            self._order += 1
            heapq.heappush(self._waiting, (not_before, self._order, item))
        else:
            self.ready.append(item)

    def take(self, now: int) -> str | None:
        """The next item that may start; None if there is none now. It is active from then on."""
        if self._waiting and self._waiting[0][0] <= now:
            return heapq.heappop(self._waiting)[2]
        return self.ready.popleft() if self.ready else None

    def give_back(self, item: str) -> None:
        """The item was not settled: it is the next one again."""
        if self.active.pop(item, None) is not None:
            self.ready.appendleft(item)

    def __len__(self) -> int:
        return len(self.ready) + len(self._waiting) + len(self.active)
