"""The front of a stream: which records a trim could remove now, and where a segment can be cut.

Readers see whole appends only, so their cursors stand between groups. What a trim removes may end inside a group:
such places are kept beside the cursor, for trims alone, and the rest of the group is framed anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping

import attrs

from prodigy_storage.adapters.files.cursors import Mark
from prodigy_storage.adapters.files.foreign import first_line, foreign_path, is_packed, whole_lines
from prodigy_storage.adapters.files.frames import SLACK, groups, unframe
from prodigy_storage.adapters.files.reading import Gone
from prodigy_storage.adapters.files.segments import Listing, Segment
from prodigy_storage.adapters.files.sources import CHUNK, Source, open_source, read_piece
from prodigy_storage.adapters.files.times import wall_ns
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.errors import InvalidValue
from prodigy_storage.ports.storage import Chunk, Cursor, Damage

Goes = Callable[[bytes], bool]
_QUIET_NS = 3600 * 10**9
_INSIDE = "c"


def inside(cursor: Cursor | None) -> dict[int, int]:
    """Where the front ends inside a group, by the number of the segment.

    Raises:
        InvalidValue: the text is no cursor of this backend.
    """
    try:
        found = json.loads(cursor).get(_INSIDE, {}) if cursor else {}
        return {int(number): int(offset) for number, offset in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidValue(f"not a cursor of a file store: {str(cursor)[:80]!r}") from error


def _pack(mark: Mark, places: Mapping[int, int]) -> Cursor:
    value = json.loads(mark.pack())
    if places:
        value[_INSIDE] = {str(number): offset for number, offset in sorted(places.items())}
    return Cursor(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def is_quiet(status: os.stat_result) -> bool:
    """Whether a segment of somebody else may be touched: nobody wrote to it within the last hour."""
    return wall_ns() - status.st_mtime_ns > _QUIET_NS


@attrs.frozen(kw_only=True)
class Taken:
    """Records at the front of a segment that may go.

    Args:
        data: The records.
        damage: What could not be read among them.
        end: Where they end in the segment.
        group: Where the last whole group among them ends.
    """

    data: bytes
    damage: list[Damage]
    end: int
    group: int


def front_of(source: Source, offset: int, *, place: str, goes: Goes) -> Iterator[Taken]:
    """What may go of a sealed segment from an offset on, in pieces of about a megabyte."""
    while offset < source.end:
        piece = read_piece(source, offset, place=place, closed=True, verify=False)
        parts: list[bytes] = []
        damage = piece.damage
        for start, stop in groups(piece.data):
            data, found = unframe(piece.data[start:stop], place, offset + start)
            count = _going(data, goes)
            if count < data.count(b"\n"):
                cut = 0 if found else _cut(piece.data[start:stop], count)
                parts.append(b"".join(line + b"\n" for line in data.split(b"\n")[:count]) if cut else b"")
                yield Taken(data=b"".join(parts), damage=damage, end=offset + start + cut, group=offset + start)
                return
            parts.append(data)
            damage = [*found, *damage]
        yield Taken(data=b"".join(parts), damage=damage, end=piece.offset, group=piece.offset)
        if piece.offset <= offset:
            return
        offset = piece.offset


def _going(data: bytes, goes: Goes) -> int:
    """How many of the lines may go with all before them."""
    lines = data.split(b"\n")[:-1]
    return next((index for index, line in enumerate(lines) if not goes(line)), len(lines))


def _cut(group: bytes, count: int) -> int:
    """Where the first lines of a group end; 0 if they are too short for the rest to be framed anew."""
    cut = 0
    for _ in range(count):
        cut = group.index(b"\n", cut) + 1
    return cut if cut > SLACK else 0


@attrs.define(kw_only=True)
class Front:
    """One look at the front of a stream.

    Args:
        tree, folder: The stream.
        found: Its segments.
        dead: The numbers that nobody appends to any more, judged before reading.
        tails: What a batch that died half-way still has to write, by path.
        mark, inside: The cursor of the look before; they are moved.
        goes: Whether a record may go.
    """

    tree: Tree
    folder: str
    found: Listing
    dead: set[int]
    tails: Mapping[str, tuple[int, bytes]]
    mark: Mark
    inside: dict[int, int]
    goes: Goes
    pieces: list[bytes] = attrs.field(factory=list)
    damage: list[Damage] = attrs.field(factory=list)
    got: int = 0

    def run(self) -> Chunk:
        """About a megabyte of it, or what there is."""
        for number in sorted(self.dead):
            if self.got < CHUNK and number not in self.inside:
                self._segment(self.found.best[number])
        for name in self.found.foreign:
            if self.got < CHUNK:
                self._foreign(name)
        return Chunk(b"".join(self.pieces), _pack(self.mark, self.inside), self.damage)

    def _segment(self, one: Segment) -> None:
        path = self.tree.path(one.path)
        source = open_source(self.tree, one, tail=self.tails.get(one.path))
        if source is None:
            raise Gone
        with source:
            offset = max(self.mark.open.get(one.number, 0), source.base)
            for taken in front_of(source, offset, place=path, goes=self.goes):
                self._take(taken.data, taken.damage)
                if taken.group > offset:
                    self.mark.open[one.number] = taken.group
                if taken.end > taken.group:
                    self.inside[one.number] = taken.end
                if self.got >= CHUNK:
                    return

    def _take(self, data: bytes, damage: list[Damage]) -> None:
        self.pieces.append(data)
        self.got += len(data)
        self.damage.extend(damage)

    def _foreign(self, name: str) -> None:
        descriptor = self.tree.open(foreign_path(self.folder, name))
        if descriptor is None:
            return
        try:
            status = os.fstat(descriptor)
            at, first = self.mark.foreign.get(name, (0, -1))
            ready = at < status.st_size and is_quiet(status) and not is_packed(descriptor)
            if ready and (at or all_go(descriptor, status.st_size, self.goes)):
                data = whole_lines(descriptor, at)
                self._take(data, [])
                self.mark.foreign[name] = (at + len(data), first if at else first_line(descriptor))
        finally:
            os.close(descriptor)


def all_go(descriptor: int, size: int, goes: Goes) -> bool:
    """Whether every line of a file of this size may go; it has no torn tail."""
    offset = 0
    while data := whole_lines(descriptor, offset):
        if not all(map(goes, data.split(b"\n")[:-1])):
            return False
        offset += len(data)
    return offset == size
