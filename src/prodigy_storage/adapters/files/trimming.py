"""Trimming: taking records from the front of a stream, under the lock of its scope.

Only sealed segments are touched. The highest number stays, emptied if need be: else a number would come back, and a
follower would miss its records. What is left of a segment is published as a new file before the old one goes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import attrs

from prodigy_storage.adapters.files.cursors import Mark, unpack
from prodigy_storage.adapters.files.disk import publish, sync_names
from prodigy_storage.adapters.files.frames import last_frame
from prodigy_storage.adapters.files.reading import first_line, judge, whole_lines
from prodigy_storage.adapters.files.segments import Listing, Segment, complete
from prodigy_storage.adapters.files.sources import Source, open_source
from prodigy_storage.adapters.files.times import wall_ns
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.errors import StorageError
from prodigy_storage.ports.storage import Cursor

_QUIET_NS = 3600 * 10**9
"""A segment of somebody else that was written to within the last hour is not touched."""


@attrs.frozen(kw_only=True)
class Trimming:
    """One trim of a stream. Call both steps under the lock of the scope.

    Args:
        tree, folder, stem: The stream.
        writer: Names the temporary files.
        lives: Whether a writer lives.
        at: The time of a record.
    """

    tree: Tree
    folder: str
    stem: str
    writer: Writer
    lives: Callable[[str], bool]
    at: Callable[[bytes], int]

    def prepare(self, before: Cursor | int, store: str) -> Callable[[], None]:
        """Judge a trim before anything of its batch happens; returns what carries it out.

        Raises:
            InvalidValue: the cursor is none of this backend.
            Rewound: the stream does not hold what the cursor has passed.
        """
        found = complete(self.tree, self.folder, self.stem, 1)
        if isinstance(before, int):
            return partial(self._run, found, before, None)
        mark = unpack(before)
        mark.check(store, found.top, self.tree.path(self.folder))
        return partial(self._run, found, before, mark)

    def _run(self, found: Listing, before: Cursor | int, mark: Mark | None) -> None:
        dead = judge(found, Mark(low=0), self.lives)
        changed = False
        for number in sorted(dead):
            limit = self._by_time(before) if isinstance(before, int) else self._by_cursor(mark or Mark(), number)
            changed |= self._cut(found, found.best[number], limit)
        for name in found.foreign:
            changed |= self._cut_foreign(name, before, mark)
        if changed:
            sync_names(self.tree.disk, self.tree.path(self.folder))

    @staticmethod
    def _by_cursor(mark: Mark, number: int) -> Callable[[Source], int]:
        if number < mark.low:
            return lambda source: source.end
        return lambda source: min(mark.open.get(number, 0), source.end)

    def _by_time(self, before: int) -> Callable[[Source], int]:
        return lambda source: self._old(source, before)

    def _old(self, source: Source, before: int) -> int:
        """Where the records older than a time end, at the border of a group."""
        offset, border = source.base, source.base
        while offset < source.end:
            buffer = source.read(offset, source.chunk(offset))
            end = buffer.rfind(b"\n") + 1
            if not end:
                return source.end if offset + len(buffer) >= source.end and border == offset else border
            start = 0
            while start < end:
                stop = buffer.index(b"\n", start) + 1
                if self._young(buffer[start:stop], before):
                    return border
                start = stop
                if last_frame(buffer[max(0, stop - 80) : stop]) == min(80, stop):
                    border = offset + stop
            offset += end
        return source.end

    def _young(self, line: bytes, before: int) -> bool:
        try:
            return self.at(line) >= before
        except (StorageError, ValueError):  # damaged: its neighbours decide
            return False

    def _cut(self, found: Listing, one: Segment, limit: Callable[[Source], int]) -> bool:
        source = open_source(self.tree, one)
        if source is None:
            return False
        with source:
            border = limit(source)
            last = one.number == found.top
            if border <= source.base and not (border == source.end and not last):
                return False
            if border < source.end or last:
                self._publish(one, source, border)
        for each in [one, *(spare for spare in found.spare if spare.number == one.number)]:
            self.tree.disk.unlink(self.tree.path(each.path))
        return True

    def _publish(self, one: Segment, source: Source, border: int) -> None:
        folder = self.tree.path(self.folder)
        rest = source.read(border, source.end - border)
        publish(self.tree.disk, lambda: self.writer.temp(folder), self.tree.path(one.cut(border)), rest, sync=True)

    def _cut_foreign(self, name: str, before: Cursor | int, mark: Mark | None) -> bool:
        path = f"{self.folder}/{name}"
        descriptor = self.tree.open(path)
        if descriptor is None:
            return False
        try:
            status = os.fstat(descriptor)
            quiet = wall_ns() - status.st_mtime_ns > _QUIET_NS
            if not quiet or not self._passed(
                descriptor, status.st_size, before, mark.foreign.get(name) if mark else None
            ):
                return False
        finally:
            os.close(descriptor)
        self.tree.disk.unlink(self.tree.path(path))
        return True

    def _passed(self, descriptor: int, size: int, before: Cursor | int, seen: tuple[int, int] | None) -> bool:
        if not isinstance(before, int):
            return seen == (size, first_line(descriptor))
        offset = 0
        while data := whole_lines(descriptor, offset):
            if any(self._young(line + b"\n", before) for line in data.split(b"\n")[:-1]):
                return False
            offset += len(data)
        return offset == size
