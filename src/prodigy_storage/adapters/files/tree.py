"""The tree below the root: folders that are made durably, files that are read without following links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from prodigy_storage.adapters.files.disk import DIRECTORY_MODE, Disk
from prodigy_storage.adapters.files.layout import Layout
from prodigy_storage.errors import Corrupt, ReadOnly, StorageError

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_KNOWN_MAX = 100_000


class Tree:
    """Paths relative to the root of a store, with `/` between their parts, and what lies where."""

    def __init__(self, root: str, disk: Disk, layout: Layout | None = None) -> None:
        self.root = root
        self.disk = disk
        self.layout = layout or Layout(root)
        self._real: set[str] = set()
        self._made: set[str] = set()

    def path(self, relative: str) -> str:
        """The absolute path."""
        return f"{self.root}/{relative}"

    def exists(self, folder: str) -> bool:
        """Whether a folder is there.

        Raises:
            Corrupt: it, or one above it, is a symbolic link.
        """
        if folder in self._real:
            return True
        here = ""
        for part in folder.split("/"):
            here = f"{here}/{part}" if here else part
            if here not in self._real and not self._is_folder(here):
                return False
        return True

    def _is_folder(self, folder: str) -> bool:
        path = self.path(folder)
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return False
        except NotADirectoryError as error:
            raise StorageError(f"{self.root} is not a directory") from error
        if stat.S_ISLNK(mode):
            raise Corrupt(f"{path} is a symbolic link", place=path, reason="a symbolic link is not followed")
        if stat.S_ISDIR(mode):
            if len(self._real) >= _KNOWN_MAX:
                self.forget()
            self._real.add(folder)
            return True
        return False

    def make(self, folder: str) -> str:
        """Make a folder and those above it, durably; returns its absolute path."""
        if folder not in self._made:
            here = ""
            for part in folder.split("/"):
                parent, here = here, (f"{here}/{part}" if here else part)
                if here not in self._made:
                    self._make_one(parent, here)
        return self.path(folder)

    def _make_one(self, parent: str, folder: str) -> None:
        if not self.exists(folder):
            try:
                self.disk.make_folder(self.path(folder))
            except FileExistsError:
                if not self.exists(folder):
                    raise
        self.disk.sync_folder(self.path(parent) if parent else self.root)
        self._made.add(folder)

    def make_root(self) -> None:
        """Make the root if it is missing; refuse one that is not ours, before anything is written.

        Raises:
            ReadOnly: it belongs to somebody else, or it cannot be written.
            StorageError: it is no directory.
        """
        if not os.path.lexists(self.root):
            os.makedirs(os.path.dirname(self.root), DIRECTORY_MODE, exist_ok=True)
            with suppress(FileExistsError):  # another process was faster
                self.disk.make_folder(self.root)
            self.disk.sync_folder(os.path.dirname(self.root))
        status = os.stat(self.root)
        if not stat.S_ISDIR(status.st_mode):
            raise StorageError(f"{self.root} is not a directory")
        if os.geteuid() not in {0, status.st_uid}:
            raise ReadOnly(f"{self.root} belongs to another user", hint="choose a root of your own")
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise ReadOnly(f"{self.root} cannot be written by this user")

    def forget(self) -> None:
        """Look at every folder anew."""
        self._real.clear()
        self._made.clear()

    def open(self, relative: str) -> int | None:
        """Open a regular file for reading; None if it is missing."""
        if not self.exists(relative.rpartition("/")[0]):
            return None
        path = self.path(relative)
        try:
            descriptor = os.open(path, _READ)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Corrupt(f"{path} is not a regular file", place=path, reason="not a regular file")
        return descriptor

    def has(self, relative: str) -> bool:
        """Whether there is a file, or anything else, of that name."""
        return self.exists(relative.rpartition("/")[0]) and os.path.lexists(self.path(relative))

    def read(self, relative: str) -> bytes | None:
        """The whole content of a file; None if it is missing."""
        descriptor = self.open(relative)
        if descriptor is None:
            return None
        try:
            return read_all(descriptor)
        finally:
            os.close(descriptor)

    def entries(self, folder: str, *, hidden: bool = False) -> list[os.DirEntry[str]]:
        """What is in a folder, without hidden names unless they are asked for; nothing if it is missing."""
        if not self.exists(folder):
            return []
        try:
            with os.scandir(self.path(folder)) as found:
                return [entry for entry in found if hidden or not entry.name.startswith(".")]
        except FileNotFoundError:
            self._real.discard(folder)
            return []

    def folders(self, folder: str, *, hidden: bool = False) -> Iterator[str]:
        """The names of the real folders in a folder."""
        return (entry.name for entry in self.entries(folder, hidden=hidden) if entry.is_dir(follow_symlinks=False))


def read_all(descriptor: int) -> bytes:
    """The content of an open file from its start."""
    size = os.fstat(descriptor).st_size
    data = read_at(descriptor, size + 1, 0)
    while len(data) > size:
        size = len(data) * 2
        data = read_at(descriptor, size + 1, 0)
    return data


def read_at(descriptor: int, count: int, offset: int) -> bytes:
    """Up to `count` bytes at an offset; fewer only at the end of the file."""
    data = os.pread(descriptor, count, offset)
    if not data or len(data) == count:
        return data
    pieces = [data]
    got = len(data)
    while got < count and (data := os.pread(descriptor, count - got, offset + got)):
        pieces.append(data)
        got += len(data)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
