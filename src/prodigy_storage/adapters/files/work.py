"""The operations of a batch, sorted and checked before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from prodigy_storage.adapters.files.documents import is_others
from prodigy_storage.adapters.files.layout import Layout
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.errors import Conflict, InvalidName, InvalidValue, StorageError
from prodigy_storage.ports.storage import Append, Batch, Check, Delete, Expect, Put, Trim, Version


class Work:
    """The operations of a batch, sorted; each document with its path."""

    __slots__ = ("_choices", "appends", "asked", "changes", "trims")

    def __init__(self, batch: Batch, layout: Layout) -> None:
        self._choices: dict[str, tuple[Put | Delete | Check, tuple[str, ...]]] = {}
        self.asked: list[tuple[int, Put | Delete | Check, str]] = []
        self.changes: list[tuple[int, Put | Delete, str]] = []
        self.appends: list[Append] = []
        self.trims: list[Trim] = []
        for index, operation in enumerate(batch.operations):
            if isinstance(operation, Append):
                self.appends.append(operation)
            elif isinstance(operation, Trim):
                self.trims.append(operation)
            else:
                paths = layout.paths(operation.kind.name, batch.scope, operation.id)
                path = paths[0]
                if len(paths) > 1:
                    self._choices[path] = (operation, paths)
                if operation.expect is not Expect.ANY:
                    self.asked.append((index, operation, path))
                if not isinstance(operation, Check):
                    self.changes.append((index, operation, path))

    def settle(self, tree: Tree) -> None:
        """Give each document the path at which it is found now; call it under the lock of the scope.

        Raises:
            InvalidName: another document lies wherever it could be written.
        """
        if self._choices:
            there = {first: _place(tree, one, paths) for first, (one, paths) in self._choices.items()}
            self.asked = [(index, one, there.get(path, path)) for index, one, path in self.asked]
            self.changes = [(index, one, there.get(path, path)) for index, one, path in self.changes]


def _place(tree: Tree, one: Put | Delete | Check, paths: Sequence[str]) -> str:
    """Where a document lies; where it will, if it is new."""
    free: str | None = None
    for path in paths:
        if not tree.has(path):
            free = free or path
        elif not is_others(tree, path, one.kind, one.id):
            return path
    if free is None:
        raise InvalidName(f"{tree.path(paths[0])} holds another {one.kind.name} than {one.id!r}; rename it")
    return free


def check_bodies(work: Work) -> None:
    """Refuse bodies that have no index, since no walk would find them.

    Raises:
        InvalidValue: a body has none; an error of ours that the kind raises itself passes through.
    """
    for _, operation, _ in work.changes:
        if isinstance(operation, Put):
            try:
                operation.kind.index(operation.body)
            except StorageError:
                raise
            except ValueError as error:
                raise InvalidValue(f"{operation.kind.name} {operation.id!r}: {error}") from error


def conflict(index: int, operation: Put | Delete | Check, actual: Version | None) -> Conflict:
    """The error for a precondition that does not hold."""
    found = "absent" if actual is None else "another version"
    message = f"{operation.kind.name} {operation.id!r} is not as expected: {found}"
    return Conflict(message, operation=index, kind=operation.kind.name, id=operation.id, actual=actual)
