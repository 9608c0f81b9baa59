"""Keeps fetched documents in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TypeAlias

from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.names import Scope, check_name, check_scope
from prodigy_storage.ports.storage import Append, Batch, Delete, Document, Kind, Operation, Put, Receipt, Storage, Trim

Key: TypeAlias = tuple[Scope, str, str]
"""Scope, name of the kind, id."""

_CHANGES = frozenset({Put, Delete})


class Caching(Forwarding):
    """Answers `fetch` from memory where it can. Whatever was written through it is never served stale.

    A commit drops the documents that it names, before and after, whether it worked or not, and nothing that was
    fetched meanwhile is kept. What another process writes is seen when the time to live is over; `fetch(fresh=True)`,
    which every compare-and-set uses, passes by the cache. Documents that do not exist are asked for again each time.

    Args:
        storage: The inner storage.
        max_entries: So many documents at most; the one that was not asked for longest goes first.
        ttl: Seconds after which a document is fetched again.
        monotonic: Seconds that never go back.
        mutex: Makes a lock for the threads of this process.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        max_entries: int,
        ttl: float,
        monotonic: Callable[[], float],
        mutex: Callable[[], AbstractContextManager[object]],
    ) -> None:
        super().__init__(storage)
        self._max_entries = max_entries
        self._ttl = ttl
        self._monotonic = monotonic
        self._make_mutex = mutex
        self._writes = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a child of a fork has to: another thread may have held the lock."""
        self._mutex = self._make_mutex()
        self._kept: OrderedDict[Key, tuple[Document, float]] = OrderedDict()

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`."""
        changed = [one for one in batch.operations if type(one) in _CHANGES]
        if changed:
            self._drop(batch.scope, changed)
        try:
            receipt = self._storage.commit(batch)
        except BaseException:
            self._drop(batch.scope, batch.operations)
            raise
        if changed:
            self._drop(batch.scope, changed)
        return receipt

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See `Storage.fetch`."""
        wanted = list(dict.fromkeys(ids))
        with self._mutex:
            found = {} if fresh else self._known(check_scope(scope), kind, wanted)
            before = self._writes
        missing = [id for id in wanted if id not in found]
        if not missing:
            return found
        fetched = super().fetch(scope, kind, missing, fresh=fresh)
        with self._mutex:
            if self._writes == before:
                self._keep(scope, kind, missing, fetched)
        return {id: document for id in wanted if (document := found.get(id) or fetched.get(id))}

    def close(self) -> None:
        """Forget everything, and close the inner storage."""
        with self._mutex:
            self._writes += 1
            self._kept.clear()
        super().close()

    def _known(self, scope: Scope, kind: Kind, ids: Iterable[str]) -> dict[str, Document]:
        now, found = self._monotonic(), {}
        for id in ids:
            key = (scope, kind.name, check_name(id))
            kept = self._kept.get(key)
            if kept is not None and now < kept[1]:
                self._kept.move_to_end(key)
                found[id] = kept[0]
        return found

    def _keep(self, scope: Scope, kind: Kind, asked: Iterable[str], fetched: Mapping[str, Document]) -> None:
        until = self._monotonic() + self._ttl
        for id in asked:
            self._kept.pop((scope, kind.name, id), None)
            if id in fetched:
                self._kept[scope, kind.name, id] = (fetched[id], until)
        while len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)

    def _drop(self, scope: Scope, operations: Iterable[Operation]) -> None:
        with self._mutex:
            self._writes += 1
            for one in operations:
                if not isinstance(one, Append | Trim):
                    self._kept.pop((scope, one.kind.name, one.id), None)
