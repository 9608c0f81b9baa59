"""Compressed segments: independent zstd frames of about one megabyte, and a seek table behind them.

The table is the skippable frame of the zstd seekable format, so that any zstd tool reads the file. Every frame has
its content size and a checksum. A damaged table is rebuilt from the frames, a damaged frame costs only itself.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator

import attrs

from prodigy_storage.adapters.files.tree import read_all, read_at

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME_SIZE = 1 << 20
_SKIPPABLE = 0x184D2A5E
_MAGIC = 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
_ENTRY = struct.Struct("<II")
_HEAD = struct.Struct("<II")
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: 1,
    zstd.CompressionParameter.content_size_flag: 1,
}


def compress(data: bytes) -> bytes:
    """One frame."""
    return zstd.compress(data, options=_OPTIONS)


def seek_table(sizes: list[tuple[int, int]]) -> bytes:
    """The table for frames of these (compressed, plain) sizes."""
    body = b"".join(_ENTRY.pack(*pair) for pair in sizes) + _FOOTER.pack(len(sizes), 0, _MAGIC)
    return _HEAD.pack(_SKIPPABLE, len(body)) + body


@attrs.frozen
class Block:
    """A frame: where it lies in the file, and which plain bytes it stands for."""

    at: int
    packed: int
    start: int
    plain: int


def blocks(descriptor: int) -> list[Block]:
    """Every frame of an open file."""
    sizes = _from_table(descriptor)
    found, at, start = [], 0, 0
    for packed, plain in sizes if sizes is not None else _from_frames(read_all(descriptor)):
        found.append(Block(at, packed, start, plain))
        at += packed
        start += plain
    return found


def _from_table(descriptor: int) -> list[tuple[int, int]] | None:
    size = os.fstat(descriptor).st_size
    footer = read_at(descriptor, _FOOTER.size, max(0, size - _FOOTER.size))
    if len(footer) < _FOOTER.size:
        return None
    count, _, magic = _FOOTER.unpack(footer)
    length = count * _ENTRY.size + _FOOTER.size
    if magic != _MAGIC or length + _HEAD.size > size:
        return None
    table = read_at(descriptor, length + _HEAD.size, size - length - _HEAD.size)
    sizes = [_ENTRY.unpack_from(table, _HEAD.size + index * _ENTRY.size) for index in range(count)]
    whole = sum(packed for packed, _ in sizes) + len(table) == size and _HEAD.unpack_from(table)[0] == _SKIPPABLE
    return sizes if whole else None


def _from_frames(data: bytes) -> Iterator[tuple[int, int]]:
    at, view = 0, memoryview(data)
    while at < len(data):
        try:
            packed = zstd.get_frame_size(view[at:])
            plain = zstd.get_frame_info(view[at:]).decompressed_size
        except zstd.ZstdError:
            return
        if not plain:
            return
        yield packed, plain
        at += packed


def unpack(descriptor: int, block: Block) -> bytes | None:
    """The plain bytes of a frame; None if it is damaged."""
    try:
        data = zstd.decompress(read_at(descriptor, block.packed, block.at))
    except zstd.ZstdError:
        return None
    return data if len(data) == block.plain else None
