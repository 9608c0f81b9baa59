"""Kernel locks: one handle for each lock file in this process, kept open, with a thread lock in front.

POSIX record locks belong to the process: a second handle in the same process would also get the lock, and closing
any handle of the file frees it. So a lock file is opened once per process and (device, inode), and a child of a
fork forgets everything.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections.abc import Callable
from typing import BinaryIO, Protocol

import attrs
from fasteners import InterProcessLock  # type: ignore[import-untyped]  # ships no type information

from prodigy_storage.adapters.files.disk import FILE_MODE
from prodigy_storage.adapters.files.times import monotonic, pause
from prodigy_storage.errors import Timeout

_BUSY = frozenset({errno.EACCES, errno.EAGAIN})
_SHORTEST, _LONGEST = 0.0005, 0.005


def open_handle(path: str) -> BinaryIO:
    """Open a lock file, making it when it is missing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    return os.fdopen(descriptor, "r+b", buffering=0)


class Lock:
    """A kernel lock on one file, for threads and processes alike. Not re-entrant."""

    __slots__ = ("_held", "_kernel", "_mutex", "exclusive", "handle", "key", "path", "users")

    def __init__(self, path: str, handle: BinaryIO, *, exclusive: bool = True) -> None:
        self.path = path
        self.handle = handle
        self.exclusive = exclusive
        """Whether other processes are kept out too; else only the threads of this one are."""
        self.users = 1
        self._held = False
        status = os.fstat(handle.fileno())
        self.key = (status.st_dev, status.st_ino)
        self._mutex = threading.Lock()
        self._kernel = InterProcessLock(path)
        self._kernel.lockfile = handle  # pyright: ignore[reportAttributeAccessIssue]  # it is None only before

    def try_acquire(self) -> bool:
        """Take the lock if it is free now."""
        if not self._mutex.acquire(blocking=False):
            return False
        held = False
        try:
            held = self._try_kernel()
        finally:
            if not held:
                self._mutex.release()
        return held

    def acquire(self, timeout: float) -> None:
        """Take the lock.

        Raises:
            Timeout: somebody else kept it for `timeout` seconds.
        """
        if self.try_acquire():
            return
        deadline = monotonic() + timeout
        if not self._mutex.acquire(timeout=max(timeout, 0)):
            raise self._expired(timeout)
        wait = _SHORTEST
        try:
            while not self._try_kernel():
                if monotonic() >= deadline:
                    raise self._expired(timeout)
                pause(wait)
                wait = min(wait * 2, _LONGEST)
        except BaseException:
            self._mutex.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        try:
            if self._held:
                self._held = False
                self._kernel.unlock()
        finally:
            self._mutex.release()

    def close_if(self, unused: Callable[[Lock], None]) -> bool:
        """Call `unused` if no thread holds the lock, and let none take it meanwhile."""
        if not self._mutex.acquire(blocking=False):
            return False
        try:
            unused(self)
        finally:
            self._mutex.release()
        return True

    def in_place(self) -> bool:
        """Whether the path still names the file that is locked."""
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self.key

    def _try_kernel(self) -> bool:
        if self.handle.closed:
            raise ValueError("the lock file was closed")
        if not self.exclusive:
            return True
        try:
            self._kernel.trylock()
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
        self._held = True
        return True

    def _expired(self, timeout: float) -> Timeout:
        return Timeout(f"{self.path} was locked by somebody else for {timeout:g} seconds")


class Forgets(Protocol):
    """Something that a child of a fork must not go on using."""

    def forget(self) -> None:
        """Drop what belongs to the parent, without a change to it."""
        ...


@attrs.define
class _Process:
    """What this process has open."""

    guard: threading.Lock = attrs.field(factory=threading.Lock)
    locks: dict[tuple[int, int], Lock] = attrs.field(factory=dict)
    proofs: set[str] = attrs.field(factory=set)
    forgetters: weakref.WeakSet[Forgets] = attrs.field(factory=weakref.WeakSet)


PROCESS = _Process()
"""One per process: the open lock files, the writers whose proof of life is here, and who must hear of a fork."""


def after_fork() -> None:
    """Forget the parent's locks; run by the fork itself, and by whoever notices one that ran no hook."""
    forgetters = list(PROCESS.forgetters)
    for lock in PROCESS.locks.values():
        lock.handle.close()  # frees nothing: the locks are the parent's
    PROCESS.guard = threading.Lock()
    PROCESS.locks = {}
    PROCESS.proofs = set()
    for one in forgetters:
        one.forget()


os.register_at_fork(after_in_child=after_fork)


def shared_lock(path: str, *, exclusive: bool = True) -> Lock:
    """The lock of this process for a file; every call is paired with one of `drop_lock`.

    It keeps other processes out as soon as one user of it wants that.
    """
    with PROCESS.guard:
        lock = _known(path)
        if lock is None:
            fresh = Lock(path, open_handle(path), exclusive=exclusive)
            lock = PROCESS.locks.setdefault(fresh.key, fresh)
        lock.exclusive |= exclusive
        return lock


def _known(path: str) -> Lock | None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    lock = PROCESS.locks.get((status.st_dev, status.st_ino))
    if lock is not None:
        lock.users += 1
    return lock


def drop_lock(lock: Lock) -> None:
    """Give up a shared lock; the last user closes it."""
    with PROCESS.guard:
        lock.users -= 1
        if lock.users == 0:
            PROCESS.locks.pop(lock.key, None)
            lock.handle.close()
