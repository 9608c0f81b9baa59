"""Appending: the one live segment that this process has for a stream of a scope."""

from __future__ import annotations

import threading
from collections.abc import Callable

from prodigy_storage.adapters.files.disk import Disk, discard, sync_data, sync_names, write_all
from prodigy_storage.adapters.files.segments import complete, new_name
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.errors import Closed, DurabilityUnknown


class LiveSegment:
    """An open segment of our own. `size` counts whole appends only; used under the lock of its appender."""

    def __init__(self, disk: Disk, path: str, writer: Writer) -> None:
        self.path = path
        self.writer = writer
        self.size = 0
        self.synced = 0
        self.poisoned = False
        self._sync = threading.Lock()
        self._disk = disk
        self._descriptor = disk.create(path)
        self._users = 1

    def append(self, framed: bytes) -> int:
        """Write one append with one call; returns the size up to which it has to be synced.

        Raises:
            OSError: nothing was written; it is cut back.
            DurabilityUnknown: it could not be cut back.
        """
        try:
            write_all(self._disk, self._descriptor, framed)
        except BaseException as error:
            self._cut_back(error)
            raise
        return self.grown(len(framed))

    def grown(self, count: int) -> int:
        """Take note of what was written; returns the new size."""
        self.size += count
        return self.size

    def _cut_back(self, cause: BaseException) -> None:
        try:
            self._disk.truncate(self._descriptor, self.size)
        except OSError as error:
            self.poisoned = True
            raise DurabilityUnknown(f"{self.path} could not be cut back after a failed write: {error}") from cause

    def sync_to(self, size: int) -> None:
        """Make everything up to a size durable; one sync may serve many threads.

        Raises:
            DurabilityUnknown: a sync failed; the segment takes no more records.
        """
        with self._sync:
            if self.synced >= size:
                return
            if self.poisoned:
                raise DurabilityUnknown(f"an earlier sync of {self.path} failed")
            reached = self.size
            try:
                sync_data(self._disk, self._descriptor)
            except OSError as error:
                self.poisoned = True
                raise DurabilityUnknown(f"{self.path} could not be synced: {error}") from error
            self.synced = reached

    def retain(self) -> None:
        """Keep the descriptor open while a thread syncs."""
        self._users += 1

    def release(self) -> None:
        """Close the descriptor when nobody uses it any more."""
        self._users -= 1
        if self._users == 0:
            self._disk.close(self._descriptor)


class Appender:
    """Takes the appends of this process to one stream of one scope."""

    def __init__(self, tree: Tree, folder: str, stem: str, max_size: int, on_sealed: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        self.segment: LiveSegment | None = None
        self._tree = tree
        self._folder = folder
        self._stem = stem
        self._max_size = max_size
        self._on_sealed = on_sealed
        self._closed = False

    def usable(self, writer: Writer | None) -> LiveSegment | None:
        """The live segment of a writer, if it takes one more append; call it under `lock`."""
        segment = self.segment
        if segment is None or segment.poisoned or segment.size >= self._max_size or segment.writer is not writer:
            return None
        return segment

    def renew(self, owner: Writer) -> LiveSegment:
        """Begin a new segment; call it under the lock of the scope and under `lock`."""
        if self._closed:
            raise Closed("the store was closed")
        folder = self._tree.make(self._folder)
        number = complete(self._tree, self._folder, self._stem, 1).top + 1
        path = f"{folder}/{new_name(self._stem, number, owner.id)}"
        fresh = LiveSegment(self._tree.disk, path, owner)
        try:
            sync_names(self._tree.disk, folder)
        except BaseException:
            discard(self._tree.disk, path)
            fresh.release()
            raise
        self.seal()
        self.segment = fresh
        return fresh

    def seal(self) -> None:
        """Let go of the live segment, if there is one, and tell of it."""
        if self.segment is not None:
            self.drop()
            self._on_sealed()

    def drop(self) -> None:
        """Let go of the live segment; it is sealed."""
        if self.segment is not None:
            self.segment.release()
            self.segment = None

    def close(self) -> None:
        """Seal, and take nothing more."""
        with self.lock:
            self._closed = True
            self.drop()
