"""Trimming: taking records from the front of a stream, under the lock of its scope.

Only sealed segments are touched. The highest number stays, emptied if need be: else a number would come back, and a
follower would miss its records. What is left of a segment is published as a new file before the old one goes; a group
that is cut is framed anew, so that it ends where it ended and cursors stay true.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import attrs

from prodigy_storage.adapters.files.cursors import Mark, unpack
from prodigy_storage.adapters.files.disk import publish, sync_names
from prodigy_storage.adapters.files.foreign import first_line, foreign_names, foreign_path, is_packed
from prodigy_storage.adapters.files.frames import SLACK, find_frame, last_frame, shorten
from prodigy_storage.adapters.files.fronts import Goes, all_go, front_of, inside, is_quiet
from prodigy_storage.adapters.files.reading import judge
from prodigy_storage.adapters.files.segments import Listing, Segment, complete
from prodigy_storage.adapters.files.sources import CHUNK, Source, open_source
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.errors import StorageError
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Cursor

Limit = Callable[[Source], int]
"""Up to where a segment may go."""


@attrs.frozen(kw_only=True)
class Trimming:
    """One trim of a stream. Call both steps under the lock of the scope.

    Args:
        tree, scope, stream, folder, stem: The stream.
        writer: Names the temporary files.
        lives: Whether a writer lives.
        at: The time of a record.
    """

    tree: Tree
    scope: Scope
    stream: str
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
        found.foreign = foreign_names(self.tree, self.stream, self.scope)
        if isinstance(before, int):
            goes = partial(self._is_old, before)
            return partial(self._run, found, lambda one: self._by_time(one, goes), lambda _: goes)
        mark, places = unpack(before), inside(before)
        mark.check(store, found.top, self.tree.path(self.folder))
        return partial(self._run, found, lambda one: _by_cursor(mark, places, one.number), mark.foreign.get)

    def _run(
        self,
        found: Listing,
        limit: Callable[[Segment], Limit],
        foreign: Callable[[str], Goes | tuple[int, int] | None],
    ) -> None:
        dead = judge(found, Mark(low=0), self.lives)
        changed = False
        for number in sorted(dead):
            changed |= self._cut(found, found.best[number], limit(found.best[number]))
        for name in found.foreign:
            changed |= self._cut_foreign(name, foreign(name))
        if changed:
            sync_names(self.tree.disk, self.tree.path(self.folder))

    def _is_old(self, before: int, line: bytes) -> bool:
        try:
            return self.at(line) < before
        except (StorageError, ValueError):  # damaged: its neighbours decide
            return True

    def _by_time(self, one: Segment, goes: Goes) -> Limit:
        def limit(source: Source) -> int:
            end = source.base
            for taken in front_of(source, source.base, place=self.tree.path(one.path), goes=goes):
                end = taken.end
            return end

        return limit

    def _cut(self, found: Listing, one: Segment, limit: Limit) -> bool:
        source = open_source(self.tree, one)
        if source is None:
            return False
        with source:
            border = limit(source)
            last = one.number == found.top
            if border <= source.base and not (border == source.end and not last):
                return False
            if (border < source.end or last) and not self._publish(one, source, border):
                return False
        for each in [one, *(spare for spare in found.spare if spare.number == one.number)]:
            self.tree.disk.unlink(self.tree.path(each.path))
        return True

    def _publish(self, one: Segment, source: Source, border: int) -> bool:
        """Make the segment without what is before the border; whether that leaves anything out."""
        folder = self.tree.path(self.folder)
        base, head, rest = _regroup(source, border)
        if base <= source.base:
            return False
        data = head + source.read(rest, source.end - rest)
        publish(self.tree.disk, lambda: self.writer.temp(folder), self.tree.path(one.cut(base)), data, sync=True)
        return True

    def _cut_foreign(self, name: str, passed: Goes | tuple[int, int] | None) -> bool:
        path = foreign_path(self.folder, name)
        descriptor = self.tree.open(path) if passed else None
        if descriptor is None or passed is None:
            return False
        try:
            status = os.fstat(descriptor)
            if not is_quiet(status) or is_packed(descriptor):
                return False
            if isinstance(passed, tuple):
                gone = passed == (status.st_size, first_line(descriptor))
            else:
                gone = all_go(descriptor, status.st_size, passed)
        finally:
            os.close(descriptor)
        if gone:
            self.tree.disk.unlink(self.tree.path(path))
        return gone


def _by_cursor(mark: Mark, places: dict[int, int], number: int) -> Limit:
    def limit(source: Source) -> int:
        if number < mark.low:
            return source.end
        border = places.get(number, 0)
        if border > source.base + SLACK:  # else it was cut there before
            return min(border, source.end)
        return min(mark.open.get(number, 0), source.end)

    return limit


def _regroup(source: Source, border: int) -> tuple[int, bytes, int]:
    """What a segment begins with when it is cut at a border between two records.

    Returns:
        Where it begins, the bytes that take the place of a group which the border divides, and where the rest begins.
    """
    before = source.read(max(source.base, border - 80), min(80, border - source.base))
    found = None if last_frame(before) == len(before) else _frame_behind(source, border)
    if found is None:
        return border, b"", border
    begin, end = found
    group = source.read(begin, end - begin)
    frame = find_frame(group)
    fresh = shorten(group, frame, begin, border - begin) if frame and begin >= source.base else None
    return (*fresh, end) if fresh else (source.base, b"", source.base)


def _frame_behind(source: Source, border: int) -> tuple[int, int] | None:
    """Where the group begins and ends whose frame is the first one behind an offset; None if there is none."""
    want = CHUNK
    while True:
        buffer = source.read(border, want)
        found = find_frame(buffer)
        if found:
            return int(found[1]), border + found.end()
        if len(buffer) < want:
            return None
        want *= 4
