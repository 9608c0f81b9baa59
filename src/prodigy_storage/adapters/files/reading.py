"""Reading a stream: the next whole records behind a cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from prodigy_storage.adapters.files.cursors import Mark
from prodigy_storage.adapters.files.foreign import Foreign
from prodigy_storage.adapters.files.inflating import Inflated
from prodigy_storage.adapters.files.segments import Listing, Segment, sealed
from prodigy_storage.adapters.files.sources import CHUNK, open_source, read_piece
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.errors import Rewound
from prodigy_storage.ports.storage import Chunk, Damage, Part


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
        inflated: What is known of compressed files that are read piece by piece.
    """

    tree: Tree
    folder: str
    found: Listing
    dead: set[int]
    sizes: Mapping[str, int]
    tails: Mapping[str, tuple[int, bytes]]
    mark: Mark
    verify: bool
    inflated: Inflated
    pieces: list[bytes] = attrs.field(factory=list)
    damage: list[Damage] = attrs.field(factory=list)
    parts: list[Part] = attrs.field(factory=list)
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
        return Chunk(data, self.mark.pack(), self.damage, self.parts)

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
            whole = closed or path in self.sizes
            if offset == source.end:
                return self._passed(one.number, offset, ended=closed)
            piece = read_piece(source, offset, place=path, closed=closed, whole=whole, verify=self.verify)
            self._take(piece.data, piece.damage)
            ended = closed and piece.offset >= source.end
            return self._passed(one.number, piece.offset, ended=ended) and (piece.drained or ended)

    def _passed(self, number: int, offset: int, *, ended: bool) -> bool:
        if offset:
            self.mark.open[number] = offset
        if ended and number == min(other for other in self.found.best if other >= self.mark.low):
            self.mark.low = number + 1
        return self.got < CHUNK

    def _settle_open(self) -> None:
        low = self.mark.low
        self.mark.open = {number: offset for number, offset in self.mark.open.items() if number >= low}

    def _take(self, data: bytes, damage: list[Damage], part: Part | None = None) -> int:
        if data:
            if part is not None:
                self.parts.append(attrs.evolve(part, start=self.got))
            self.pieces.append(data)
            self.got += len(data)
        self.damage.extend(damage)
        return self.got

    def _foreign(self) -> None:
        Foreign(
            tree=self.tree,
            folder=self.folder,
            names=self.found.foreign,
            mark=self.mark,
            verify=self.verify,
            inflated=self.inflated,
            take=self._take,
        ).run(self.got)


def judge(found: Listing, mark: Mark, lives: Callable[[str], bool]) -> set[int]:
    """The segments that are sealed now, among those that the cursor has not passed."""
    return sealed(found, lives, [number for number in found.best if number >= mark.low])
