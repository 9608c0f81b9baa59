"""What a reader sees of one segment: plain bytes at logical offsets, whatever form the file has."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from prodigy_storage.adapters.files import packed
from prodigy_storage.adapters.files.frames import find_frame, last_frame, unframe
from prodigy_storage.adapters.files.segments import Segment
from prodigy_storage.adapters.files.tree import Tree, read_at
from prodigy_storage.ports.storage import Damage

CHUNK = 1 << 20
_SCAN = 1 << 22
"""Bytes that a reader takes at once who does not verify, in a segment of plain lines."""
_PROBE = 1 << 12


class Source:
    """An open segment. Offsets are logical: bytes that were trimmed count.

    Args:
        descriptor: The open file.
        base: How many bytes were cut off its front.
        size: Its plain size, in bytes; what is behind does not exist for this reader.
        tail: Bytes of a batch that died half-way, which count as written at this offset.
    """

    def __init__(self, descriptor: int, base: int, size: int | None, tail: tuple[int, bytes] | None) -> None:
        self.descriptor = descriptor
        self.base = base
        whole = base + (os.fstat(descriptor).st_size if size is None else size)
        self._tail = tail
        self.end = max(whole, tail[0] + len(tail[1])) if tail else whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes from an offset; fewer than `count` only at the end."""
        count = min(count, self.end - offset)
        if count <= 0:
            return b""
        if self._tail is None or offset + count <= self._tail[0]:
            return read_at(self.descriptor, count, offset - self.base)
        at, data = self._tail
        before = self.read_plain(offset, max(0, at - offset)).ljust(max(0, at - offset), b"\0")
        return (before + data[max(0, offset - at) :])[:count]

    def read_plain(self, offset: int, count: int) -> bytes:
        """Bytes that are in the file."""
        return read_at(self.descriptor, count, offset - self.base) if count else b""

    def chunk(self, offset: int) -> int:
        """How many bytes to read at once from an offset."""
        del offset
        return CHUNK

    def skip(self, offset: int) -> int | None:
        """Where reading can go on behind damage of the file's form at an offset; None if there is none."""
        del offset
        return None


class PackedSource(Source):
    """An open compressed segment. A damaged frame reads as nothing; `skip` passes it."""

    def __init__(self, descriptor: int, base: int) -> None:
        self._blocks = packed.blocks(descriptor)
        self._cached: tuple[int, bytes] = (-1, b"")
        super().__init__(descriptor, base, sum(block.plain for block in self._blocks), None)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes from an offset; fewer than `count` at the end and before damage."""
        pieces: list[bytes] = []
        for block in self._blocks:
            start = self.base + block.start
            if start + block.plain <= offset or count <= 0:
                continue
            data = self._plain(block)
            if data is None:
                break
            piece = data[offset - start : offset - start + count]
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunk(self, offset: int) -> int:
        """The rest of the frame at an offset, so that no frame is decompressed twice."""
        ends = (self.base + block.start + block.plain for block in self._blocks)
        return next((end - offset for end in ends if end > offset), CHUNK)

    def skip(self, offset: int) -> int | None:
        """Where the damaged frame at an offset ends."""
        for block in self._blocks:
            start = self.base + block.start
            if start <= offset < start + block.plain and self._plain(block) is None:
                return start + block.plain
        return None

    def _plain(self, block: packed.Block) -> bytes | None:
        if self._cached[0] != block.at:
            data = packed.unpack(self.descriptor, block)
            if data is None:
                return None
            self._cached = (block.at, data)
        return self._cached[1]


def open_source(
    tree: Tree, segment: Segment, *, size: int | None = None, tail: tuple[int, bytes] | None = None
) -> Source | None:
    """Open a segment; None if its file is gone."""
    descriptor = tree.open(segment.path)
    if descriptor is None:
        return None
    try:
        if segment.packed:
            return PackedSource(descriptor, segment.base)
        return Source(descriptor, segment.base, size, tail)
    except BaseException:
        os.close(descriptor)
        raise


class Piece:
    """What was read of a segment: records, where to go on, whether its end was reached, and damage."""

    __slots__ = ("damage", "data", "drained", "offset")

    def __init__(self, data: bytes, offset: int, *, drained: bool, damage: list[Damage]) -> None:
        self.data = data
        self.offset = offset
        self.drained = drained
        self.damage = damage


def read_piece(source: Source, offset: int, *, place: str, closed: bool, verify: bool, whole: bool = False) -> Piece:
    """The next whole groups of a segment; of a sealed one also the whole lines behind the last group.

    Without verification, and where no append can be under way, it may stop inside a group, at the end of a line.

    Args:
        source: The segment.
        offset: Where to begin.
        place: The file, for reports.
        closed: Whether nobody appends to it any more.
        whole: Whether every append that the source shows is whole.
        verify: Whether to verify and take away the frames.
    """
    want = source.chunk(offset)
    if whole and not verify:
        want = _up_to_line(source, offset, _SCAN if want == CHUNK else want)
    while True:
        buffer = source.read(offset, want)
        end = last_frame(buffer) if verify or not whole else buffer.rfind(b"\n") + 1
        drained = len(buffer) < want
        if end or drained:
            break
        want *= 4
    if drained and (beyond := source.skip(offset + len(buffer))) is not None:
        return _broken(source, buffer, offset, beyond, place=place, verify=verify)
    rest = 0
    if closed and drained:
        end = buffer.rfind(b"\n") + 1
        rest = len(buffer) - end
    data, damage = _records(source, buffer, end, place, offset, verify=verify)
    if rest:
        damage.append(Damage(place, offset + end, f"a torn tail of {rest} bytes"))
    return Piece(data, offset + end + rest, drained=drained, damage=damage)


def _up_to_line(source: Source, offset: int, want: int) -> int:
    """How many of the bytes end with a whole line, if that is soon seen: what is cut off later costs a copy."""
    tail = source.read(offset + want - _PROBE, _PROBE)
    end = tail.rfind(b"\n") + 1
    return want - _PROBE + end if end and len(tail) == _PROBE else want


def _records(
    source: Source, buffer: bytes, end: int, place: str, offset: int, *, verify: bool
) -> tuple[bytes, list[Damage]]:
    data = buffer if end == len(buffer) else buffer[:end]
    return unframe(data, place, offset, _before(source, data, offset)) if verify else (data, [])


def _before(source: Source, data: bytes, offset: int) -> bytes:
    """The beginning of the group in whose middle `offset` lies: a reader that did not verify stopped there."""
    found = find_frame(data)
    begin = int(found[1]) if found else offset
    return source.read(begin, offset - begin) if source.base <= begin < offset else b""


def _broken(source: Source, buffer: bytes, offset: int, beyond: int, *, place: str, verify: bool) -> Piece:
    end = buffer.rfind(b"\n") + 1
    data, damage = _records(source, buffer, end, place, offset, verify=verify)
    damage.append(Damage(place, offset + end, "a damaged compressed frame"))
    return Piece(data, beyond, drained=False, damage=damage)
