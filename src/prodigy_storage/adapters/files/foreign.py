"""Segments of other programs: files of lines without a number, under names of their own.

Prodigy appends to `events-{time}.jsonl`; when it rotates, it renames that to `….jsonl.bak` and to `….{time}.jsonl.gz`,
which are plain text all the same, and begins the first name anew. Its archives are real gzip. So the first bytes tell
the form, and the first line tells which file it is, whatever its name is now.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence

import attrs

from prodigy_storage.adapters.files import layout
from prodigy_storage.adapters.files.cursors import Mark
from prodigy_storage.adapters.files.frames import is_object, unframe
from prodigy_storage.adapters.files.inflating import FINISHED, Inflated, is_gzip
from prodigy_storage.adapters.files.places import Place
from prodigy_storage.adapters.files.segments import PACKED, parse
from prodigy_storage.adapters.files.sources import CHUNK
from prodigy_storage.adapters.files.times import wall_ns
from prodigy_storage.adapters.files.tree import Tree, read_at
from prodigy_storage.errors import Rewound
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage, Part

_LINES = ".jsonl"
_ROTATING = ".jsonl.bak"
_ENDINGS = (_LINES, ".jsonl.gz", _ROTATING)
_CALM_NS = 10**9
"""A last line without an end is being written, unless nobody wrote to the file for so long."""


def segment_files(tree: Tree, stream: str, place: Place, folder: str) -> Iterator[os.DirEntry[str]]:
    """Every segment of a stream in a folder, whoever wrote it."""
    start = f"{layout.stem(stream, place)}-"
    shared = layout.is_shared(stream) and not place.ours
    for entry in tree.entries(folder, hidden=shared):
        name = entry.name
        if (
            name.endswith((*_ENDINGS, _LINES + PACKED)) if shared else name.startswith(start) and _LINES in name
        ) and not entry.is_dir(follow_symlinks=False):
            yield entry


def foreign_names(tree: Tree, stream: str, scope: Scope) -> list[str]:
    """The segments of other programs, in the order in which they were written.

    Those in the folder that we write to are given by their name, the others by their path.
    """
    written = tree.layout.segments(stream, scope)[0]
    found = []
    for place, folder in tree.layout.stream_folders(stream, scope):
        for entry in segment_files(tree, stream, place, folder):
            ours = folder == written and parse(folder, entry.name) is not None
            if entry.name.endswith(_ENDINGS) and not ours:
                found.append(entry.name if folder == written else f"{folder}/{entry.name}")
    return sorted(set(found), key=_order)


def _order(name: str) -> tuple[str, bool]:
    """What is being rotated is older than what has its name now."""
    return (name.removesuffix(".bak"), not name.endswith(_ROTATING))


def foreign_path(folder: str, name: str) -> str:
    """The path of a segment of another program, relative to the root."""
    return name if "/" in name else f"{folder}/{name}"


def is_packed(descriptor: int) -> bool:
    """Whether an open segment of another program is an archive, which no trim touches."""
    return is_gzip(read_at(descriptor, 2, 0))


def whole_lines(descriptor: int, offset: int) -> bytes:
    """About a megabyte of whole lines of a file, at least one if there is one."""
    want = CHUNK
    while True:
        buffer = read_at(descriptor, want, offset)
        end = buffer.rfind(b"\n") + 1
        if end or len(buffer) < want:
            return buffer if end == len(buffer) else buffer[:end]
        want *= 4


def first_line(descriptor: int) -> int:
    """The CRC-32 of the first line of a file, of its first 64 KB at most."""
    data = read_at(descriptor, 1 << 12, 0)
    if is_gzip(data):
        data = Inflated.start(read_at(descriptor, 1 << 16, 0))
    elif b"\n" not in data:
        data = read_at(descriptor, 1 << 16, 0)
    return zlib.crc32(data.partition(b"\n")[0])


@attrs.define(kw_only=True)
class Foreign:
    """One read of the segments of other programs.

    Args:
        tree, folder: The stream.
        names: Its segments.
        mark: The cursor; it is moved.
        verify: Whether to verify and take away frames.
        inflated: What is known of compressed files that are read piece by piece.
        take: Takes records, damage and where both come from.
    """

    tree: Tree
    folder: str
    names: Sequence[str]
    mark: Mark
    verify: bool
    inflated: Inflated
    take: Callable[[bytes, list[Damage], Part | None], int]

    def run(self, got: int) -> None:
        """Read about a megabyte, or what there is.

        Raises:
            Rewound: a file is not the one that the cursor has seen, nor is it to be found under another name.
        """
        self._find_renamed()
        for name in self.names:
            if got >= CHUNK:
                return
            descriptor = self.tree.open(foreign_path(self.folder, name))
            if descriptor is None:
                self.mark.foreign.pop(name, None)
                continue
            try:
                before = -1
                while before < got < CHUNK:  # to its end, so that the next one does not come before
                    before, got = got, self._one(name, descriptor)
            finally:
                os.close(descriptor)

    def _find_renamed(self) -> None:
        marks = self.mark.foreign
        lost = {name: marks.pop(name) for name in list(marks) if not self._is_same(name, marks[name])}
        for name, seen in lost.items():
            fresh = next((one for one in self.names if one not in marks and self._is_same(one, seen)), None)
            if fresh is not None:
                marks[fresh] = seen
            elif name in self.names and self._head(name) is not None:
                raise Rewound(f"{self.tree.path(foreign_path(self.folder, name))} is not what the cursor has seen")

    def _is_same(self, name: str, seen: tuple[int, int]) -> bool:
        return name in self.names and self._head(name, seen[0]) == seen[1]

    def _head(self, name: str, at: int = 0) -> int | None:
        """What a file begins with; None if it is gone, or shorter than what was read of it."""
        descriptor = self.tree.open(foreign_path(self.folder, name))
        if descriptor is None:
            return None
        try:
            shorter = os.fstat(descriptor).st_size < at and not is_packed(descriptor)
            return None if shorter else first_line(descriptor)
        finally:
            os.close(descriptor)

    def _one(self, name: str, descriptor: int) -> int:
        place = self.tree.path(foreign_path(self.folder, name))
        at, first = self.mark.foreign.get(name, (0, -1))
        if at == FINISHED:
            return self.take(b"", [], None)
        if is_packed(descriptor):
            data, end, damage = self.inflated.lines(place, descriptor, at)
        else:
            data, end, damage = self._plain(descriptor, at, place)
        if end > at:
            self.mark.foreign[name] = (end, first if at else first_line(descriptor))
        return self._taken(data, damage, Part(0, place, at))

    def _taken(self, data: bytes, damage: list[Damage], part: Part) -> int:
        if self.verify and b'\t"_seq":' in data:
            data, found = unframe(data, part.place, part.offset)
            damage = found + damage
        return self.take(data, damage, part)

    @staticmethod
    def _plain(descriptor: int, at: int, place: str) -> tuple[bytes, int, list[Damage]]:
        data = whole_lines(descriptor, at)
        if data:
            return data, at + len(data), []
        status = os.fstat(descriptor)
        rest = read_at(descriptor, status.st_size - at, at) if wall_ns() - status.st_mtime_ns > _CALM_NS else b""
        if not rest:
            return b"", at, []
        if is_object(rest):
            return rest + b"\n", at + len(rest), []
        torn = Damage(place, at, f"a torn tail of {len(rest)} bytes")
        return b"", at + len(rest), [torn] if rest.strip() else []
