"""Reading a stream: the next whole records behind a cursor."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from zlib import crc32

import attrs

from prodigy_storage.adapters.files.cursors import Mark
from prodigy_storage.adapters.files.segments import Listing, Segment, sealed
from prodigy_storage.adapters.files.sources import CHUNK, open_source, read_piece
from prodigy_storage.adapters.files.tree import Tree, read_at
from prodigy_storage.errors import Rewound
from prodigy_storage.ports.storage import Chunk, Damage


class Gone(Exception):  # never leaves the adapter
    """A segment was trimmed or compressed between listing and opening; list again."""


@attrs.define(kw_only=True)
class Reading:
    """One read of a stream.

    Args:
        tree: Where.
        folder: The folder of the segments.
        found: What is in it.
        dead: The numbers that nobody appends to any more, judged before reading.
        sizes: How much of our own live segments is written, by path.
        tails: What a batch that died half-way still has to write, by path.
        mark: The cursor; it is moved.
        verify: Whether to verify and take away frames.
    """

    tree: Tree
    folder: str
    found: Listing
    dead: set[int]
    sizes: Mapping[str, int]
    tails: Mapping[str, tuple[int, bytes]]
    mark: Mark
    verify: bool
    pieces: list[bytes] = attrs.field(factory=list)
    damage: list[Damage] = attrs.field(factory=list)
    got: int = 0

    def run(self) -> Chunk:
        """Read about a megabyte, or what there is."""
        for number in sorted(self.found.best):
            if number >= self.mark.low and not self._segment(self.found.best[number]):
                break
        else:
            self._foreign()
        self._settle_open()
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        return Chunk(data, self.mark.pack(), self.damage)

    def _segment(self, one: Segment) -> bool:
        """Read on in a segment; returns whether the next one may follow in the same chunk."""
        path = self.tree.path(one.path)
        source = open_source(self.tree, one, size=self.sizes.get(path), tail=self.tails.get(one.path))
        if source is None:
            raise Gone
        with source:
            offset = max(self.mark.open.get(one.number, 0), one.base)
            if offset > source.end:
                raise Rewound(f"{path} ends at {source.end}, before the cursor at {offset}")
            closed = one.number in self.dead
            if offset == source.end:
                return self._passed(one.number, offset, whole=closed)
            piece = read_piece(source, offset, place=path, closed=closed, verify=self.verify)
            self._take(piece.data, piece.damage)
            whole = closed and piece.offset >= source.end
            return self._passed(one.number, piece.offset, whole=whole) and (piece.drained or whole)

    def _passed(self, number: int, offset: int, *, whole: bool) -> bool:
        if offset:
            self.mark.open[number] = offset
        if whole and number == min(other for other in self.found.best if other >= self.mark.low):
            self.mark.low = number + 1
        return self.got < CHUNK

    def _settle_open(self) -> None:
        low = self.mark.low
        self.mark.open = {number: offset for number, offset in self.mark.open.items() if number >= low}

    def _take(self, data: bytes, damage: list[Damage]) -> None:
        if data:
            self.pieces.append(data)
            self.got += len(data)
        self.damage.extend(damage)

    def _foreign(self) -> None:
        kept = {name: place for name, place in self.mark.foreign.items() if name in self.found.foreign}
        self.mark.foreign = kept
        for name in self.found.foreign:
            if self.got >= CHUNK:
                return
            descriptor = self.tree.open(f"{self.folder}/{name}")
            if descriptor is None:
                kept.pop(name, None)
                continue
            try:
                self._foreign_one(name, descriptor)
            finally:
                os.close(descriptor)

    def _foreign_one(self, name: str, descriptor: int) -> None:
        at, first = self.mark.foreign.get(name, (0, -1))
        if at and (os.fstat(descriptor).st_size < at or first_line(descriptor) != first):
            raise Rewound(f"{self.tree.path(self.folder)}/{name} is not what the cursor has seen")
        data = whole_lines(descriptor, at)
        if data:
            self._take(data, [])
            self.mark.foreign[name] = (at + len(data), first if at else first_line(descriptor))


def whole_lines(descriptor: int, offset: int) -> bytes:
    """About a megabyte of whole lines of a file, at least one if there is one."""
    want = CHUNK
    while True:
        buffer = read_at(descriptor, want, offset)
        end = buffer.rfind(b"\n") + 1
        if end or len(buffer) < want:
            return buffer if end == len(buffer) else buffer[:end]
        want *= 4


def first_line(descriptor: int) -> int:
    """The CRC-32 of the first line of a file, of its first 64 KB at most."""
    return crc32(read_at(descriptor, 1 << 16, 0).partition(b"\n")[0])


def judge(found: Listing, mark: Mark, lives: Callable[[str], bool]) -> set[int]:
    """The segments that are sealed now, among those that the cursor has not passed."""
    return sealed(found, lives, [number for number in found.best if number >= mark.low])
