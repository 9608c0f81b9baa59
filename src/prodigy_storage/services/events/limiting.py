"""Which records of a job a limit names: found in one pass, in memory for what stays."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime

import attrs

from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.event_cleaning import EventLimits


@attrs.define(eq=False)
class Cut:
    """The border between what goes and what stays. Called with the records in their order, it says whether one goes.

    Args:
        at: Older records go; microseconds since 1970-01-01 UTC.
        ties: So many of exactly this time go too, the first ones.
    """

    at: int
    ties: int = 0

    def __call__(self, line: bytes) -> bool:
        """Whether a record goes; one without a time goes with its neighbours."""
        try:
            at = EVENTS.at(line)
        except Corrupt:
            return True
        if at == self.at and self.ties:
            self.ties -= 1
            return True
        return at < self.at


@attrs.frozen(kw_only=True)
class Survey:
    """What a job holds.

    Args:
        count, size: Its records, and their lines in bytes.
        named: How many of them a limit names.
        at, ties: Where the border lies; see `Cut`.
    """

    count: int
    size: int
    named: int
    at: int
    ties: int

    def cut(self) -> Cut:
        """A fresh border."""
        return Cut(self.at, self.ties)


def survey(buffers: Iterable[bytes], limits: EventLimits, now: datetime) -> Survey:
    """Find the border in whole lines."""
    newest = _Newest(limits)
    count = size = 0
    for data in buffers:
        size += len(data)
        for line in data.split(b"\n")[:-1]:
            newest.add(line, count)
            count += 1
    at, ties = newest.at, newest.ties
    if limits.older_than is not None:
        at, ties = max((at, ties), (micros(now - limits.older_than), 0))
    return Survey(count=count, size=size, named=newest.older(at, ties), at=at, ties=ties)


class _Newest:
    """Keeps the newest records that the limits on number and size allow, and the border below them."""

    def __init__(self, limits: EventLimits) -> None:
        self._limits = limits
        self._kept: list[tuple[int, int, int]] = []
        self._size = 0
        self._gone = 0
        self.at = -(1 << 62)
        self.ties = 0

    def add(self, line: bytes, number: int) -> None:
        """Take in the next record."""
        try:
            at = EVENTS.at(line)
        except Corrupt:
            return
        heapq.heappush(self._kept, (at, number, len(line) + 1))
        self._size += len(line) + 1
        while self._kept and self._passed():
            at, _, size = heapq.heappop(self._kept)
            self._size -= size
            self._gone += 1
            self.at, self.ties = max((self.at, self.ties), (at, self.ties + 1 if at == self.at else 1))

    def _passed(self) -> bool:
        most, largest = self._limits.max_events, self._limits.max_size
        return (most is not None and len(self._kept) > most) or (largest is not None and self._size > largest)

    def older(self, at: int, ties: int) -> int:
        """How many records lie below a border that is not below this one."""
        if (at, ties) == (self.at, self.ties):
            return self._gone
        return self._gone + sum(time < at for time, _, _ in self._kept)
