"""Documents in memory, kept in the order of a walk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Document, Index, Position, Query


@attrs.define(eq=False)
class Documents:
    """The documents of one kind, and their keys in the order of a walk."""

    entries: dict[tuple[Scope, str], tuple[Document, Index]] = attrs.field(factory=dict)
    order: list[tuple[int, Scope, str]] = attrs.field(factory=list)

    def put(self, document: Document, index: Index) -> None:
        """Keep a document, in place of the one with its id."""
        key = (document.scope, document.id)
        self.remove(key)
        self.entries[key] = (document, index)
        insort(self.order, (index.at, *key))

    def remove(self, key: tuple[Scope, str]) -> None:
        """Drop a document, if it is there."""
        entry = self.entries.pop(key, None)
        if entry:
            del self.order[bisect_left(self.order, (entry[1].at, *key))]

    def matching(self, query: Query, after: Position | None) -> Iterator[tuple[tuple[int, Scope, str], Document]]:
        """What a query finds behind a position, with its keys."""
        start = 0 if query.since is None else bisect_left(self.order, (query.since, (), ""))
        if after is not None:
            start = max(start, bisect_right(self.order, (after.at, after.scope, after.id)))
        depth, tags = len(query.scope), query.tags.items()
        for key in islice(self.order, start, None):
            if query.until is not None and key[0] >= query.until:
                return
            if key[1][:depth] == query.scope:
                document, index = self.entries[key[1:]]
                if tags <= index.tags.items():
                    yield key, document
