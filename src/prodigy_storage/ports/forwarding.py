"""The base of every storage that stands over another one: hands every call on unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from prodigy_storage.errors import Unsupported
from prodigy_storage.ports.measuring import Measure, Measuring
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Presence, Token
from prodigy_storage.ports.pruning import Pruning
from prodigy_storage.ports.storage import (
    Batch,
    Capability,
    Chunk,
    Cursor,
    Document,
    Kind,
    Page,
    Position,
    Query,
    Receipt,
    Storage,
    Stream,
)
from prodigy_storage.ports.trying import Trying


class Forwarding:
    """A `Storage` (and a `Presence`, if the inner one declares it) that does what the inner one does.

    Args:
        storage: The inner storage; closing the wrapper closes it.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def inner(self) -> Storage:
        """The storage that is wrapped."""
        return self._storage

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the inner storage declares."""
        return self._storage.capabilities

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`."""
        return self._storage.commit(batch)

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See `Storage.fetch`."""
        return self._storage.fetch(scope, kind, ids, fresh=fresh)

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """See `Storage.documents`."""
        return self._storage.documents(query, after)

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See `Storage.records`."""
        return self._storage.records(scope, stream, after, verify=verify)

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """See `Storage.scopes`."""
        return self._storage.scopes(of)

    def close(self) -> None:
        """Close the inner storage."""
        self._storage.close()

    def me(self) -> Token:
        """See `Presence.me`.

        Raises:
            Unsupported: the inner storage does not declare `Capability.PRESENCE`.
        """
        return self._presence().me()

    def alive(self, token: Token) -> bool | None:
        """See `Presence.alive`.

        Raises:
            Unsupported: the inner storage does not declare `Capability.PRESENCE`.
        """
        return self._presence().alive(token)

    def measure(self, scope: Scope = ()) -> Sequence[Measure]:
        """See `Measuring.measure`.

        Raises:
            Unsupported: the inner storage does not declare `Capability.MEASURING`.
        """
        if Capability.MEASURING not in self.capabilities:
            raise Unsupported("this storage does not say how much it holds")
        return cast("Measuring", self._storage).measure(scope)

    def front(self, scope: Scope, stream: Stream, goes: Callable[[bytes], bool], after: Cursor | None = None) -> Chunk:
        """See `Pruning.front`.

        Raises:
            Unsupported: the inner storage does not declare `Capability.PRUNING`.
        """
        if Capability.PRUNING not in self.capabilities:
            raise Unsupported("this storage does not say what a trim would remove")
        return cast("Pruning", self._storage).front(scope, stream, goes, after)

    def trials(self) -> Mapping[str, Callable[[], None]]:
        """See `Trying.trials`.

        Raises:
            Unsupported: the inner storage does not declare `Capability.TRYING`.
        """
        if Capability.TRYING not in self.capabilities:
            raise Unsupported("this storage has no trials of its own")
        return cast("Trying", self._storage).trials()

    def _presence(self) -> Presence:
        if Capability.PRESENCE not in self.capabilities:
            raise Unsupported("this storage does not say who is alive")
        return cast("Presence", self._storage)
