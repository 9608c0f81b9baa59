"""Archives of removed events: compressed files of lines in one folder, written once and never replaced."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

from prodigy_storage.adapters.files.disk import Disk, discard, sync_data, sync_names, write_all
from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.errors import Conflict, Corrupt
from prodigy_storage.ports.event_archives import Sealed
from prodigy_storage.ports.names import Scope

_UNSAFE = re.compile(r"[^\w.-]+")
_LABEL = 100
_BLOCK = 1 << 20
_LEVEL = 6


class ArchiveFolder:
    """Keeps removed events as `events_archive_{time}_{repo}_{job}.jsonl.gz`; implements `EventArchive`.

    Args:
        path: The folder; made when it is needed.
        disk: Where all changes go; tests bring one that records or breaks them.
    """

    def __init__(self, path: str | os.PathLike[str], *, disk: Disk | None = None) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._disk = disk or Disk()

    def draft(self, scope: Scope, now: datetime) -> ArchiveFile:
        """See `EventArchive.draft`. What a draft of this job that died has left is overwritten."""
        name = "_".join(scope) or "store"
        label = _UNSAFE.sub("-", name).strip(".")[:_LABEL]
        hidden = f".events_archive_{zlib.crc32(repr(scope).encode(errors='surrogatepass')):08x}.tmp"
        with translated:
            _make(self._disk, self._path)
            temp = f"{self._path}/{hidden}"
            discard(self._disk, temp)
            return ArchiveFile(self._disk, temp, f"{self._path}/events_archive_{now:%Y%m%d_%H%M%S}_{label}")

    def holds(self, sealed: Sealed) -> bool:
        """See `EventArchive.holds`; the file may lie in another folder."""
        try:
            return _digest(sealed.place) == sealed.digest
        except (OSError, EOFError, zlib.error):
            return False


class ArchiveFile:
    """A compressed file that is being written under a hidden name; implements `ArchiveDraft`."""

    def __init__(self, disk: Disk, temp: str, name: str) -> None:
        self._disk = disk
        self._temp = temp
        self._name = name
        self._place = ""
        self._digest = sha256()
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self._descriptor: int | None = disk.create(temp)

    def write(self, data: bytes) -> None:
        """See `ArchiveDraft.write`."""
        self._digest.update(data)
        self._append(self._packer.compress(data))

    def _append(self, packed: bytes) -> None:
        assert self._descriptor is not None  # not sealed yet
        if packed:
            with translated:
                write_all(self._disk, self._descriptor, packed)

    def seal(self) -> Sealed:
        """See `ArchiveDraft.seal`."""
        self._append(self._packer.flush())
        assert self._descriptor is not None  # not sealed yet
        with translated:
            sync_data(self._disk, self._descriptor)
            self._close()
            self._place = next(place for place in _places(self._name) if not os.path.lexists(place))
            try:
                same = _digest(self._temp) == self._digest.hexdigest()
            except (EOFError, zlib.error, gzip.BadGzipFile):
                same = False
        if not same:
            reason = "it does not come back as it was written"
            raise Corrupt(f"{self._temp}: {reason}; nothing was removed", place=self._temp, reason=reason)
        return Sealed(place=self._place, digest=self._digest.hexdigest())

    def publish(self) -> None:
        """See `ArchiveDraft.publish`."""
        with translated:
            try:
                self._disk.link(self._temp, self._place)
            except FileExistsError as error:
                raise Conflict(f"{self._place} appeared meanwhile; nothing was removed") from error
            sync_names(self._disk, os.path.dirname(self._place))

    def discard(self) -> None:
        """See `ArchiveDraft.discard`."""
        with suppress(OSError):
            self._close()
        discard(self._disk, self._temp)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._disk.close(descriptor)


def _make(disk: Disk, path: str) -> None:
    """Make a folder and those above it, durably."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    _make(disk, parent)
    with suppress(FileExistsError):
        disk.make_folder(path)
    disk.sync_folder(parent)


def _places(name: str) -> Iterator[str]:
    yield f"{name}.jsonl.gz"
    number = 2
    while True:
        yield f"{name}_{number}.jsonl.gz"
        number += 1


def _digest(path: str) -> str:
    """SHA-256 of the plain content of a compressed file."""
    found = sha256()
    with gzip.open(path, "rb") as file:
        while data := file.read(_BLOCK):
            found.update(data)
    return found.hexdigest()
