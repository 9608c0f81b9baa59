"""The records of one file, read as a store: plain lines, or compressed with gzip or zstd."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import IO, cast

from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.adapters.files.frames import is_object, without_frames
from prodigy_storage.errors import InvalidValue, NotFound, ReadOnly, Rewound
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Batch,
    Capability,
    Chunk,
    Cursor,
    Damage,
    Document,
    Kind,
    Page,
    Position,
    Query,
    Receipt,
    Stream,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 1 << 20
_HEAD = 2
_OPENERS: dict[bytes, Callable[[str], object]] = {b"\x1f\x8b": gzip.open, b"\x28\xb5": zstd.open}
"""By the first bytes of a file."""
_BROKEN = (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile)


class RecordFile:
    """A `Storage` that holds one file's records in the scope `()` and takes no changes.

    The form is told by the first bytes. Records of the store's own segments come without their frames, unverified.

    Args:
        path: The file.
        keep: Which lines are given; all if None.
        growing: Whether somebody may be writing to it, so that a last line without an end is no damage.

    Raises:
        NotFound: there is no such file.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: Callable[[bytes], bool] | None = None, growing: bool = False
    ) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._keep = keep
        self._growing = growing
        if not os.path.isfile(self._path):
            raise NotFound(f"there is no file {self._path}")
        self._at = 0
        self._rest = b""
        self._told = False
        with translated:
            self._file = self._open()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """None."""
        return frozenset()

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See `Storage.records`; there is nothing that could be verified."""
        del stream, verify
        if scope:
            return Chunk(b"", Cursor(""))
        damage: list[Damage] = []
        with translated:
            self._go_to(after)
            data = b""
            while not data and (lines := self._lines(damage)):
                data = self._kept(lines)
            return Chunk(data, Cursor(f"{self._identity}@{self._at}"), damage)

    def _kept(self, data: bytes) -> bytes:
        data = without_frames(data)
        if self._keep is None:
            return data
        return b"".join(line + b"\n" for line in data.split(b"\n")[:-1] if self._keep(line))

    def _lines(self, damage: list[Damage]) -> bytes:
        """About a megabyte of whole lines."""
        buffer = self._rest
        while True:
            try:
                more = self._file.read(_CHUNK)
            except _BROKEN as error:
                more = b""
                self._tell(damage, len(buffer), f"damaged compressed data: {error}")
            buffer += more
            end = buffer.rfind(b"\n") + 1
            if end or not more:
                break
        if not more and not end and is_object(buffer):  # the last line has no end, and is whole
            self._at += len(buffer)
            self._rest = b""
            return buffer + b"\n"
        if not more and len(buffer) > end and not self._growing:
            self._tell(damage, end, f"a torn tail of {len(buffer) - end} bytes")
        self._rest = buffer[end:]
        self._at += end
        return buffer[:end]

    def _tell(self, damage: list[Damage], beyond: int, reason: str) -> None:
        if not self._told:
            self._told = True
            damage.append(Damage(self._path, self._at + beyond, reason))

    def _open(self) -> IO[bytes]:
        with open(self._path, "rb") as plain:
            status = os.fstat(plain.fileno())
            opener = _OPENERS.get(plain.read(_HEAD))
        self._identity = f"{status.st_dev}.{status.st_ino}"
        self._packed = opener is not None
        return cast("IO[bytes]", opener(self._path)) if opener else open(self._path, "rb", buffering=0)  # stays open

    def _go_to(self, after: Cursor | None) -> None:
        """Stand behind a cursor."""
        identity, at = _unpack(after)
        if (identity in {"", self._identity}) and at == self._at and not self._is_over():
            return
        self._file.close()
        self._at, self._rest = 0, b""
        self._file = self._open()
        if identity not in {"", self._identity}:
            raise Rewound(f"{self._path} is another file now")
        while self._at < at:
            piece = self._file.read(min(_CHUNK, at - self._at))
            if not piece:
                self._at = 0
                raise Rewound(f"{self._path} ends before the cursor at {at}")
            self._at += len(piece)

    def _is_over(self) -> bool:
        """Whether another file has the name now, and this one is read to its end; or this one was cut."""
        mine = os.fstat(self._file.fileno())
        if self._packed or mine.st_size > self._at + len(self._rest):
            return False
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino) or mine.st_size < self._at + len(self._rest)

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """The one scope, for every stream."""
        return [()] if isinstance(of, Stream) else []

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """No documents."""
        return {}

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """No documents."""
        return Page([])

    def commit(self, batch: Batch) -> Receipt:
        """Refuse.

        Raises:
            ReadOnly: always.
        """
        raise ReadOnly(f"{self._path} is only read")

    def close(self) -> None:
        """Close the file. May be called again."""
        self._file.close()


def _unpack(cursor: Cursor | None) -> tuple[str, int]:
    identity, _, at = (cursor or "@0").rpartition("@")
    if not at.isdecimal():
        raise InvalidValue(f"not a cursor of a file of records: {str(cursor)[:80]!r}")
    return identity, int(at)
