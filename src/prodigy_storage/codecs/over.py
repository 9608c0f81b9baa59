"""A storage over another one: what a subclass does not change passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Capability,
    Chunk,
    Cursor,
    Document,
    Kind,
    Page,
    Position,
    Query,
    Storage,
    Stream,
)


@attrs.frozen
class OverStorage:
    """Reads from `inner`, and has whatever else that one has; a subclass says what `commit` writes there."""

    inner: Storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the backend declares."""
        return self.inner.capabilities

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See the port."""
        return self.inner.fetch(scope, kind, ids, fresh=fresh)

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """See the port."""
        return self.inner.documents(query, after)

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See the port."""
        return self.inner.records(scope, stream, after, verify=verify)

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """See the port."""
        return self.inner.scopes(of)

    def close(self) -> None:
        """See the port."""
        self.inner.close()
