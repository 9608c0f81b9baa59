"""The thread that flushes: one for all loggers of a store."""

from __future__ import annotations

from collections.abc import Callable

from prodigy_storage.ports.runtime import Background, Handle


class Flusher:
    """Calls `flush` in the background, from the first event on.

    Args:
        background: Where the thread comes from.
        flush: What it calls.
    """

    def __init__(self, background: Background, flush: Callable[[], None]) -> None:
        self._background = background
        self._flush = flush
        self.renew()

    def renew(self) -> None:
        """Forget the thread, which a child does not have after a fork."""
        self._mutex = self._background.mutex()
        self._handle: Handle | None = None
        self._seconds = 0.0

    def start(self, seconds: float) -> None:
        """Flush at least that often from now on; the shortest wish of all callers holds."""
        with self._mutex:
            if self._handle is not None and self._seconds <= seconds:
                return
            former, self._seconds = self._handle, seconds
            self._handle = self._background.every(seconds, self._flush)
        if former is not None:
            former.stop()

    def wake(self) -> None:
        """Flush soon."""
        handle = self._handle
        if handle is not None:
            handle.wake()

    def stop(self) -> None:
        """Flush no more; returns when a flush under way has ended."""
        with self._mutex:
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.stop()
