"""Fakes for the ports around a store: time, ids and background work, all moved by hand."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.runtime import Background, Ids, Runtime

START = datetime(2025, 1, 1, tzinfo=UTC)
"""When a `FakeClock` begins, if nothing else is said."""


class FakeClock:
    """A `Clock` that stands still until somebody sleeps or moves it.

    Args:
        start: The first time, aware, UTC.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._seconds = 0.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        """The start and what has passed since."""
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Move by `seconds` at once; `sleeps` remembers it."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move by hand."""
        with self._lock:
            self._seconds += max(0.0, seconds)


class FakeIds:
    """`Ids` that count: UUIDs of version 7 in form, the same in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        """The next one."""
        return f"00000000-0000-7000-8000-{next(self._numbers):012x}"


@attrs.define(eq=False)
class FakeHandle:
    """Work that runs when `FakeBackground.tick` is called. `wakes` counts how often it was woken."""

    seconds: float
    work: Callable[[], None]
    stopped: bool = False
    wakes: int = 0

    def wake(self) -> None:
        """Remember the wish; `tick` does the work."""
        self.wakes += 1

    def stop(self) -> None:
        """Run no more."""
        self.stopped = True


class FakeBackground:
    """A `Background` without threads of its own: `tick`, `exit` and `fork` do what the process would.

    Args:
        token: Who this process is.
    """

    def __init__(self, token: Token | None = None) -> None:
        self.token = token or Token("fake-writer", 4242, "fake-host")
        self.thread = "MainThread"
        self.handles: list[FakeHandle] = []
        self._exits: list[Callable[[], None]] = []
        self._forks: list[Callable[[], None]] = []

    def mutex(self) -> AbstractContextManager[object]:
        """A real lock, since tests use real threads."""
        return threading.RLock()

    def every(self, seconds: float, work: Callable[[], None]) -> FakeHandle:
        """Remember the work for `tick`."""
        handle = FakeHandle(seconds, work)
        self.handles.append(handle)
        return handle

    def at_exit(self, work: Callable[[], None]) -> Callable[[], None]:
        """Remember the work for `exit`."""
        return _remember(self._exits, work)

    def after_fork(self, work: Callable[[], None]) -> Callable[[], None]:
        """Remember the work for `fork`."""
        return _remember(self._forks, work)

    def identity(self) -> Token:
        """The token that was given."""
        return self.token

    def local(self) -> Any:
        """See `Background.local`."""
        return threading.local()

    def thread_name(self) -> str:
        """The attribute `thread`."""
        return self.thread

    def tick(self) -> None:
        """Let every piece of work that was not stopped run once."""
        for handle in list(self.handles):
            if not handle.stopped:
                handle.work()

    def exit(self) -> None:
        """End the interpreter in order, as far as the library is concerned: last come, first served."""
        while self._exits:
            self._exits.pop()()

    def fork(self, token: Token | None = None) -> None:
        """Become the child: with another token, if one is given."""
        self.token = token or self.token
        for work in list(self._forks):
            work()


def _remember(where: list[Callable[[], None]], work: Callable[[], None]) -> Callable[[], None]:
    where.append(work)

    def cancel() -> None:
        if work in where:
            where.remove(work)

    return cancel


def fake_runtime(
    *, clock: Clock | None = None, ids: Ids | None = None, background: Background | None = None
) -> Runtime:
    """A `Runtime` of fakes; what is given takes the place of a fresh one."""
    return Runtime(clock=clock or FakeClock(), ids=ids or FakeIds(), background=background or FakeBackground())
