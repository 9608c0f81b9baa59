"""A memory store that is loaded from a file when it is opened, and saved to it when it is closed."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prodigy_storage.adapters.memory.snapshot import Content, pack, unpack
from prodigy_storage.adapters.memory.storage import MemoryStorage
from prodigy_storage.errors import Corrupt, Locked, ReadOnly, StorageError, StorageFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class PersistedMemoryStorage(MemoryStorage):
    """Memory that outlives its process, if that ends in order.

    It does not declare DURABLE: what was written since the last `save` dies with a process that is killed. One process at a time may have the file; a child of a fork never saves.

    Args:
        path: The file; it may be missing, and is made with the first `save`.
        max_bytes: As for `MemoryStorage`.

    Raises:
        Corrupt: the file is damaged, or something else.
        Locked: another store has it open.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int | None = None) -> None:
        super().__init__(max_bytes=max_bytes)
        self._path = os.path.abspath(os.fspath(path))  # noqa: PTH100  # links stay as they are named
        self._pid = os.getpid()
        with _translated(self._path):
            self._guard = _guarded(self._path)
            try:
                self._load()
            except BaseException:
                os.close(self._guard)
                raise

    def _load(self) -> None:
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123  # one call of the system
                content = unpack(file.read())
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{self._path}: {error}", place=self._path, reason=str(error)) from error
        self._id, self._last_version = content.store, content.last_version
        self._kinds, self._streams, self._used = content.kinds, content.streams, content.size

    def save(self) -> None:
        """Write everything to the file, whole or not at all, and durably.

        Raises:
            StorageFull, ReadOnly: it could not be written; the former file is as it was.
        """
        with self._lock:
            self._check_open()
            content = pack(Content(self._id, self._last_version, self._kinds, self._streams))
        with _translated(self._path):
            _replace(self._path, content)

    def close(self) -> None:
        """Save, and forget everything. If saving fails, the store stays open."""
        if self._closed:
            return
        if os.getpid() == self._pid:
            self.save()
        super().close()
        os.close(self._guard)


def _guarded(path: str) -> int:
    """A descriptor that holds the lock beside a file until it is closed."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)  # noqa: PTH103, PTH120  # one call of the system
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Locked(f"{path} is open in another store", hint="Close it there first.", name=path) from error
    return descriptor


def _replace(path: str, content: bytes) -> None:
    temp = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temp, path)  # noqa: PTH105  # one call of the system
    except BaseException:
        with suppress(OSError):
            os.unlink(temp)  # noqa: PTH108  # likewise
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120  # likewise
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        text = f"{path}: {error.strerror}"
        if error.errno in _FULL:
            raise StorageFull(text) from error
        if error.errno in _FORBIDDEN:
            raise ReadOnly(text) from error
        raise StorageError(text) from error
