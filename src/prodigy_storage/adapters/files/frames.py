"""Frames: what makes the damage of a record detectable.

An append is one *group* of lines. Its last line carries two reserved members at its end:

    …,"_seq":S,"_crc":C}

`_seq` is the number of records in the segment up to and with this one, trimmed ones included. `_crc` is the CRC-32
(zlib) of all bytes of the group from its first byte to the last digit of `_seq`. An object without members gets no
comma before `_seq`. Readers take the two members away again and so restore the bytes that were appended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from zlib import crc32

from prodigy_storage.ports.storage import Damage

_MARK = b'"_crc":'
_FRAME = re.compile(rb',?"_seq":([0-9]{1,20}),"_crc":([0-9]{1,10})\}\n')
_MARK_AT_MOST = 40
_RESYNC_LINES = 256


def frame(data: bytes, records: int) -> tuple[bytes, int]:
    """Frame one append.

    Args:
        data: Whole lines.
        records: How many records the segment has had before.

    Returns:
        The bytes to write, and how many records the segment has then.
    """
    total = records + data.count(b"\n")
    body = data[:-2]
    empty = data[-3:-2] in {b"{", b" ", b"\t"} and body.rstrip().endswith(b"{")
    body += (b'"_seq":%d' if empty else b',"_seq":%d') % total
    return b'%b,"_crc":%d}\n' % (body, crc32(body)), total


def last_frame(buffer: bytes) -> int:
    """Where the last framed line ends; 0 if there is none."""
    at = buffer.rfind(_MARK)
    while at >= 0:
        found = _FRAME.search(buffer, max(0, at - _MARK_AT_MOST), at + _MARK_AT_MOST)
        if found:
            return found.end()
        at = buffer.rfind(_MARK, 0, at)
    return 0


def _frames(buffer: bytes) -> Iterator[re.Match[bytes]]:
    at = buffer.find(_MARK)
    while at >= 0:
        found = _FRAME.search(buffer, max(0, at - _MARK_AT_MOST), at + _MARK_AT_MOST)
        if found and found.end() > at:
            yield found
        at = buffer.find(_MARK, at + 1)


def unframe(buffer: bytes, place: str, offset: int) -> tuple[bytes, list[Damage]]:
    """Take the frames away and verify what they cover.

    Args:
        buffer: Whole groups, and perhaps whole lines that no frame covers behind them.
        place: The file, for reports.
        offset: Where the buffer begins in it.

    Returns:
        The records as they were appended, without those that are surely damaged, and every damage.
    """
    view = memoryview(buffer)
    parts: list[bytes | memoryview] = []
    damage: list[Damage] = []
    start, before = 0, -1
    for found in _frames(buffer):
        total = int(found[1])
        if crc32(view[start : found.end(1)]) == int(found[2]):
            parts += (view[start : found.start()], b"}\n")
            if before >= 0 and total != before + buffer.count(b"\n", start, found.end()):
                damage.append(Damage(place, offset + start, f"records before number {total} are missing"))
        else:
            _salvage(buffer[start : found.end()], place, offset + start, (parts, damage))
        start, before = found.end(), total
    _loose(buffer[start:], place, offset + start, (parts, damage))
    return b"".join(parts), damage


def _salvage(group: bytes, place: str, offset: int, out: tuple[list[bytes | memoryview], list[Damage]]) -> None:
    """Deliver of a damaged group what can be trusted: a later start that verifies, or else its whole objects."""
    parts, damage = out
    found = _last(group)
    begin = _resync(group, found)
    head = group[:begin]
    if begin < len(group):
        damage.append(Damage(place, offset, "a damaged record before a whole one"))
        _objects(head, parts)
        parts += (group[begin : found.start()], b"}\n")
    elif group.count(b"\n") == 1:
        damage.append(Damage(place, offset, "a record with a wrong checksum"))
    else:
        damage.append(Damage(place, offset, f"{group.count(bytes([10]))} records with a wrong checksum: suspect"))
        _objects(group[: found.start()] + b"}\n", parts)


def _last(group: bytes) -> re.Match[bytes]:
    found = _FRAME.search(group, group.rfind(_MARK) - _MARK_AT_MOST if len(group) > 2 * _MARK_AT_MOST else 0)
    assert found is not None
    return found


def _resync(group: bytes, found: re.Match[bytes]) -> int:
    """The first start behind the beginning from which the group verifies; its length if there is none."""
    view = memoryview(group)
    starts = [group.rfind(b"\0") + 1] if b"\0" in group else []
    at = group.find(b"\n") + 1
    while 0 < at < len(group) and len(starts) < _RESYNC_LINES:
        starts.append(at)
        at = group.find(b"\n", at) + 1
    wanted = int(found[2])
    return next((at for at in sorted(starts) if crc32(view[at : found.end(1)]) == wanted), len(group))


def _loose(lines: bytes, place: str, offset: int, out: tuple[list[bytes | memoryview], list[Damage]]) -> None:
    """Lines without a frame, of a writer that died inside an append: valid when they are whole objects."""
    parts, damage = out
    for line in lines.split(b"\n")[:-1]:
        if is_object(line):
            parts += (line, b"\n")
        else:
            damage.append(Damage(place, offset, "a line that is no JSON object"))
        offset += len(line) + 1


def _objects(lines: bytes, parts: list[bytes | memoryview]) -> None:
    parts.extend(line + b"\n" for line in lines.split(b"\n")[:-1] if is_object(line))


def is_object(line: bytes) -> bool:
    """Whether a line is one JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
