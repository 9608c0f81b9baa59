"""Ctrl-C: the first one stops in order, the second one at once."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Protocol, Self

import attrs

INTERRUPTED = 130


class Stoppable(Protocol):
    """Something that ends by itself once it was asked to."""

    stopping: bool


@attrs.define
class Interrupts:
    """A context manager; while it is entered, Ctrl-C is ours.

    Args:
        work: What is stopped in order. As long as it is None nothing is at stake, and Ctrl-C simply ends the program.
        asked: Whether Ctrl-C was pressed.
    """

    work: Stoppable | None = None
    asked: bool = False
    _before: object = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before if callable(self._before) else signal.SIG_DFL)

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
