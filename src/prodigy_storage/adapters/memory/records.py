"""A stream of records in memory."""

from __future__ import annotations

from bisect import bisect_right

import attrs

from prodigy_storage.errors import Corrupt
from prodigy_storage.ports.storage import Stream

CHUNK_BYTES = 1 << 20
"""About the size of a chunk of records."""


@attrs.define(eq=False)
class Records:
    """One stream of one scope. Offsets count from the first byte ever appended, so that trimming moves none.

    Small appends are joined when they fill a chunk: from then on a reader gets the piece itself, not a copy.
    """

    base: int = 0
    end: int = 0
    starts: list[int] = attrs.field(factory=list)
    pieces: list[bytes] = attrs.field(factory=list)
    joined: int = 0

    def append(self, data: bytes) -> None:
        """Add whole records at the end."""
        self.starts.append(self.end)
        self.pieces.append(data)
        self.end += len(data)
        if self.end - self.starts[self.joined] >= CHUNK_BYTES:
            self.pieces[self.joined :] = [b"".join(self.pieces[self.joined :])]
            del self.starts[self.joined + 1 :]
            self.joined += 1

    def read(self, offset: int) -> tuple[bytes, int]:
        """A chunk of records from an offset, and the offset behind it."""
        offset = max(offset, self.base)
        if offset == self.end:
            return b"", offset
        first = bisect_right(self.starts, offset) - 1
        last = first + 1 if first < self.joined else None
        piece = self.pieces[first]
        skip = offset - self.starts[first]
        if len(piece) - skip > 2 * CHUNK_BYTES:
            piece = piece[skip : piece.index(b"\n", skip + CHUNK_BYTES) + 1]
        elif skip:
            piece = piece[skip:]
        data = b"".join([piece, *self.pieces[first + 1 : last]])
        return data, offset + len(data)

    def cut(self, offset: int) -> None:
        """Drop everything before an offset, which stands between two records."""
        if offset <= self.base:
            return
        first = bisect_right(self.starts, offset) - 1
        keep = self.pieces[first][offset - self.starts[first] :]
        self.pieces[: first + 1] = [keep] if keep else []
        self.starts[: first + 1] = [offset] if keep else []
        self.joined = max(0, self.joined - first - (not keep))
        self.base = offset

    def end_of_older(self, stream: Stream, before: int) -> int:
        """The offset behind the last record of the front that is older; a damaged one goes with its neighbours."""
        cut = offset = self.base
        for piece in self.pieces:
            for line in piece.split(b"\n")[:-1]:
                offset += len(line) + 1
                try:
                    if stream.at(line) >= before:
                        return cut
                except Corrupt:
                    continue
                cut = offset
        return cut
