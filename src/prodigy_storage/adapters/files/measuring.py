"""How much a store in files holds: every file below the root is counted once, as what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs

from prodigy_storage.adapters.files import layout
from prodigy_storage.adapters.files.entries import entries
from prodigy_storage.adapters.files.foreign import segment_files
from prodigy_storage.adapters.files.names import decode
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.ports.measuring import Form, Measure
from prodigy_storage.ports.names import Scope

_OF_REPOS = frozenset({"events", "dlq", "state", "worktrees", "logs", "orphaned_worktrees"})
"""Folders of the root in which each project has one of its own."""


@attrs.define
class _Tally:
    tree: Tree
    rows: dict[tuple[Scope, Form, str], tuple[int, int]] = attrs.field(factory=dict)
    seen: set[str] = attrs.field(factory=set)

    def add(self, scope: Scope, form: Form, of: str, path: str) -> None:
        """Count a file, unless it was counted as something else or is gone."""
        if path in self.seen:
            return
        try:
            size = os.lstat(self.tree.path(path)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return
        self.seen.add(path)
        count, total = self.rows.get((scope, form, of), (0, 0))
        self.rows[scope, form, of] = (count + 1, total + size)


def measure(tree: Tree, prefix: Scope) -> list[Measure]:
    """A row for each scope and kind, stream or folder."""
    tally = _known(tree, prefix)
    if len(prefix) < 2:  # what is neither belongs to a project at most
        for scope, top, path in _others(tree, prefix):
            tally.add(scope, Form.OTHER, top, path)
    return [
        Measure(scope=scope, form=form, of=of, count=count, bytes=size)
        for (scope, form, of), (count, size) in tally.rows.items()
    ]


def strangers(tree: Tree) -> list[str]:
    """Every file that is no document and no segment, relative to the root, sorted."""
    seen = _known(tree, ()).seen
    return sorted(path for path in _files(tree.root) if path not in seen)


def _known(tree: Tree, prefix: Scope) -> _Tally:
    tally = _Tally(tree)
    for kind in layout.kind_names(tree):
        for entry in entries(tree, kind, prefix, {}):
            if entry.name is not None:
                tally.add(entry.scope, Form.DOCUMENTS, kind, entry.path)
    for stream in layout.stream_names(tree):
        for scope, path in _segments(tree, stream, prefix):
            tally.add(scope, Form.RECORDS, stream, path)
    return tally


def _segments(tree: Tree, stream: str, prefix: Scope) -> Iterator[tuple[Scope, str]]:
    for place in tree.layout.stream_places(stream):
        for scope, folder in place.found(tree, prefix):
            yield from ((scope, f"{folder}/{entry.name}") for entry in segment_files(tree, stream, place, folder))


def _others(tree: Tree, prefix: Scope) -> Iterator[tuple[Scope, str, str]]:
    """Every file: its scope, the folder of the root that it lies in, its path."""
    for path in _files(tree.root):
        top, *rest = path.split("/")
        repo = decode(rest[0]) if top in _OF_REPOS and len(rest) > 1 else None
        scope = () if repo is None else (repo,)
        if scope[: len(prefix)] == prefix:
            yield scope, top if rest else ".", path


def _files(root: str) -> Iterator[str]:
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(f"{root}/{folder}") as found:
                entries_here = list(found)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        for entry in entries_here:
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{path}/")
            else:
                yield path
