"""Walking: pages of documents in the order of their positions.

A walk keeps its sorted keys while the folders stay as they are, and the index of each unchanged file is kept, so
that neither a page nor a new walk parses every document again. Both are disposable.
"""

from __future__ import annotations

import bisect
import os
from collections import OrderedDict
from collections.abc import Sequence

import attrs

from prodigy_storage.adapters.files.compression import plain
from prodigy_storage.adapters.files.documents import Sign, digest, read_signed
from prodigy_storage.adapters.files.entries import Entry, Overlay, entries
from prodigy_storage.adapters.files.times import settled
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.errors import InvalidName, StorageError
from prodigy_storage.ports.names import Scope, check_name
from prodigy_storage.ports.storage import Damage, Document, Index, Kind, Page, Position, Query

_INDEX_MAX = 200_000
_WALKS_MAX = 16


class WatchedTree(Tree):
    """A tree that remembers when the folders that it showed were changed."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree.root, tree.disk, tree.layout)
        self.seen: dict[str, int] = {}

    def exists(self, folder: str) -> bool:
        """As in `Tree`, always looked at anew."""
        found = super().exists(folder)
        self.seen.setdefault(folder, changed(self, folder))
        return found

    def unchanged(self) -> bool:
        """Whether every folder is as it was."""
        return all(changed(self, folder) == when for folder, when in self.seen.items())

    def trusted(self) -> bool:
        """Whether a later change would show."""
        return all(when == 0 or settled(when) for when in self.seen.values())


def changed(tree: Tree, folder: str) -> int:
    """When a folder was changed last; 0 if it is missing."""
    try:
        return os.lstat(tree.path(folder)).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


@attrs.define
class _Walk:
    keys: list[tuple[Position, str]]
    damage: list[Damage]
    tree: WatchedTree


class Walks:
    """Gives pages."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._index: dict[tuple[str, str], tuple[Sign, Index | Damage]] = {}
        self._walks: OrderedDict[object, _Walk] = OrderedDict()

    def page(self, query: Query, after: Position | None, overlay: Overlay) -> Page:
        """The documents behind a position. Damage that the walk found is on its first page."""
        walk = self._walk(query, overlay)
        begin = 0 if after is None else bisect.bisect_right(walk.keys, after, key=lambda key: key[0])
        chosen = walk.keys[begin : begin + query.limit]
        damage = [] if after is not None else list(walk.damage)
        documents = [one for position, path in chosen if (one := self._load(query, position, path, overlay, damage))]
        more = begin + query.limit < len(walk.keys) and chosen
        return Page(documents, chosen[-1][0] if more else None, damage)

    def _walk(self, query: Query, overlay: Overlay) -> _Walk:
        key = (query.kind.name, query.scope, tuple(sorted(query.tags.items())), query.since, query.until)
        kept = self._walks.get(key)
        if kept is not None and not overlay and kept.tree.unchanged():
            return kept
        walk = self._scan(query, overlay)
        self._walks.pop(key, None)
        if not overlay and walk.tree.trusted():
            self._walks[key] = walk
            if len(self._walks) > _WALKS_MAX:
                self._walks.popitem(last=False)
        return walk

    def _scan(self, query: Query, overlay: Overlay) -> _Walk:
        walk = _Walk([], [], WatchedTree(self._tree))
        seen: dict[tuple[Scope, str], str] = {}
        for entry in entries(walk.tree, query.kind.name, query.scope, overlay):
            found = self._identified(query.kind, entry, overlay, seen)
            if isinstance(found, Damage):
                walk.damage.append(found)
            elif found is not None and matches(query, found[1]):
                walk.keys.append((Position(found[1].at, entry.scope, found[0]), entry.path))
        walk.keys.sort()
        return walk

    def _identified(
        self, kind: Kind, entry: Entry, overlay: Overlay, seen: dict[tuple[Scope, str], str]
    ) -> tuple[str, Index] | Damage | None:
        """The id and index of a file, or why it counts as no document."""
        place = self._tree.path(entry.path)
        if entry.name is None:
            return Damage(place, None, "a file name that stands for no id")
        index = self._indexed(kind, entry.path, entry.sign, overlay)
        if isinstance(index, Damage):
            return attrs.evolve(index, id=entry.name)
        if index is None:
            return None
        id = index.id if index.id is not None else entry.name
        if id != entry.name and entry.path not in _possible(self._tree, kind, entry.scope, id):
            return Damage(place, None, f"its name does not belong to what it holds, {kind.name} {id!r}: rename it")
        first = seen.setdefault((entry.scope, id), entry.path)
        if first != entry.path:
            return Damage(place, None, f"{kind.name} {id!r} is there twice; {self._tree.path(first)} counts", id)
        return id, index

    def _indexed(self, kind: Kind, path: str, signed: Sign | None, overlay: Overlay) -> Index | Damage | None:
        known = self._index.get((kind.name, path))
        if known is not None and known[0] == signed:
            return known[1]
        found = _content(self._tree, path, overlay)
        if found is None:
            return None
        if isinstance(found, Damage):
            return found
        index = index_of(kind, found[0], self._tree.path(path))
        if found[1] is not None:
            if len(self._index) >= _INDEX_MAX:
                self._index.clear()
            self._index[(kind.name, path)] = (found[1], index)
        return index

    def _load(
        self, query: Query, position: Position, path: str, overlay: Overlay, damage: list[Damage]
    ) -> Document | None:
        found = _content(self._tree, path, overlay)
        if found is None:
            return None
        place = self._tree.path(path)
        index = found if isinstance(found, Damage) else self._again(query.kind, path, found, place)
        if isinstance(found, Damage) or isinstance(index, Damage):
            damage.extend([index] if isinstance(index, Damage) else [])
            return None
        if index.at != position.at or not matches(query, index):  # changed during the walk
            return None
        return Document(position.scope, query.kind.name, position.id, found[0], digest(found[0]), place)

    def _again(self, kind: Kind, path: str, found: tuple[bytes, Sign | None], place: str) -> Index | Damage:
        known = self._index.get((kind.name, path))
        if known is not None and known[0] == found[1]:
            return known[1]
        return index_of(kind, found[0], place)


def _content(tree: Tree, path: str, overlay: Overlay) -> tuple[bytes, Sign | None] | Damage | None:
    if path in overlay:
        body = overlay[path]
        return None if body is None else (plain(body, path), None)
    try:
        return read_signed(tree, path)
    except (StorageError, OSError) as error:
        return Damage(tree.path(path), getattr(error, "offset", None), getattr(error, "reason", "") or str(error))


def index_of(kind: Kind, body: bytes, place: str) -> Index | Damage:
    """The index of a body, or what is wrong with it."""
    try:
        return kind.index(body)
    except (StorageError, ValueError, RecursionError) as error:
        return Damage(place, getattr(error, "offset", None), getattr(error, "reason", "") or str(error))


def matches(query: Query, index: Index) -> bool:
    """Whether a query asks for a document with this index."""
    return (
        (query.since is None or index.at >= query.since)
        and (query.until is None or index.at < query.until)
        and all(index.tags.get(tag) == value for tag, value in query.tags.items())
    )


def _possible(tree: Tree, kind: Kind, scope: Scope, id: str) -> Sequence[str]:
    try:
        return tree.layout.paths(kind.name, scope, check_name(id))
    except InvalidName:
        return ()
