"""The events that are logged and not yet stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import repeat

from prodigy_storage.codecs.records import Line, encode_lines
from prodigy_storage.errors import InvalidValue, StorageError, TooLarge

LIMIT_FACTOR = 10
"""How many times its capacity a buffer holds while the store does not take anything."""


class Buffer:
    """Lines in the order in which they were logged, sent in parts of at most `capacity`.

    A part is encoded once; until it is stored, every attempt sends the same bytes. Only one thread sends at a
    time, so the order holds. Appending to `waiting` needs no lock.

    Args:
        commit: Stores whole lines.
        mutex: Held while sending.
        capacity: Lines in a part.
    """

    def __init__(self, commit: Callable[[bytes], None], mutex: AbstractContextManager[object], capacity: int) -> None:
        self.waiting: deque[Line] = deque()
        self._limit = capacity * LIMIT_FACTOR
        self.room = self._limit
        """How many lines may wait; less while parts are under way."""
        self.error: StorageError | None = None
        """Why the last attempt to send failed; None if it did not."""
        self._commit = commit
        self._mutex = mutex
        self._capacity = capacity
        self._parts: deque[tuple[bytes, int]] = deque()
        self._refused: list[StorageError] = []

    @property
    def size(self) -> int:
        """How many lines are not stored yet."""
        return len(self.waiting) + self._limit - self.room

    def send(self) -> None:
        """Store every line that was there when the call began. What cannot be stored now stays, in order.

        Raises:
            StorageError: some lines are not stored; call again.
        """
        with self._mutex:
            try:
                self._send(len(self.waiting))
            except StorageError as error:
                self.error = error
                raise
            self.error = None

    def flush(self) -> None:
        """The same, and say which lines were left out since the last call because no store takes them.

        Raises:
            InvalidValue, TooLarge: lines were left out; the rest is stored.
            StorageError: some lines are not stored; call again.
        """
        with self._mutex:
            self.send()
            if self._refused:
                refused, self._refused = self._refused, []
                raise _summary(refused)

    def discard(self) -> None:
        """Forget every line, and store none that comes later. A commit that is under way is waited for."""
        self._commit = _drop  # before the mutex, so that a send under way does not go on with the next part
        with self._mutex:
            self.waiting.clear()
            self._parts.clear()
            self._refused.clear()
            self.room = self._limit
            self.error = None

    def _send(self, count: int) -> None:
        """Store what is under way, then the first `count` lines that wait."""
        self._send_parts()
        while count > 0:
            self._take(min(count, self._capacity))
            count -= self._capacity
            self._send_parts()

    def _send_parts(self) -> None:
        while self._parts:
            data, count = self._parts[0]
            try:
                self._commit(data)
            except (InvalidValue, TooLarge) as error:
                self._divide(error)
            else:
                self._parts.popleft()
                self.room += count

    def _take(self, count: int) -> None:
        lines = list(map(deque.popleft, repeat(self.waiting, count)))
        data, errors = encode_lines(lines)
        self._refused += errors
        self._push(data, count - len(errors))

    def _divide(self, error: StorageError) -> None:
        """Something in the first part is not storable: try its halves, down to the line that is to blame."""
        data, count = self._parts.popleft()
        self.room += count
        if count == 1:
            self._refused.append(error)
            return
        lines = [line + b"\n" for line in data.split(b"\n")[:-1]]
        self._push(b"".join(lines[count // 2 :]), count - count // 2)
        self._push(b"".join(lines[: count // 2]), count // 2)

    def _push(self, data: bytes, count: int) -> None:
        if count:
            self._parts.appendleft((data, count))
            self.room -= count


def _drop(_: bytes) -> None:
    """Store nothing."""


def _summary(refused: list[StorageError]) -> StorageError:
    if len(refused) > 1:
        refused[0].hint = f"{len(refused)} events were left out; this is the first. {refused[0].hint}".rstrip()
    return refused[0]
