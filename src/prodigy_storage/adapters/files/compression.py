"""Compressed documents, as Prodigy writes them: files that say so by their suffix.

Which form it is, the first bytes tell, as far as they do: lz4 has none, and a file may be plain all the same. Versions and readers see the plain body; a changed document keeps its form.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import Any

from prodigy_storage.errors import Corrupt, TooLarge, Unsupported

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_PLAIN = 1 << 29
"""A document that is larger when it is decompressed, in bytes, is refused."""
_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LZ4 = ".lz4"
_SUFFIXES = (".gz", ".zst", _LZ4)
_LZ4_HEAD = 4


def plain(stored: bytes, path: str) -> bytes:
    """The body of a stored document.

    Args:
        stored: The content of its file.
        path: The file.

    Raises:
        Corrupt: it cannot be decompressed; the offset is that of the compressed bytes, in steps of 64 KB.
        TooLarge: it is larger than any document.
        Unsupported: it is lz4, and the package for that is not installed.
    """
    if not path.endswith(_SUFFIXES):
        return stored
    if stored.startswith(_GZIP):
        return _inflated(zlib.decompressobj(31), stored, path, "gzip")
    if stored.startswith(_ZSTD):
        return _inflated(zstd.ZstdDecompressor(), stored, path, "zstd")
    return _unblocked(stored, path) if path.endswith(_LZ4) else stored


def packed(body: bytes, path: str) -> bytes:
    """The content of the file for a body; its suffix tells the form.

    Raises:
        Unsupported: it is lz4, and the package for that is not installed.
    """
    if path.endswith(".gz"):
        return gzip.compress(body, mtime=0)
    if path.endswith(".zst"):
        return zstd.compress(body, 3)
    return _lz4(path).compress(body, store_size=True) if path.endswith(_LZ4) else body


def _inflated(decoder: Any, stored: bytes, path: str, form: str) -> bytes:
    """The first member or frame; like Prodigy, this does not look at what follows."""
    pieces: list[bytes] = []
    size = 0
    for at in range(0, len(stored), _PIECE):
        try:
            piece = decoder.decompress(stored[at : at + _PIECE], MAX_PLAIN - size + 1)
        except (zlib.error, zstd.ZstdError) as error:
            raise _damaged(path, at, f"damaged {form}: {error}") from error
        size += len(piece)
        if size > MAX_PLAIN:
            raise TooLarge(f"{path} has more than {MAX_PLAIN} bytes when it is decompressed")
        pieces.append(piece)
        if decoder.eof:
            return b"".join(pieces)
    raise _damaged(path, len(stored), f"{form} that ends too early")


def _unblocked(stored: bytes, path: str) -> bytes:
    """One LZ4 block behind its plain size, four bytes, little-endian."""
    size = int.from_bytes(stored[:_LZ4_HEAD], "little")
    if size > MAX_PLAIN:
        raise _damaged(path, 0, f"lz4 that claims {size} bytes")
    block = _lz4(path)
    try:
        body: bytes = block.decompress(stored)
    except (block.LZ4BlockError, ValueError) as error:
        raise _damaged(path, _LZ4_HEAD, f"damaged lz4: {error}") from error
    if len(body) != size:
        raise _damaged(path, _LZ4_HEAD, f"lz4 of {len(body)} bytes instead of {size}")
    return body


def _lz4(path: str) -> Any:
    try:
        from lz4 import block  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra, loaded when it is needed
    except ImportError as error:
        raise Unsupported(
            f"{path} is compressed with lz4", hint="install what reads it: pip install 'prodigy-storage[lz4]'"
        ) from error
    return block


def _damaged(path: str, offset: int, reason: str) -> Corrupt:
    return Corrupt(f"{path}: byte {offset}: {reason}", place=path, offset=offset, reason=reason)
