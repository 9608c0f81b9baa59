"""The one place where errors of the operating system become errors of the library."""

from __future__ import annotations

import errno
from types import TracebackType

from prodigy_storage.errors import (
    Corrupt,
    DurabilityUnknown,
    InvalidName,
    ReadOnly,
    StorageError,
    StorageFull,
    Unavailable,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMLINK})
_DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EINTR, errno.EAGAIN, errno.EBUSY, errno.ENOLCK, errno.ESTALE, errno.EIO}
)


def translate(error: OSError) -> StorageError:
    """The error of ours that stands for one of the operating system."""
    place = str(error.filename or "")
    message = f"{error.strerror or error}: {place}" if place else str(error.strerror or error)
    if error.errno in FULL:
        return StorageFull(message, hint="free some space and try again; nothing acknowledged was lost")
    if error.errno in _DENIED:
        return ReadOnly(message, hint="check who owns the store and whether the file system is writable")
    if error.errno in _PASSING:
        return Unavailable(message)
    if error.errno == errno.ELOOP:
        return Corrupt(message, place=place, reason="a symbolic link below the root is not followed")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidName(message)
    return StorageError(message)


def unsynced(error: OSError) -> StorageError:
    """The error for a failed sync: what was written may or may not be on the disk."""
    return DurabilityUnknown(f"a sync failed: {error.strerror or error}", hint="read before you write again")


class _Translated:
    """Turns an `OSError` that leaves the block into an error of ours, with the cause chained."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise translate(error) from error


translated = _Translated()
"""The translation context; it has no state, so that one serves all."""
