"""Documents: one file each, whose version is the digest of its bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import attrs

from prodigy_storage.adapters.files.compression import plain
from prodigy_storage.adapters.files.faults import translate
from prodigy_storage.adapters.files.names import ESCAPE
from prodigy_storage.adapters.files.times import settled
from prodigy_storage.adapters.files.tree import Tree, read_all
from prodigy_storage.errors import Corrupt, StorageError
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Document, Kind, Version

Sign = tuple[int, int, int, int]
_KNOWN_MAX = 20_000


def digest(body: bytes) -> Version:
    """The version of a body."""
    return Version(blake2b(body, digest_size=16).hexdigest())


def sign(status: os.stat_result) -> Sign:
    """What changes when a file does, as far as a stat can tell."""
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def is_settled(status: os.stat_result) -> bool:
    """Whether a later change of the file would change its sign too."""
    return settled(max(status.st_mtime_ns, status.st_ctime_ns))


def read_signed(tree: Tree, path: str) -> tuple[bytes, Sign | None] | None:
    """A document's body, and the sign of its file if that can be trusted later; None if it is missing.

    Raises:
        Corrupt: the disk cannot read it, it is no regular file, or it cannot be decompressed.
    """
    descriptor = tree.open(path)
    if descriptor is None:
        return None
    try:
        status = os.fstat(descriptor)
        trusted = is_settled(status)
        return plain(read_all(descriptor), tree.path(path)), sign(status) if trusted else None
    except OSError as error:
        place = tree.path(path)
        raise Corrupt(f"{place} cannot be read: {error.strerror}", place=place, reason=str(translate(error))) from error
    finally:
        os.close(descriptor)


def read(tree: Tree, path: str) -> bytes | None:
    """A document's body; None if it is missing.

    Raises:
        Corrupt: it is no regular file, or it cannot be decompressed.
    """
    stored = tree.read(path)
    return None if stored is None else plain(stored, tree.path(path))


@attrs.frozen
class Wanted:
    """Which document is looked for."""

    scope: Scope
    kind: Kind
    id: str


def find(tree: Tree, wanted: Wanted, paths: Sequence[str], overlay: Mapping[str, bytes | None]) -> Document | None:
    """The document at the first of some paths that has it; None if none has.

    Args:
        tree: Where.
        wanted: What is looked for.
        paths: Where it may lie.
        overlay: What counts in place of the files, by path; None stands for a missing one.
    """
    for path in paths:
        place = tree.path(path)
        if path in overlay:
            stored = overlay[path]
            body = None if stored is None else plain(stored, place)
        else:
            body = read(tree, path)
        if body is not None and not (ESCAPE in path and _is_other(wanted.kind, wanted.id, body)):
            return Document(wanted.scope, wanted.kind.name, wanted.id, body, digest(body), place)
    return None


def is_others(tree: Tree, path: str, kind: Kind, id: str) -> bool:
    """Whether another document than that of the id lies at one of its paths."""
    if ESCAPE not in path:
        return False
    try:
        body = read(tree, path)
    except Corrupt:
        return False
    return body is not None and _is_other(kind, id, body)


def _is_other(kind: Kind, id: str, body: bytes) -> bool:
    """Whether a document names itself otherwise: other programs may use a name as it is that looks encoded."""
    try:
        return kind.index(body).id not in (None, id)
    except (StorageError, ValueError):
        return False


class Versions:
    """The current versions of documents; unchanged files are not read again."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, tuple[str, Sign, Version]] = {}

    def current(self, path: str) -> Version | None:
        """The version of a document now; None if it is missing."""
        known = self._known.get(path)
        if known is not None:
            try:
                status = os.lstat(known[0])
            except FileNotFoundError:
                return None
            ours = known[1]
            if (
                status.st_ino == ours[0]
                and status.st_mtime_ns == ours[1]
                and status.st_ctime_ns == ours[2]
                and status.st_size == ours[3]
            ):
                return known[2]
        return self._read(path)

    def _read(self, path: str) -> Version | None:
        found = read_signed(self._tree, path)
        if found is None:
            return None
        version = digest(found[0])
        if found[1] is not None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[path] = (self._tree.path(path), found[1], version)
        return version
