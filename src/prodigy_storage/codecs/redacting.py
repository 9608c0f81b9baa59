"""A storage into which nothing is written that holds a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import msgspec

from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.dialects import said
from prodigy_storage.codecs.over import OverStorage
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.redaction import Redactor
from prodigy_storage.codecs.trees import seal, unsealed, verify
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Index,
    Kind,
    Operation,
    Put,
    Receipt,
    Storage,
    Stream,
)

_NAMELESS = frozenset(kind.name for kind in kinds.PASSING_KINDS)
"""Kinds whose members all have names of the library's own: they are masked for no name."""
_DERIVED = frozenset({"signature"})
"""Tags that are made of texts; what is masked is found by its masked text."""


class RedactingStorage(OverStorage):
    """Another storage, and every body and every record is masked before it is committed there.

    It stands above dialects, caches, retries and the backend, so that none of them meets a secret.
    """

    def __init__(self, storage: Storage, redactor: Redactor) -> None:
        super().__init__(storage)
        self._redactor = redactor

    def commit(self, batch: Batch) -> Receipt:
        """Write a batch with its secrets masked.

        Raises:
            InvalidValue: a secret stands in what something is found by; does not show it. Nothing happened.
        """
        masked = [self._masked(batch.scope, operation) for operation in batch.operations]
        if all(one is other for one, other in zip(masked, batch.operations, strict=True)):
            return self.inner.commit(batch)
        return self.inner.commit(attrs.evolve(batch, operations=masked))

    def said(self, kind: Kind, id: str, body: bytes) -> bytes:
        """A body that comes from elsewhere, as it is stored here.

        Raises:
            InvalidValue: as `commit`.
        """
        return said(self.inner, kind, id, self._body(kind, body))

    def said_lines(self, stream: Stream, data: bytes) -> bytes:
        """Records that come from elsewhere, as they are stored here.

        Raises:
            InvalidValue: as `commit`.
        """
        if not self._redactor.suspects(data):
            return data
        return b"\n".join(self._line(stream, line) for line in data.split(b"\n"))

    def _masked(self, scope: Scope, operation: Operation) -> Operation:
        if isinstance(operation, Append):
            self._check_names(operation.stream.name, scope)
            data = self.said_lines(operation.stream, operation.data)
            return operation if data == operation.data else attrs.evolve(operation, data=data)
        if isinstance(operation, Put):
            self._check_names(operation.kind.name, (*scope, operation.id))
            body = self._body(operation.kind, operation.body)
            return operation if body == operation.body else attrs.evolve(operation, body=body)
        return operation

    def _check_names(self, what: str, names: Iterable[str]) -> None:
        if any(map(self._redactor.holds, names)):
            raise InvalidValue(f"{what}: a secret is in its id, or in the name of its project or job", hint=_HINT)

    def _line(self, stream: Stream, line: bytes) -> bytes:
        if not self._redactor.suspects(line):
            return line
        masked = self._redactor.masked(line)
        before = _place(stream, line)
        if before is not None and before != _place(stream, masked):
            raise InvalidValue(f"{stream.name}: masking would change the time of a record, or its item", hint=_HINT)
        return masked

    def _body(self, kind: Kind, body: bytes) -> bytes:
        names = kind.name not in _NAMELESS
        if not self._redactor.suspects(body, names=names):
            return body
        bare, ours = _bare(body)
        masked = self._redactor.masked(bare, names=names)
        if masked == bare:
            return body
        masked = seal(masked, pretty=b"\n" in masked.rstrip()) if ours else masked
        before = _found(kind, body)
        if before is not None and before != _found(kind, masked):
            raise InvalidValue(f"{kind.name}: masking would change what it is found by", hint=_HINT)
        return masked


_HINT = "Take the secret out of it, or the name out of the names to mask."


def _bare(body: bytes) -> tuple[bytes, bool]:
    """The text to mask, and whether it gets a new checksum: one that is wrong stays, and stays wrong."""
    try:
        return unsealed(verify(body))
    except Corrupt:
        return body, False


class _Item(msgspec.Struct):
    id: Any = None


class _Items(msgspec.Struct):
    items: list[_Item] = []
    item: Any = None


_ITEMS = msgspec.json.Decoder(_Items)


def _items(data: bytes) -> list[Any]:
    """The ids of the items that a checkpoint, or a record of progress, is about."""
    try:
        found = _ITEMS.decode(data)
    except (ValueError, RecursionError):
        return []
    return [found.item, *(item.id for item in found.items)]


def _place(stream: Stream, line: bytes) -> tuple[int, list[Any]] | None:
    """When a record was, and what it is about."""
    try:
        return stream.at(line), _items(line) if stream == PROGRESS else []
    except Corrupt:
        return None


def _found(kind: Kind, body: bytes) -> tuple[Index, Mapping[str, str], list[Any]] | None:
    """What a body, and what is in it, is found by, without what is made of texts."""
    try:
        index = kind.index(body)
    except Corrupt:
        return None
    tags = {tag: value for tag, value in index.tags.items() if tag not in _DERIVED}
    return attrs.evolve(index, tags={}), tags, _items(body) if kind == kinds.CHECKPOINT else []
