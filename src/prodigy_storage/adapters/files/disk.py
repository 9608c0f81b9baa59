"""Every change to the disk, and the primitives made of these changes.

`Disk` has one method for each kind of change, so that a test can record, replay and break them. The functions
below are the only ways in which the adapter writes a whole file.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from prodigy_storage.adapters.files.faults import FULL, unsynced
from prodigy_storage.errors import DurabilityUnknown

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class Disk:
    """The changes themselves. Modes hold whatever the umask; no symbolic link is followed."""

    def make_folder(self, path: str) -> None:
        """Make one directory; its parent exists."""
        os.mkdir(path, DIRECTORY_MODE)
        os.chmod(path, DIRECTORY_MODE)

    def create(self, path: str) -> int:
        """Create a file that must not exist; returns a descriptor that appends."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | _FLAGS, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def open(self, path: str) -> int:
        """Open an existing file for writing at given places."""
        return os.open(path, os.O_WRONLY | _FLAGS)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Append; returns how many bytes were taken, which may be fewer."""
        return os.write(descriptor, data)

    def write_at(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        """Write in place; returns how many bytes were taken, which may be fewer."""
        return os.pwrite(descriptor, data, offset)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Make the data of a file durable."""
        os.fdatasync(descriptor)

    def sync_folder(self, path: str) -> None:
        """Make the names in a directory durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name that must not exist."""
        os.link(source, target, follow_symlinks=False)

    def replace(self, source: str, target: str) -> None:
        """Rename a file over another."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """Append everything: short counts are real, a full disk takes some bytes before it refuses."""
    taken = disk.write(descriptor, data)
    while taken < len(data):
        taken += disk.write(descriptor, memoryview(data)[taken:])


def write_all_at(disk: Disk, descriptor: int, data: bytes, offset: int) -> None:
    """Write everything in place."""
    taken = 0
    while taken < len(data):
        taken += disk.write_at(descriptor, memoryview(data)[taken:], offset + taken)


def discard(disk: Disk, path: str) -> None:
    """Remove a file if it is there and can be removed."""
    try:
        disk.unlink(path)
    except OSError:
        return


def _draft(disk: Disk, temp: str, data: bytes, *, sync: bool) -> None:
    descriptor = disk.create(temp)
    try:
        write_all(disk, descriptor, data)
        if sync:
            sync_data(disk, descriptor)
    except BaseException:
        discard(disk, temp)
        raise
    finally:
        disk.close(descriptor)


def sync_data(disk: Disk, descriptor: int) -> None:
    """Sync a file.

    Raises:
        DurabilityUnknown: it failed; this descriptor must not be synced again, since its pages may be marked clean.
    """
    try:
        disk.sync(descriptor)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise unsynced(error) from error


def sync_names(disk: Disk, folder: str) -> None:
    """Sync a directory after a change that is already visible.

    Raises:
        DurabilityUnknown: it failed.
    """
    try:
        disk.sync_folder(folder)
    except OSError as error:
        raise unsynced(error) from error


def _settle(disk: Disk, temp: Callable[[], str], data: bytes, *, sync: bool) -> str:
    """Write a temporary file; after a failed sync once more, from the start, in a fresh one."""
    path = temp()
    try:
        _draft(disk, path, data, sync=sync)
    except DurabilityUnknown:
        path = temp()
        _draft(disk, path, data, sync=sync)
    return path


def replace(disk: Disk, temp: Callable[[], str], path: str, data: bytes, *, sync: bool) -> None:
    """Write a file whole or not at all, over what is there.

    Args:
        disk: Where.
        temp: Gives an unused name in the same directory.
        path: The file.
        data: Its new content.
        sync: Whether it must survive a power cut.
    """
    draft = _settle(disk, temp, data, sync=sync)
    try:
        disk.replace(draft, path)
    except BaseException:
        discard(disk, draft)
        raise
    if sync:
        sync_names(disk, os.path.dirname(path))


def publish(disk: Disk, temp: Callable[[], str], path: str, data: bytes, *, sync: bool) -> None:
    """Create a file whole, once.

    Raises:
        FileExistsError: somebody else was first.
    """
    draft = _settle(disk, temp, data, sync=sync)
    try:
        disk.link(draft, path)
    finally:
        discard(disk, draft)
    if sync:
        sync_names(disk, os.path.dirname(path))
