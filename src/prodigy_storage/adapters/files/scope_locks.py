"""The locks of the scopes of one store, and how many of their files stay open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from prodigy_storage.adapters.files.locks import Lock, drop_lock, shared_lock
from prodigy_storage.errors import Closed


@attrs.frozen(kw_only=True)
class Locking:
    """How a store locks.

    Args:
        timeout: Seconds that a call may wait, asked for when it has to.
        keep: So many lock files stay open while nobody holds them.
        exclusive: Whether other processes are kept out too.
    """

    timeout: Callable[[], float]
    keep: int
    exclusive: bool


class ScopeLocks:
    """The striped locks of one store."""

    def __init__(self, locking: Locking) -> None:
        self._locking = locking
        self._open: dict[str, Lock] = {}
        self._guard = threading.Lock()
        self._closed = False

    def acquire(self, path: str) -> Lock:
        """Take the lock at `path`, whose directory exists.

        Raises:
            Timeout: somebody else kept it too long.
            Closed: the store was closed.
        """
        while True:
            lock = self._open.get(path) or self._enter(path)
            try:
                if not lock.try_acquire():
                    lock.acquire(self._locking.timeout())
            except ValueError:  # another thread found it displaced, or unused, and closed it in between
                continue
            if not self._closed and self._open.get(path) is lock and lock.in_place():
                return lock
            lock.release()
            self._leave(path, lock)

    def try_acquire(self, path: str) -> Lock | None:
        """Take the lock if it is free now."""
        lock = self._open.get(path) or self._enter(path)
        try:
            if not lock.try_acquire():
                return None
        except ValueError:  # as above
            return self.try_acquire(path)
        if self._open.get(path) is lock and lock.in_place():
            return lock
        lock.release()
        self._leave(path, lock)
        return None

    def _enter(self, path: str) -> Lock:
        with self._guard:
            if self._closed:
                raise Closed("the store was closed")
            if path not in self._open:
                self._shed()
                self._open[path] = shared_lock(path, exclusive=self._locking.exclusive)
            return self._open[path]

    def _shed(self) -> None:
        """Close the oldest unused files until there is room for one more."""
        for path, lock in list(self._open.items()):
            if len(self._open) < self._locking.keep:
                return
            if lock.close_if(drop_lock):
                del self._open[path]

    def _leave(self, path: str, lock: Lock) -> None:
        with self._guard:
            if self._open.get(path) is lock:
                del self._open[path]
                drop_lock(lock)

    def close(self) -> None:
        """Wait for what is under way in other threads, then close all."""
        with self._guard:
            self._closed = True
            locks = list(self._open.items())
        for path, lock in locks:
            lock.acquire(self._locking.timeout())
            lock.release()
            self._leave(path, lock)
