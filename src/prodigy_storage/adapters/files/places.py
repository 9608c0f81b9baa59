"""Places: patterns of folders and file names, and how names from outside are found in them.

The store writes encoded names. Other programs use names as they are, so a place is also looked through for these:
a folder or file whose name is no encoding of ours stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import attrs

from prodigy_storage.adapters.files.names import MAX_FILE_NAME, decode, encode
from prodigy_storage.errors import InvalidName
from prodigy_storage.ports.names import Scope, check_name

if TYPE_CHECKING:
    from prodigy_storage.adapters.files.tree import Tree

NAMES: tuple[str, ...] = ("{repo}", "{job}")


@attrs.frozen(kw_only=True)
class Place:
    """Where documents of a kind, or segments of a stream, may lie.

    Args:
        folder: Parts of the path; `{repo}` and `{job}` stand for the names of the scope.
        suffixes: What may follow the id in a file name; the first one is written.
        ids: Which ids have their place here.
        every_scope: The scope does not matter here; a walk reports `()`.
        reserved: Folder names in place of a scope's name that mean something else.
        variant: Nothing new is written here; what is found here is changed here.
        dialect: Prodigy itself writes here.
        ours: Nobody else writes here, so every name is encoded.
        deep: Ids may hold slashes and then lie in folders below, where other programs left them.
        flat: Other programs read the folder's direct children alone, and go by what is in them: an id with a slash
            is written under its encoded name, and so is one that looks like an encoded name.
        project: The project of every scope here, where the path names none.
        listing: A file beside the folder that lists what is in it, rewritten after each change.
    """

    folder: tuple[str, ...]
    suffixes: tuple[str, ...] = (".json",)
    ids: re.Pattern[str] = re.compile(r"[^\0]+")
    every_scope: bool = False
    reserved: frozenset[str] = frozenset()
    variant: bool = False
    dialect: bool = False
    ours: bool = False
    deep: bool = False
    flat: bool = False
    project: str | None = None
    listing: str = ""

    @property
    def depth(self) -> int:
        """How many names a scope has here."""
        return len(set(self.folder) & set(NAMES)) + (self.project is not None)

    def holds(self, scope: Scope) -> bool:
        """Whether documents of that scope lie here."""
        return self.every_scope or (len(scope) == self.depth and self.project in (None, *scope[:1]))

    def folders(self, scope: Scope, *, plain: bool = False) -> list[str]:
        """The folders of a scope: with encoded names first, or with plain ones."""
        choices = dict(zip(NAMES, [self._spellings(name, plain=plain) for name in scope], strict=False))
        found = []
        for chosen in product(*choices.values()):
            names = dict(zip(choices, chosen, strict=True))
            found.append("/".join(names.get(part, part) for part in self.folder))
        return found

    def files(self, id: str, *, plain: bool = False) -> list[str]:
        """The file names that an id may have here: the one to write first.

        Raises:
            InvalidName: it can have none, as it would be too long.
        """
        found = [encode(id, suffix) for suffix in self.suffixes]
        if not self.ours and self._is_plain(id):
            raw = [id + suffix for suffix in self.suffixes]
            found = [*raw, *found] if plain and not (self.flat and _misleads(id)) else [*found, *raw]
        return list(dict.fromkeys(found))

    def id_of(self, file_name: str) -> str | None:
        """The id that a file name, or a path below the folder, stands for; None if it is no document of this place."""
        name = self._name_of(file_name)
        return name if name and _is_name(name) and self.ids.fullmatch(name) else None

    def is_stray(self, file_name: str) -> bool:
        """Whether a file is called like a document, and yet its name can stand for no id."""
        name = self._name_of(file_name)
        return name is not None and not _is_name(name)

    def _name_of(self, file_name: str) -> str | None:
        """What a file name says, storable or not; None if it has none of the suffixes."""
        for suffix in self.suffixes:
            if file_name.endswith(suffix):
                stem = file_name[: len(file_name) - len(suffix)]
                decoded = decode(stem) if stem else None
                return decoded if decoded is not None else "" if self.ours else stem
        return None

    def found(self, tree: Tree, prefix: Scope = ()) -> Iterator[tuple[Scope, str]]:
        """Every scope below a prefix whose folder exists, and that folder."""
        if len(prefix) > self.depth or (self.project is not None and self.project not in (prefix or (self.project,))):
            return
        start: Scope = () if self.project is None else (self.project,)
        rows: list[tuple[str, Scope, dict[str, str]]] = [("", start, {})]
        for part in self.folder:
            rows = [grown for row in rows for grown in self._grown(tree, part, row, prefix)]
        yield from ((scope, folder) for folder, scope, _ in rows if tree.exists(folder))

    def _grown(
        self, tree: Tree, part: str, row: tuple[str, Scope, dict[str, str]], prefix: Scope
    ) -> Iterator[tuple[str, Scope, dict[str, str]]]:
        folder, scope, known = row
        if part not in NAMES or part in known:
            yield _join(folder, known.get(part, part)), scope, known
            return
        for entry, name in self._named(tree, folder, scope, prefix):
            yield _join(folder, entry), (*scope, name), {**known, part: entry}

    def _named(self, tree: Tree, folder: str, scope: Scope, prefix: Scope) -> Iterator[tuple[str, str]]:
        if len(scope) < len(prefix):
            name = prefix[len(scope)]
            yield from ((spelled, name) for spelled in self._spellings(name))
            return
        for entry in tree.folders(folder, hidden=not self.ours):
            decoded = decode(entry)
            if decoded is not None and entry == encode(decoded, reserved=self.reserved):
                yield entry, decoded
            elif not self.ours and entry not in self.reserved and _is_name(entry):
                yield entry, entry

    def _spellings(self, name: str, *, plain: bool = False) -> list[str]:
        found = [encode(name, reserved=self.reserved)]
        if not self.ours and _is_plain(name) and name not in self.reserved:
            found.insert(0 if plain else 1, name)
        return list(dict.fromkeys(found))

    def _is_plain(self, id: str) -> bool:
        parts = id.split("/") if self.deep else [id]
        return all(map(_is_plain, parts)) and len(parts[-1].encode()) + len(self.suffixes[0]) <= MAX_FILE_NAME


def _join(folder: str, part: str) -> str:
    return f"{folder}/{part}" if folder else part


def _misleads(id: str) -> bool:
    """Whether an id, used as it is, would lie in a folder below, or have a name that is another id's."""
    return "/" in id or decode(id) not in {None, id}


def _is_plain(name: str) -> bool:
    """Whether a name may be a file name as it is."""
    return "/" not in name and name not in {"", ".", ".."} and len(name.encode()) <= MAX_FILE_NAME


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except InvalidName:
        return False
    return True
