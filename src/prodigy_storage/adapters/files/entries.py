"""Which files may be documents of a kind, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import attrs

from prodigy_storage.adapters.files.documents import Sign, sign
from prodigy_storage.adapters.files.places import Place
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.ports.names import Scope

Overlay = Mapping[str, bytes | None]
"""What counts in place of files, by path; None stands for a missing one."""


@attrs.frozen
class Entry:
    """A file that may be a document.

    Args:
        scope: Its scope.
        name: The id that its name stands for; None if it stands for none.
        path: Relative to the root.
        sign: What changes when the file does; None if that is not known.
    """

    scope: Scope
    name: str | None
    path: str
    sign: Sign | None = None


def entries(tree: Tree, kind: str, prefix: Scope, overlay: Overlay) -> Iterator[Entry]:
    """Every file of a kind below a scope."""
    for place in tree.layout.places(kind):
        for scope, folder in _folders(place, tree, prefix, overlay):
            known = set()
            for name, entry in _files(tree, folder, deep=place.deep):
                path = f"{folder}/{name}"
                known.add(path)
                id = place.id_of(name)
                if id is not None and overlay.get(path, b"") is not None:
                    yield Entry(scope, id, path, None if path in overlay else _sign(entry))
                elif id is None and place.is_stray(name):
                    yield Entry(scope, None, path)
            for path, body in overlay.items():
                parent, _, name = path.rpartition("/")
                if body is not None and parent == folder and path not in known and place.id_of(name):
                    yield Entry(scope, place.id_of(name), path)


def _files(tree: Tree, folder: str, *, deep: bool) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What is in a folder; for a deep place also in those below, by its path there."""
    for entry in tree.entries(folder, hidden=True):
        if deep and entry.is_dir(follow_symlinks=False):
            below = _files(tree, f"{folder}/{entry.name}", deep=True)
            yield from ((f"{entry.name}/{name}", each) for name, each in below)
        else:
            yield entry.name, entry


def _folders(place: Place, tree: Tree, prefix: Scope, overlay: Overlay) -> list[tuple[Scope, str]]:
    found = list(place.found(tree, prefix))
    if overlay and place.holds(prefix):
        known = {folder for _, folder in found}
        found += [(prefix, folder) for folder in place.folders(prefix) if folder not in known]
    return found


def _sign(entry: os.DirEntry[str]) -> Sign | None:
    try:
        return sign(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return None
