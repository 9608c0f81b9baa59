r"""Frames: what makes the damage of a record detectable.

An append is one *group* of lines. Its last line carries two reserved members at its end:

    …,\t"_seq":S,"_crc":C}

The tab before them is what marks a frame: JSON allows it there, no string may hold it raw, and writers of compact
JSON never make one. So frames are found, and records that only look like one told apart, at the speed of memchr.
`_seq` is where the group begins: the number of bytes that the segment had before it, trimmed ones included. `_crc`
is the CRC-32 (zlib) of all bytes of the group from its first one to the last digit of `_seq`. Blanks before `_crc` keep
the length of a group whose first lines were cut off. An object without members gets no comma before `_seq`. So a group that was moved, cut or overwritten does not verify, one behind lost
bytes is found again, and nothing has to be counted. Readers take the two members away and so restore the bytes
that were appended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from zlib import crc32

import attrs

from prodigy_storage.ports.storage import Damage

_SEQ = b'\t"_seq":'
_MARK = b'"_crc":'
_FRAME = re.compile(rb'\t"_seq":([0-9]{1,20}), {0,10}"_crc":([0-9]{1,10})\}\n')
_FRAMED_END = re.compile(rb",?" + _FRAME.pattern)
_MEMBERS = 40
"""More bytes than `_seq` and the blanks behind it take."""
SLACK = 24
"""More bytes than a frame can grow by when its numbers do."""
_END = b"}\n"


def frame(data: bytes, offset: int, blanks: int = 0) -> bytes:
    """The bytes to write for one append of whole lines at an offset of a segment."""
    body = memoryview(data)[:-2]
    empty = data[-3:-2] in {b"{", b" ", b"\t"} and bytes(body).rstrip().endswith(b"{")
    seq = (b'\t"_seq":%d' if empty else b',\t"_seq":%d') % offset
    return b"".join((body, b'%b,%b"_crc":%d}\n' % (seq, b" " * blanks, crc32(seq, crc32(body)))))


def find_frame(buffer: bytes) -> re.Match[bytes] | None:
    """The first frame in a buffer; its groups are `_seq` and `_crc`."""
    return _FRAME.search(buffer)


def groups(buffer: bytes) -> Iterator[tuple[int, int]]:
    """Where each group of a buffer begins and ends; lines behind the last frame count as one."""
    start = 0
    for found in _FRAME.finditer(buffer):
        yield start, found.end()
        start = found.end()
    if start < len(buffer):
        yield start, len(buffer)


def shorten(group: bytes, found: re.Match[bytes], begin: int, cut: int) -> tuple[int, bytes] | None:
    """A group without its first lines, framed anew so that it ends where it did.

    Args:
        group: One whole group.
        found: Its frame, found in it.
        begin: Where it begins in the segment.
        cut: How many of its bytes are cut off, more than `SLACK`: whole lines.

    Returns:
        Where the new group begins, at most `SLACK` bytes before the first line that is left, and its bytes; None if
        the group is damaged.
    """
    if int(found[1]) != begin or crc32(memoryview(group)[: found.end(1)]) != int(found[2]):
        return None
    stop = found.start()
    stop -= group[stop - 1] == 44  # the comma
    data = group[cut:stop] + _END
    at = begin + cut
    while (blanks := begin + len(group) - at - len(frame(data, at))) < 0:
        at += blanks
    return at, frame(data, at, blanks)


def last_frame(buffer: bytes) -> int:
    """Where the last framed line ends; 0 if there is none."""
    at = buffer.rfind(_MARK)
    while at >= 0:
        begin = buffer.rfind(_SEQ, max(0, at - _MEMBERS), at)
        found = _FRAME.match(buffer, begin) if begin >= 0 else None
        if found:
            return found.end()
        at = buffer.rfind(_MARK, 0, at)
    return 0


def without_frames(lines: bytes) -> bytes:
    """Whole lines of a segment as they were appended, unverified."""
    return _FRAMED_END.sub(b"}\n", lines) if _SEQ in lines else lines


def unframe(buffer: bytes, place: str, offset: int, before: bytes = b"") -> tuple[bytes, list[Damage]]:
    """Take the frames away and verify what they cover.

    Args:
        buffer: Whole groups, and perhaps whole lines that no frame covers behind them.
        place: The file, for reports.
        offset: Where the buffer begins in the segment.
        before: The beginning of the first group, if the buffer begins inside it: verified, not delivered.

    Returns:
        The records as they were appended, without those that are surely damaged, and every damage.
    """
    view = memoryview(buffer)
    out = _Out(place, [], [])
    start = 0
    for found in _FRAME.finditer(buffer):
        begin, crc = found.groups()
        end = found.end()
        cut = found.start()
        cut -= buffer[cut - 1] == 44  # the comma
        whole = int(begin) == offset + start - len(before)
        if whole and crc32(view[start : found.end(1)], crc32(before)) == int(crc):
            out.parts.append(buffer[start:cut])
        else:
            _salvage(out, buffer, (start, cut, end), offset, found)
        start = end
        before = b""
    if start < len(buffer):
        out.loose(buffer[start:], offset + start)
    return _END.join([*out.parts, b""]), out.damage


def _salvage(out: _Out, buffer: bytes, at: tuple[int, int, int], offset: int, found: re.Match[bytes]) -> None:
    """Deliver of a damaged group what can be trusted: a later start that verifies, or else its whole objects."""
    start, cut, end = at
    begin = int(found[1]) - offset
    if start <= begin < end and crc32(memoryview(buffer)[begin : found.end(1)]) == int(found[2]):
        out.report(offset + start, "damaged bytes before a whole record")
        out.objects(buffer[start:begin])
        out.parts.append(buffer[begin:cut])
    elif crc32(memoryview(buffer)[start : found.end(1)]) == int(found[2]):
        out.report(offset + start, f"a record that belongs to offset {int(found[1])}: bytes are missing")
        out.parts.append(buffer[start:cut])
    elif buffer.count(b"\n", start, end) == 1:
        out.report(offset + start, "a record with a wrong checksum")
    else:
        out.report(offset + start, f"{buffer.count(bytes([10]), start, end)} suspect records: a wrong checksum")
        out.objects(buffer[start:cut] + _END)


@attrs.frozen
class _Out:
    """What is delivered, in blocks of lines without their last two bytes, and what is reported."""

    place: str
    parts: list[bytes]
    damage: list[Damage]

    def report(self, offset: int, reason: str) -> None:
        """Take note of damage."""
        self.damage.append(Damage(self.place, offset, reason))

    def objects(self, lines: bytes) -> None:
        """Deliver the whole objects among lines that are reported already."""
        self.parts.extend(line[:-1] for line in lines.split(b"\n")[:-1] if is_object(line))

    def loose(self, lines: bytes, offset: int) -> None:
        """Lines without a frame, of a writer that died inside an append: valid when they are whole objects."""
        for line in lines.split(b"\n")[:-1]:
            if is_object(line):
                self.parts.append(line[:-1])
            else:
                self.report(offset, "a line that is no JSON object, or a damaged frame")
            offset += len(line) + 1


def is_object(line: bytes) -> bool:
    """Whether a line is one JSON object, and no record whose frame is damaged."""
    tail = line[-2 * _MEMBERS :]
    if not line.endswith(b"}") or _SEQ in tail or _MARK in tail:
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
