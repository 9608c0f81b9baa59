"""Walks over the documents of a kind, whatever they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from prodigy_storage.errors import Corrupt
from prodigy_storage.ports.storage import Damage, Document, Page, Position, Query, Storage

T = TypeVar("T")


def walk(storage: Storage, query: Query) -> Iterator[Page]:
    """Every page of a query."""
    after: Position | None = None
    while True:
        page = storage.documents(query, after)
        yield page
        if page.next is None:
            return
        after = page.next


def gather(storage: Storage, query: Query, load: Callable[[Document], T]) -> tuple[list[T], list[Damage]]:
    """What `load` makes of every document of a query, and what cannot be read."""
    loaded: list[T] = []
    damage: list[Damage] = []
    for page in walk(storage, query):
        damage.extend(page.damage)
        for document in page.documents:
            try:
                loaded.append(load(document))
            except Corrupt as error:
                damage.append(Damage(document.place, error.offset, error.reason, document.id))
    return loaded, damage
