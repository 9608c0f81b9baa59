"""A kind of document as typed values over the storage port: find, list, compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import attrs

from prodigy_storage.codecs.documents import Codec, Listing, Loaded
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import Conflict, NotFound
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Batch,
    Delete,
    Document,
    Durability,
    Expect,
    Kind,
    Operation,
    Put,
    Query,
    Storage,
)

T = TypeVar("T")
_ATTEMPTS = 100


@attrs.frozen
class Collection(Generic[T]):
    """The documents of one kind."""

    storage: Storage
    kind: Kind
    codec: Codec[T]

    def find(self, scope: Scope, id: str) -> Loaded[T] | None:
        """One value with its document, read past all caches; None if there is none.

        Raises:
            Corrupt: the document is damaged.
        """
        document = self.storage.fetch(scope, self.kind, [id], fresh=True).get(id)
        return None if document is None else self.codec.load(document)

    def load(self, scope: Scope, id: str) -> Loaded[T]:
        """One value with its document.

        Raises:
            NotFound: there is none.
            Corrupt: the document is damaged.
        """
        found = self.find(scope, id)
        if found is None:
            raise NotFound(f"there is no {self.kind.name.replace('_', ' ')} {id}{_within(scope)}")
        return found

    def list(
        self,
        scope: Scope = (),
        *,
        tags: Mapping[str, str] | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Listing[T]:
        """Every value below a scope, ordered by time; damaged ones are listed apart."""
        query = Query(self.kind, scope, tags or {}, since, until, limit=1000)
        return Listing(*gather(self.storage, query, self.codec.load))

    def change(
        self,
        scope: Scope,
        id: str,
        decide: Callable[[T | None], T | None],
        *,
        guard: Sequence[Operation] = (),
        also: Callable[[T | None, T | None], Sequence[Operation]] | None = None,
        durability: Durability = Durability.FULL,
    ) -> T | None:
        """Fetch, decide, commit; again when somebody else was faster. `decide` may be called several times.

        Args:
            scope, id: Which document.
            decide: From the value now (None: absent) to the wanted one (None: removed).
            guard: Further operations of the same batch.
            also: From the value before and after to what else belongs into the batch.
            durability: What a return means.

        Raises:
            Conflict: an operation of `guard` did not hold.
        """
        for _ in range(_ATTEMPTS):
            found = self.find(scope, id)
            before = found.value if found else None
            after = decide(before)
            operation = self._operation(id, found.document if found else None, after)
            further = (*guard, *(also(before, after) if also else ()))
            if operation is None and not further:
                return after
            try:
                self.storage.commit(Batch(scope, (*further, *((operation,) if operation else ())), durability))
            except Conflict as error:
                if (error.kind, error.id) != (self.kind.name, id):
                    raise
            else:
                return after
        raise Conflict(
            f"{self.kind.name} {id} was changed by others {_ATTEMPTS} times in a row", kind=self.kind.name, id=id
        )

    def _operation(self, id: str, document: Document | None, after: T | None) -> Put | Delete | None:
        if after is None:
            return None if document is None else Delete(self.kind, id, document.version)
        if document is None:
            return Put(self.kind, id, self.codec.encode(after), Expect.ABSENT)
        body = self.codec.encode(after, document)
        return None if body == document.body else Put(self.kind, id, body, document.version)


def _within(scope: Scope) -> str:
    return f" in {'/'.join(scope)}" if scope else ""
