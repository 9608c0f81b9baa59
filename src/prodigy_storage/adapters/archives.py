"""One compressed file: independent zstd frames of about a megabyte each, with checksums, as any zstd tool reads them.

Written whole or not at all; read piece by piece, so that neither needs much memory.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from prodigy_storage.errors import Conflict, Corrupt, NotFound, ReadOnly, StorageError, StorageFull

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME = 1 << 20
_BLOCK = 1 << 18
_MODE = 0o600
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
    zstd.CompressionParameter.content_size_flag: 1,
}


class CompressedFiles:
    """Writes and reads compressed files by their paths."""

    def write(self, path: str | os.PathLike[str], pieces: Iterable[bytes], *, replace: bool = False) -> int:
        """Write a file durably: it appears complete under its name, or not at all. Returns its size in bytes.

        Args:
            path: Its name; the directory must exist.
            pieces: The plain content.
            replace: Whether a file of that name may be replaced.

        Raises:
            Conflict: there is a file of that name, and `replace` is false.
            StorageFull, ReadOnly, NotFound, StorageError: it cannot be written there.
        """
        name = Path(path).absolute()
        if not replace and os.path.lexists(name):
            raise _taken(name)
        temporary = name.with_name(f".{uuid4().hex}.tmp")
        with _translated(name):
            try:
                size = _write_synced(temporary, pieces)
                _publish(temporary, name, replace=replace)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(name.parent)
        return size

    def read(self, path: str | os.PathLike[str]) -> Iterator[bytes]:
        """The plain content of a file in pieces.

        Raises:
            NotFound: there is no such file.
            Corrupt: it is no such file, or damaged; names the byte where the damaged frame begins.
        """
        name = Path(path).absolute()
        with _translated(name), name.open("rb") as file:
            yield from _frames(iter(lambda: file.read(_BLOCK), b""), str(name))


def _write_synced(path: Path, pieces: Iterable[bytes]) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(zstd.compress(block, options=_OPTIONS) for block in _blocks(pieces))
        file.flush()
        os.fsync(descriptor)
        return file.tell()


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= FRAME:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _publish(temporary: Path, name: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(name)
        return
    try:
        os.link(temporary, name)
    except FileExistsError as error:
        raise _taken(name) from error


def _taken(name: Path) -> Conflict:
    return Conflict(f"{name} exists already; it was not touched", hint="Choose another name, or replace it (--force).")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _frames(blocks: Iterator[bytes], place: str) -> Iterator[bytes]:
    """Decompress frame by frame; each one has to be whole."""
    at, rest = 0, b""
    while rest := rest or next(blocks, b""):
        frame = zstd.ZstdDecompressor()
        taken = 0
        while not frame.eof:
            data = rest or next(blocks, b"")
            if not data and frame.needs_input:
                raise _corrupt(place, at, "the file ends in the middle of a frame")
            try:
                piece = frame.decompress(data, FRAME)
            except zstd.ZstdError as error:
                raise _corrupt(place, at, f"a damaged frame, or no zstd file: {error}") from error
            taken += len(data)
            rest = b""
            if piece:
                yield piece
        rest = frame.unused_data
        at += taken - len(rest)


def _corrupt(place: str, offset: int, reason: str) -> Corrupt:
    return Corrupt(f"{place}: byte {offset}: {reason}", place=place, offset=offset, reason=reason)


@contextmanager
def _translated(name: Path) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename or name} does not exist") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFull(f"{name} cannot be written: {error.strerror}") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise ReadOnly(f"{name}: {error.strerror}") from error
        raise StorageError(f"{name}: {error.strerror}") from error
