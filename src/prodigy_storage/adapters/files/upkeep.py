"""Upkeep: compressing sealed segments, and removing what dead writers left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import attrs

from prodigy_storage.adapters.files import layout, packed
from prodigy_storage.adapters.files.disk import Disk, discard, sync_data, sync_names, write_all
from prodigy_storage.adapters.files.frames import last_frame
from prodigy_storage.adapters.files.segments import PACKED, Listing, Segment, complete, sealed
from prodigy_storage.adapters.files.sources import Source, open_source
from prodigy_storage.adapters.files.times import TICK_NS, wall_ns
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.ports.names import Scope

GRACE_NS = 100 * TICK_NS
"""How old a compressed segment must be before its raw form goes, so that no listing under way misses both."""


@attrs.frozen(kw_only=True)
class Upkeep:
    """Works on a tree.

    Args:
        tree: Where.
        writer: Names the temporary files.
        lives: Whether a writer lives.
        locked: Runs a function under the lock of a scope, pending intents redone.
        late: Whether to stop.
    """

    tree: Tree
    writer: Writer
    lives: Callable[[str], bool]
    locked: Callable[[Scope, Callable[[], None]], None]
    late: Callable[[], bool]

    def run(self) -> None:
        """Do everything that there is to do, until it is late."""
        for scope, folder, stem in self._streams():
            self.tidy(scope, folder, stem)
            if self.late():
                return
        self._sweep()

    def tidy(self, scope: Scope, folder: str, stem: str) -> None:
        """Compress the sealed segments of one stream, and remove what newer files stand for, until it is late."""
        for one in self._sealed(folder, stem) if self.tree.layout.compresses(stem) else ():
            if self.late():
                return
            if not one.packed and self._size(one):
                self._compress(scope, one, stem)
        self.locked(scope, partial(self._drop_spare, folder, stem))

    def _streams(self) -> Iterator[tuple[Scope, str, str]]:
        for stream in layout.stream_names(self.tree):
            for place in self.tree.layout.stream_places(stream):
                stem = layout.stem(stream, place)
                yield from ((scope, folder, stem) for scope, folder in place.found(self.tree))

    def _sealed(self, folder: str, stem: str) -> list[Segment]:
        found = complete(self.tree, folder, stem, 1)
        return [found.best[number] for number in sorted(sealed(found, self.lives, list(found.best)))]

    def _size(self, one: Segment) -> int:
        try:
            return os.lstat(self.tree.path(one.path)).st_size
        except FileNotFoundError:
            return 0

    def _compress(self, scope: Scope, one: Segment, stem: str) -> None:
        target = self.tree.path(f"{one.path}{PACKED}")
        source = open_source(self.tree, one)
        if source is None or os.path.lexists(target):
            return
        folder = self.tree.path(one.folder)
        temp = self.writer.temp(folder)
        disk = self.tree.disk
        self.locked(scope, lambda: None)  # a pending batch may still have to write to it
        try:
            with source:
                whole = _pack(disk, temp, source)
            if whole:
                self.locked(scope, lambda: self._publish(temp, target, one, stem))
        finally:
            discard(disk, temp)

    def _publish(self, temp: str, target: str, one: Segment, stem: str) -> None:
        current = complete(self.tree, one.folder, stem, 1).best.get(one.number)
        if current == one:
            self.tree.disk.link(temp, target)
            sync_names(self.tree.disk, self.tree.path(one.folder))

    def _drop_spare(self, folder: str, stem: str) -> None:
        found = complete(self.tree, folder, stem, 1)
        for one in self._superseded(found):
            discard(self.tree.disk, self.tree.path(one.path))

    def _superseded(self, found: Listing) -> Iterator[Segment]:
        """Raw forms of old enough compressed ones, and whatever lies behind a greater base."""
        for spare in found.spare:
            best = found.best[spare.number]
            if best.base > spare.base:
                yield spare
            elif spare.packed and not best.packed and self._age(spare) > GRACE_NS:
                yield best

    def _age(self, one: Segment) -> int:
        try:
            return wall_ns() - os.lstat(self.tree.path(one.path)).st_ctime_ns
        except FileNotFoundError:
            return 0

    def _sweep(self) -> None:
        """Remove temporary files and proofs of dead writers."""
        for folder, _, files in os.walk(self.tree.root, followlinks=False):
            if self.late():
                return
            for name in files:
                owner = name.split(".")[1] if name.startswith(".") and name.endswith(".tmp") else ""
                if len(owner) == len(self.writer.id) and not self.lives(owner):
                    discard(self.tree.disk, os.path.join(folder, name))
        for entry in self.tree.entries(layout.WRITERS):
            if not self.lives(entry.name):
                discard(self.tree.disk, entry.path)


def _pack(disk: Disk, temp: str, source: Source) -> bool:
    """Compress a segment into a new file and compare; returns whether the two are equal."""
    descriptor = disk.create(temp)
    try:
        sizes = []
        offset = source.base
        while plain := _block(source, offset):
            frame = packed.compress(plain)
            write_all(disk, descriptor, frame)
            sizes.append((len(frame), len(plain)))
            offset += len(plain)
        write_all(disk, descriptor, packed.seek_table(sizes))
        sync_data(disk, descriptor)
        return _equal(descriptor, source)
    finally:
        disk.close(descriptor)


def _block(source: Source, offset: int) -> bytes:
    """The next megabyte, up to the end of a group if there is one in it."""
    plain = source.read(offset, packed.FRAME_SIZE)
    return plain[: last_frame(plain) or len(plain)] if len(plain) == packed.FRAME_SIZE else plain


def _equal(descriptor: int, source: Source) -> bool:
    for block in packed.blocks(descriptor):
        plain = packed.unpack(descriptor, block)
        if plain is None or plain != source.read(source.base + block.start, block.plain):
            return False
    return True
