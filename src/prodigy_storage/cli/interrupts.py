"""Ctrl-C and the wish to terminate: the first one stops in order, the second one at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Protocol, Self

import attrs

INTERRUPTED = 130


class Stoppable(Protocol):
    """Something that ends by itself once it was asked to."""

    stopping: bool


@attrs.define
class Interrupts:
    """A context manager; while it is entered, SIGINT (Ctrl-C) and SIGTERM are ours.

    Args:
        work: What is stopped in order. As long as it is None nothing is at stake, and they simply end the program.
        asked: Whether one of them came.
    """

    work: Stoppable | None = None
    asked: bool = False
    _before: dict[signal.Signals, object] = attrs.field(factory=dict)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if callable(before) else signal.SIG_DFL)

    def protect(self, work: Stoppable) -> None:
        """From now on something is at stake: it is stopped in order."""
        self.work = work
        work.stopping |= self.asked

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            if sys.stderr.isatty():
                os.write(2, b"\n")
            os._exit(INTERRUPTED)
        self.asked = True
        if self.work is None:
            raise KeyboardInterrupt
        self.work.stopping = True


@contextlib.contextmanager
def on_user_signal(note: Callable[[], None]) -> Iterator[None]:
    """Call `note` whenever SIGUSR1 comes; it only leaves a note, as it may interrupt anything."""
    before = signal.signal(signal.SIGUSR1, lambda *_: note())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
