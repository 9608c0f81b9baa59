"""Writers and their proofs of life: a kernel lock on a file of one's own, held until the process ends."""

from __future__ import annotations

import itertools
import os
import socket
import uuid
from functools import lru_cache
from typing import BinaryIO

from fasteners import InterProcessReaderWriterLock  # type: ignore[import-untyped]  # ships no type information

from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.adapters.files.locks import PROCESS, Lock
from prodigy_storage.ports.presence import Token

_LAST_PID = 2**31 - 1
_START_TOLERANCE = 1.0


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The id of this start of the machine; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def started(pid: int) -> float | None:
    """When a process of this machine started, in seconds since 1970; None if there is none with that id."""
    import psutil  # noqa: PLC0415  # slow to load, and only leases need it

    try:
        return round(psutil.Process(pid).create_time(), 2)
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return 0.0


class Writer:
    """This process as the writer of one store. Its id is new for each store opened and after each fork."""

    def __init__(self, disk: Disk, folder: str, *, exclusive: bool = True) -> None:
        self.id = uuid.uuid4().hex
        self.path = f"{folder}/{self.id}"
        self._numbers = itertools.count(1)
        PROCESS.proofs.add(self.id)
        descriptor = disk.create(self.path)
        self._lock = Lock(self.path, os.fdopen(descriptor, "r+b", buffering=0), exclusive=exclusive)
        try:
            self._lock.acquire(5.0)
        except BaseException:
            self.close()
            raise

    def in_place(self) -> bool:
        """Whether the proof still stands; somebody may have cleaned up by hand."""
        return self._lock.in_place()

    def temp(self, folder: str) -> str:
        """An unused name for a temporary file, which tells whose it is."""
        return f"{folder}/.{self.id}.{next(self._numbers)}.tmp"

    def token(self) -> Token:
        """Who we are."""
        pid = os.getpid()
        return Token(self.id, pid, socket.gethostname(), boot_id(), started(pid) or 0.0)

    def close(self) -> None:
        """End the proof: from now on this writer counts as dead."""
        self._lock.handle.close()
        PROCESS.proofs.discard(self.id)


def lives(folder: str, writer: str, *, exclusive: bool = True) -> bool:
    """Whether a writer's proof is locked. Our own is never opened: closing it would free it.

    The probe takes a shared lock, so that two probes at once do not take each other for the writer. Without kernel
    locks (`exclusive`) there is no writer but those of this process.
    """
    if writer in PROCESS.proofs:
        return True
    if not exclusive:
        return False
    path = f"{folder}/{writer}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    return not _shared(path, os.fdopen(descriptor, "rb", buffering=0))


def _shared(path: str, handle: BinaryIO) -> bool:
    probe = InterProcessReaderWriterLock(path)
    probe.lockfile = handle  # pyright: ignore[reportAttributeAccessIssue]  # it is None only before
    if probe.acquire_read_lock(blocking=False):
        probe.release_read_lock()
        return True
    handle.close()
    return False


def process_lives(token: Token) -> bool:
    """Whether a process of this machine that is no writer of ours lives, by its id and its start."""
    try:
        if not 0 < token.pid <= _LAST_PID:  # no process: the call below means a group, or all of them
            return False
        os.kill(token.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not token.started:
        return True
    since = started(token.pid)
    return since is not None and (since == 0.0 or abs(since - token.started) <= _START_TOLERANCE)
