"""How documents and records are written: in the documented forms, or so that Prodigy 0.4 itself reads them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.json_text import Unwritable, write
from prodigy_storage.codecs.prodigy.events import ProdigyEventTypes, check_lines
from prodigy_storage.codecs.prodigy.exact import exact, exact_tree, shallow, unwritables
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.trees import encoded, parse, unsealed
from prodigy_storage.errors import ConfigError, Corrupt
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.events import Event
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.prodigy.worktrees import WorktreeState
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Capability,
    Chunk,
    Cursor,
    Document,
    Expect,
    Kind,
    Operation,
    Page,
    Position,
    Put,
    Query,
    Receipt,
    Storage,
    Stream,
)


class Dialect(enum.Enum):
    """How a store writes. It reads every form in any case."""

    DOCUMENTED = "documented"
    """The forms of the global storage architecture, with checksums; Prodigy reads most of them."""
    PRODIGY_0_4 = "prodigy-0.4"
    """What Prodigy 0.4 reads and would write itself; what it could not read back is refused."""

    @classmethod
    def of(cls, name: str | Dialect) -> Dialect:
        """The dialect of that name.

        Raises:
            ConfigError: there is none.
        """
        try:
            return cls(name)
        except ValueError as error:
            known = ", ".join(one.value for one in cls)
            raise ConfigError(f"{name!r} is no dialect; there are: {known}") from error


def event_types_of(dialect: Dialect, extra: Iterable[type[Event]] = ()) -> EventTypes:
    """The event types of a store that speaks the dialect, with a user's own."""
    return ProdigyEventTypes(extra) if dialect is Dialect.PRODIGY_0_4 else EventTypes(extra)


def speaking(storage: Storage, dialect: Dialect) -> Storage:
    """The storage, with everything that is written through it in the dialect."""
    return ProdigyStorage(storage) if dialect is Dialect.PRODIGY_0_4 else storage


_TYPES: dict[str, type[Any]] = {
    kinds.SESSION.name: Session,
    kinds.DEAD_LETTER.name: DeadLetter,
    kinds.MAPPING.name: SessionJobMapping,
    kinds.WORKTREE.name: WorktreeState,
}
"""The kinds of document that Prodigy has too, and that have another form in the other dialect."""


@attrs.frozen
class ProdigyStorage:
    """A storage into which nothing is written that Prodigy 0.4 cannot read.

    Documents lose their checksum on the way: Prodigy rewrites them, and nobody who edits one would renew it. New
    ones get Prodigy's spelling; of changed ones, what was not changed keeps its text. Bodies that the library did
    not make (copies of Prodigy's own files) pass as they are.
    """

    inner: Storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the backend declares."""
        return self.inner.capabilities

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch in the dialect.

        Raises:
            InvalidValue: Prodigy could not read a value back; names the field. Nothing happened.
        """
        operations = [self._spoken(batch.scope, operation) for operation in batch.operations]
        return self.inner.commit(attrs.evolve(batch, operations=operations))

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

    def _spoken(self, scope: Scope, operation: Operation) -> Operation:
        if isinstance(operation, Append) and operation.stream == EVENTS:
            check_lines(operation.data)
        elif isinstance(operation, Put) and operation.kind.name in _TYPES:
            return attrs.evolve(operation, body=self._body(scope, operation))
        return operation

    def _body(self, scope: Scope, put: Put) -> bytes:
        bare, ours = unsealed(put.body)
        known = {} if put.expect is Expect.ABSENT else self.inner.fetch(scope, put.kind, [put.id], fresh=True)
        if put.id not in known and not ours:
            return put.body
        cls, tree, name = _TYPES[put.kind.name], parse(bare), f"{put.kind.name} {put.id}"
        if put.id not in known:
            return encoded(write(exact(cls, tree, name)))
        before = _unwritables(cls, known[put.id].body, name)
        for found in unwritables(exact_tree(cls, shallow(tree, name), name)):
            if found not in before:
                raise found.error
        return bare


def _unwritables(cls: type[Any], body: bytes, name: str) -> list[Unwritable]:
    """What was stored already and could not be written."""
    try:
        return list(unwritables(exact_tree(cls, parse(body), name)))
    except Corrupt:
        return []
