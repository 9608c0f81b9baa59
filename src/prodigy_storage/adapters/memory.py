"""The memory backend: for tests, for trials, and for what need not survive its process."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import attrs

from prodigy_storage.errors import Closed, Conflict, Corrupt, Rewound, StorageFull
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
    Page,
    Position,
    Put,
    Query,
    Receipt,
    Stream,
    Trim,
    Version,
)

CHUNK_BYTES = 1 << 20
"""About the size of a chunk of records."""


class MemoryStorage:
    """Implements `Storage` and `Presence` in the memory of one process; its threads may share it.

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
        self._kinds: dict[str, _Documents] = {}
        self._streams: dict[tuple[str, Scope], _Records] = {}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Presence alone: nothing survives the process, and no other process can look in."""
        return frozenset({Capability.PRESENCE})

    def commit(self, batch: Batch) -> Receipt:
        """Judge all preconditions, then apply all of the batch."""
        self._check_open()
        indexes = [
            operation.kind.index(operation.body) if isinstance(operation, Put) else None
            for operation in batch.operations
        ]
        versions: dict[tuple[str, str], Version] = {}
        with self._lock:
            self._check_open()
            cuts = [self._judge(number, batch) for number in range(len(batch.operations))]
            self._make_room(batch, cuts)
            for operation, index, cut in zip(batch.operations, indexes, cuts, strict=True):
                if isinstance(operation, Append):
                    self._records(batch.scope, operation.stream).append(bytes(operation.data))
                elif isinstance(operation, Put) and index is not None:
                    versions[operation.kind.name, operation.id] = self._put(batch.scope, operation, index)
                elif isinstance(operation, Delete):
                    self._documents(operation.kind).remove((batch.scope, operation.id))
                elif isinstance(operation, Trim):
                    self._records(batch.scope, operation.stream).cut(cut)
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
            records = self._streams.get((stream.name, scope)) or _Records()
            data, end = records.read(self._offset(records, after))
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

    def _documents(self, kind: Kind) -> _Documents:
        return self._kinds.get(kind.name) or self._kinds.setdefault(kind.name, _Documents())

    def _records(self, scope: Scope, stream: Stream) -> _Records:
        key = (stream.name, scope)
        return self._streams.get(key) or self._streams.setdefault(key, _Records())

    def _judge(self, number: int, batch: Batch) -> int:
        """Raise if an operation must not happen; give the offset before which a `Trim` will cut."""
        operation = batch.operations[number]
        if isinstance(operation, Append):
            return 0
        if isinstance(operation, Trim):
            records = self._records(batch.scope, operation.stream)
            if isinstance(operation.before, int):
                return records.end_of_older(operation)
            return self._offset(records, operation.before)
        self._expect(number, batch.scope, operation)
        return 0

    def _expect(self, number: int, scope: Scope, operation: Put | Delete | Check) -> None:
        if operation.expect is Expect.ANY:
            return
        kind, id_ = operation.kind.name, operation.id
        entry = self._documents(operation.kind).entries.get((scope, id_))
        actual = entry[0].version if entry else None
        if actual != (None if operation.expect is Expect.ABSENT else operation.expect):
            found = "is absent" if actual is None else f"has version {actual}"
            raise Conflict(f"{kind} {id_!r} {found}", operation=number, kind=kind, id=id_, actual=actual)

    def _make_room(self, batch: Batch, cuts: Sequence[int]) -> None:
        if self._max_bytes is None:
            return
        used = self._used + sum(self._growth(batch.scope, *pair) for pair in zip(batch.operations, cuts, strict=True))
        if used > max(self._max_bytes, self._used):
            raise StorageFull(f"the batch would fill {used} bytes of memory; allowed are {self._max_bytes}")
        self._used = used

    def _growth(self, scope: Scope, operation: Put | Delete | Check | Append | Trim, cut: int) -> int:
        if isinstance(operation, Append):
            return len(operation.data)
        if isinstance(operation, Trim):
            return -max(0, cut - self._records(scope, operation.stream).base)
        if isinstance(operation, Check):
            return 0
        entry = self._documents(operation.kind).entries.get((scope, operation.id))
        return (len(operation.body) if isinstance(operation, Put) else 0) - (len(entry[0].body) if entry else 0)

    def _put(self, scope: Scope, put: Put, index: Index) -> Version:
        self._last_version += 1
        version = Version(str(self._last_version))
        self._documents(put.kind).put(Document(scope, put.kind.name, put.id, bytes(put.body), version), index)
        return version

    def _offset(self, records: _Records, cursor: Cursor | None) -> int:
        if cursor is None:
            return records.base
        store, _, offset = cursor.partition(":")
        if store != self._id or int(offset) > records.end:
            raise Rewound("the cursor is of another store, or beyond the end of the stream")
        return int(offset)


def _token() -> Token:
    return Token(uuid.uuid4().hex, os.getpid(), socket.gethostname())


@attrs.define(eq=False)
class _Documents:
    """The documents of one kind, and their keys in the order of a walk."""

    entries: dict[tuple[Scope, str], tuple[Document, Index]] = attrs.field(factory=dict)
    order: list[tuple[int, Scope, str]] = attrs.field(factory=list)

    def put(self, document: Document, index: Index) -> None:
        key = (document.scope, document.id)
        self.remove(key)
        self.entries[key] = (document, index)
        insort(self.order, (index.at, *key))

    def remove(self, key: tuple[Scope, str]) -> None:
        entry = self.entries.pop(key, None)
        if entry:
            del self.order[bisect_left(self.order, (entry[1].at, *key))]

    def matching(self, query: Query, after: Position | None) -> Iterator[tuple[tuple[int, Scope, str], Document]]:
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


@attrs.define(eq=False)
class _Records:
    """One stream of one scope. Offsets count from the first byte ever appended, so that trimming moves none.

    Small appends are joined when they fill a chunk: from then on a reader gets the piece itself, not a copy.
    """

    base: int = 0
    end: int = 0
    starts: list[int] = attrs.field(factory=list)
    pieces: list[bytes] = attrs.field(factory=list)
    joined: int = 0

    def append(self, data: bytes) -> None:
        self.starts.append(self.end)
        self.pieces.append(data)
        self.end += len(data)
        if self.end - self.starts[self.joined] >= CHUNK_BYTES:
            self.pieces[self.joined :] = [b"".join(self.pieces[self.joined :])]
            del self.starts[self.joined + 1 :]
            self.joined += 1

    def read(self, offset: int) -> tuple[bytes, int]:
        offset = max(offset, self.base)
        if offset == self.end:
            return b"", offset
        first = bisect_right(self.starts, offset) - 1
        last = first + 1 if first < self.joined else None
        piece = self.pieces[first]
        skip = offset - self.starts[first]
        if len(piece) - skip > 2 * CHUNK_BYTES:
            piece = piece[skip : piece.index(b"\n", skip + CHUNK_BYTES) + 1]
        elif skip:
            piece = piece[skip:]
        data = b"".join([piece, *self.pieces[first + 1 : last]])
        return data, offset + len(data)

    def cut(self, offset: int) -> None:
        if offset <= self.base:
            return
        first = bisect_right(self.starts, offset) - 1
        keep = self.pieces[first][offset - self.starts[first] :]
        self.pieces[: first + 1] = [keep] if keep else []
        self.starts[: first + 1] = [offset] if keep else []
        self.joined = max(0, self.joined - first - (not keep))
        self.base = offset

    def end_of_older(self, trim: Trim) -> int:
        """The offset behind the last record of the front that is older; a damaged one goes with its neighbours."""
        cut = offset = self.base
        for piece in self.pieces:
            for line in piece.split(b"\n")[:-1]:
                offset += len(line) + 1
                try:
                    if trim.stream.at(line) >= int(trim.before):
                        return cut
                except Corrupt:
                    continue
                cut = offset
        return cut
