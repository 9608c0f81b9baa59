"""The files in which Prodigy lists the items of a queue: derived, rewritten after each change of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from prodigy_storage.adapters.files.disk import replace
from prodigy_storage.adapters.files.times import timestamp
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Delete, Put

_SUFFIX = ".json"


def rewrite_listings(
    tree: Tree, writer: Writer, scope: Scope, changes: Iterable[tuple[int, Put | Delete, str]]
) -> None:
    """Write the listings of the folders that these changes touched.

    They are derived and nothing reads them: they are not synced, and one that cannot be written stays as it was until
    the next change.
    """
    touched = {(path, tree.layout.listing_of(one.kind.name, scope, path)) for _, one, path in changes}
    for folder, listing in {(path.rpartition("/")[0], listing) for path, listing in touched if listing}:
        if tree.exists(folder):
            path = tree.path(listing)
            temp = partial(writer.temp, os.path.dirname(path))
            with suppress(OSError):
                replace(tree.disk, temp, path, _content(tree, folder, scope), sync=False)


def _content(tree: Tree, folder: str, scope: Scope) -> bytes:
    names = sorted(entry.name for entry in tree.entries(folder, hidden=True) if entry.name.endswith(_SUFFIX))
    listing = {
        "item_count": len(names),
        "item_ids": [_stripped(name) for name in names],
        "job_id": scope[-1],
        "updated_at": timestamp(),
    }
    return json.dumps(listing, indent=2, ensure_ascii=False).encode()


def _stripped(name: str) -> str:
    while name.endswith(_SUFFIX):
        name = name[: -len(_SUFFIX)]
    return name
