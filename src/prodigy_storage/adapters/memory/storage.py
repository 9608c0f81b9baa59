"""The memory backend: for tests, for trials, and for what need not survive its process."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice

from prodigy_storage.adapters.memory.documents import Documents
from prodigy_storage.adapters.memory.records import Records
from prodigy_storage.errors import Closed, Conflict, Rewound, StorageFull
from prodigy_storage.ports.measuring import Form, Measure
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Capability,
    Check,
    Chunk,
    Cursor,
    Delete,
    Document,
    Expect,
    Index,
    Kind,
    Operation,
    Page,
    Position,
    Put,
    Query,
    Receipt,
    Stream,
    Trim,
    Version,
)


class MemoryStorage:
    """Implements `Storage`, `Presence` and `Measuring` in the memory of one process; its threads may share it.

    Args:
        max_bytes: Bodies and records may take this much together; None: no limit. A commit that would pass it
            raises `StorageFull` and changes nothing.
    """

    def __init__(self, *, max_bytes: int | None = None) -> None:
        self._id = uuid.uuid4().hex
        self._token = _token()
        self._max_bytes = max_bytes
        self._used = 0
        self._last_version = 0
        self._closed = False
        self._lock = threading.Lock()
        self._kinds: dict[str, Documents] = {}
        self._streams: dict[tuple[str, Scope], Records] = {}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """PRESENCE, MEASURING, PRUNING: nothing survives the process, and no other process can look in."""
        return frozenset({Capability.PRESENCE, Capability.MEASURING, Capability.PRUNING})

    def commit(self, batch: Batch) -> Receipt:
        """Judge all preconditions, then apply all of the batch."""
        scope, operations = batch.scope, batch.operations
        versions: dict[tuple[str, str], Version] = {}
        with self._lock:
            self._check_open()
            prepared = [self._prepare(scope, operation, number) for number, operation in enumerate(operations)]
            self._make_room(batch, prepared)
            for operation, result in zip(operations, prepared, strict=True):
                if isinstance(operation, Append):
                    self._records(scope, operation.stream).append(bytes(operation.data))
                elif isinstance(operation, Put) and isinstance(result, Index):
                    versions[operation.kind.name, operation.id] = self._put(scope, operation, result)
                elif isinstance(operation, Delete):
                    self._documents(operation.kind).remove((scope, operation.id))
                elif isinstance(operation, Trim) and isinstance(result, int):
                    self._records(scope, operation.stream).cut(result)
        return Receipt(versions, batch.durability)

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """The documents that exist among `ids`; there is no cache, so `fresh` changes nothing."""
        with self._lock:
            self._check_open()
            entries = self._documents(kind).entries
            return {id_: entries[scope, id_][0] for id_ in ids if (scope, id_) in entries}

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """A page in the order of (at, scope, id), behind `after`."""
        with self._lock:
            self._check_open()
            found = list(islice(self._documents(query.kind).matching(query, after), query.limit + 1))
        page = [document for _, document in found[: query.limit]]
        return Page(page, Position(*found[query.limit - 1][0]) if len(found) > query.limit else None)

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """The next records; memory carries no checksums, so `verify` changes nothing."""
        with self._lock:
            self._check_open()
            records = self._streams.get((stream.name, scope)) or Records()
            data, end = records.read(self._offset(records, after))
        return Chunk(data, Cursor(f"{self._id}:{end}"))

    def front(self, scope: Scope, stream: Stream, goes: Callable[[bytes], bool], after: Cursor | None = None) -> Chunk:
        """See `Pruning.front`; all writers are one here."""
        chunk = self.records(scope, stream, after)
        lines = chunk.data.split(b"\n")[:-1]
        stays = next((index for index, line in enumerate(lines) if not goes(line)), len(lines))
        data = b"".join(line + b"\n" for line in lines[:stays])
        end = int(chunk.cursor.rpartition(":")[2]) - len(chunk.data) + len(data)
        return Chunk(data, Cursor(f"{self._id}:{end}"))

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """Every scope that holds documents of that kind, or records of that stream; sorted."""
        with self._lock:
            self._check_open()
            if isinstance(of, Kind):
                return sorted({scope for scope, _ in self._documents(of).entries})
            return sorted(
                scope for (name, scope), records in self._streams.items() if name == of.name and records.pieces
            )

    def measure(self, scope: Scope = ()) -> Sequence[Measure]:
        """See `Measuring.measure`: the bytes of bodies and records."""
        with self._lock:
            self._check_open()
            sizes: dict[tuple[str, Scope], list[int]] = {}
            for kind, documents in self._kinds.items():
                for (found, _), (document, _) in documents.entries.items():
                    sizes.setdefault((kind, found), []).append(len(document.body))
            rows = [
                Measure(scope=found, form=Form.DOCUMENTS, of=kind, count=len(many), bytes=sum(many))
                for (kind, found), many in sizes.items()
            ]
            for (stream, found), records in self._streams.items():
                if records.pieces:
                    held, size = len(records.pieces), sum(map(len, records.pieces))
                    rows.append(Measure(scope=found, form=Form.RECORDS, of=stream, count=held, bytes=size))
        return [row for row in rows if row.scope[: len(scope)] == scope]

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._kinds.clear()
            self._streams.clear()

    def me(self) -> Token:
        """This process, as users of this store see it."""
        if self._token.pid != os.getpid():
            self._token = _token()
        return self._token

    def alive(self, token: Token) -> bool | None:
        """Whether the token is that of this process: nobody else can hold anything in this store."""
        mine = self.me()
        return None if token.host != mine.host else token == mine

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the memory store was closed")

    def _documents(self, kind: Kind) -> Documents:
        return self._kinds.get(kind.name) or self._kinds.setdefault(kind.name, Documents())

    def _records(self, scope: Scope, stream: Stream) -> Records:
        key = (stream.name, scope)
        return self._streams.get(key) or self._streams.setdefault(key, Records())

    def _prepare(self, scope: Scope, operation: Operation, number: int) -> Index | int | None:
        """Raise if the operation must not happen; give what applying it needs: an index, or an offset to cut at."""
        if isinstance(operation, Append):
            return None
        if isinstance(operation, Trim):
            records = self._records(scope, operation.stream)
            if isinstance(operation.before, int):
                return records.end_of_older(operation.stream, operation.before)
            return self._offset(records, operation.before)
        self._expect(scope, operation, number)
        return operation.kind.index(operation.body) if isinstance(operation, Put) else None

    def _expect(self, scope: Scope, operation: Put | Delete | Check, number: int) -> None:
        if operation.expect is Expect.ANY:
            return
        kind, id_ = operation.kind.name, operation.id
        entry = self._documents(operation.kind).entries.get((scope, id_))
        actual = entry[0].version if entry else None
        if actual != (None if operation.expect is Expect.ABSENT else operation.expect):
            found = "is absent" if actual is None else f"has version {actual}"
            raise Conflict(f"{kind} {id_!r} {found}", operation=number, kind=kind, id=id_, actual=actual)

    def _make_room(self, batch: Batch, prepared: Sequence[Index | int | None]) -> None:
        if self._max_bytes is None:
            return
        growth = sum(map(partial(self._growth, batch.scope), batch.operations, prepared))
        if growth > 0 and self._used + growth > self._max_bytes:
            raise StorageFull(f"{self._used} of {self._max_bytes} bytes are used; the batch needs {growth} more")
        self._used += growth

    def _growth(self, scope: Scope, operation: Operation, result: Index | int | None) -> int:
        if isinstance(operation, Append):
            return len(operation.data)
        if isinstance(operation, Trim):
            return -max(0, (result if isinstance(result, int) else 0) - self._records(scope, operation.stream).base)
        if isinstance(operation, Check):
            return 0
        entry = self._documents(operation.kind).entries.get((scope, operation.id))
        return (len(operation.body) if isinstance(operation, Put) else 0) - (len(entry[0].body) if entry else 0)

    def _put(self, scope: Scope, put: Put, index: Index) -> Version:
        self._last_version += 1
        version = Version(str(self._last_version))
        self._documents(put.kind).put(Document(scope, put.kind.name, put.id, bytes(put.body), version), index)
        return version

    def _offset(self, records: Records, cursor: Cursor | None) -> int:
        if cursor is None:
            return records.base
        store, _, offset = cursor.partition(":")
        if store != self._id or int(offset) > records.end:
            raise Rewound("the cursor is of another store, or beyond the end of the stream")
        return int(offset)


def _token() -> Token:
    return Token(uuid.uuid4().hex, os.getpid(), socket.gethostname())
