"""Logs what a storage is asked to do: names, counts, sizes and times, never a body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prodigy_storage.errors import StorageError
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Chunk,
    Cursor,
    Document,
    Kind,
    Page,
    Position,
    Put,
    Query,
    Receipt,
    Storage,
    Stream,
    Trim,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Observed(Forwarding):
    """Logs each operation at level debug, and at level warning with the error's code when it fails.

    The name of an entry is `storage.` and the operation, for example `storage.commit`. Its fields are the scope,
    kinds and streams, counts, sizes in `bytes`, and `ms`, the milliseconds that it took.

    Args:
        storage: The inner storage.
        logger: A structlog logger; by default that of `structlog.get_logger()`.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        storage: Storage,
        logger: FilteringBoundLogger | None = None,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(storage)
        self._logger = logger or _default_logger()
        self._monotonic = monotonic

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`."""
        with self._watch("commit", **_describe(batch)) as found:
            receipt = super().commit(batch)
            found["durability"] = receipt.durability.name.lower()
            return receipt

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See `Storage.fetch`."""
        ids = tuple(ids)
        with self._watch("fetch", scope=scope, kinds=[kind.name], asked=len(ids), fresh=fresh) as found:
            documents = super().fetch(scope, kind, ids, fresh=fresh)
            found.update(count=len(documents), bytes=_size(documents.values()))
            return documents

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """See `Storage.documents`."""
        with self._watch("documents", scope=query.scope, kinds=[query.kind.name], tags=sorted(query.tags)) as found:
            page = super().documents(query, after)
            found.update(count=len(page.documents), bytes=_size(page.documents), damage=len(page.damage))
            return page

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See `Storage.records`."""
        with self._watch("records", scope=scope, streams=[stream.name], verify=verify) as found:
            chunk = super().records(scope, stream, after, verify=verify)
            found.update(bytes=len(chunk.data), damage=len(chunk.damage))
            return chunk

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """See `Storage.scopes`."""
        with self._watch("scopes", of=of.name) as found:
            scopes = super().scopes(of)
            found["count"] = len(scopes)
            return scopes

    def close(self) -> None:
        """Close the inner storage."""
        with self._watch("close"):
            super().close()

    @contextmanager
    def _watch(self, operation: str, **asked: object) -> Iterator[dict[str, Any]]:
        entry = f"storage.{operation}"
        found: dict[str, Any] = {}
        start = self._monotonic()
        try:
            yield found
        except Exception as error:
            self._logger.warning(entry, **asked, ms=self._since(start), **_reason(error))
            raise
        self._logger.debug(entry, **asked, **found, ms=self._since(start))

    def _since(self, start: float) -> float:
        return round((self._monotonic() - start) * 1000, 3)


def _default_logger() -> FilteringBoundLogger:
    import structlog  # noqa: PLC0415  # slow to load, and only observers need it

    logger: FilteringBoundLogger = structlog.get_logger("prodigy_storage")
    return logger


def _reason(error: Exception) -> dict[str, str]:
    if isinstance(error, StorageError):
        return {"code": error.code, "error": str(error)}
    return {"code": type(error).__name__}  # what a foreign message quotes is not known


def _describe(batch: Batch) -> dict[str, object]:
    operations = batch.operations
    streams = {operation.stream.name for operation in operations if isinstance(operation, Append | Trim)}
    kinds = {operation.kind.name for operation in operations if not isinstance(operation, Append | Trim)}
    size = sum(len(operation.data) for operation in operations if isinstance(operation, Append))
    size += sum(len(operation.body) for operation in operations if isinstance(operation, Put))
    return {
        "scope": batch.scope,
        "kinds": sorted(kinds),
        "streams": sorted(streams),
        "operations": len(operations),
        "bytes": size,
    }


def _size(documents: Iterable[Document]) -> int:
    return sum(len(document.body) for document in documents)
