"""What a store should hold, in plain dicts and lists. It shares no code with what it judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Append, Delete, Document, Expect, Kind, Operation, Put, Query, Stream, Trim
from prodigy_storage.testing.samples import at_of_line, line, numbers_in

Key: TypeAlias = tuple[str, Scope, str]
"""Kind name, scope, id."""

Place: TypeAlias = tuple[str, Scope]
"""Stream name, scope."""


@attrs.define(eq=False)
class Tape:
    """A stream: every record ever appended, the n-th with the number n, and the numbers of those that may be gone."""

    records: list[bytes] = attrs.field(factory=list)
    gone: set[int] = attrs.field(factory=set)

    def next_records(self, ats: Iterable[int], text: str) -> bytes:
        """The records that come next, one for each time."""
        return b"".join(line(len(self.records) + n, at=at, text=text) for n, at in enumerate(ats))

    def extend(self, data: bytes) -> None:
        """Take what was appended."""
        self.records += [record + b"\n" for record in data.split(b"\n")[:-1]]

    def older(self, before: int) -> set[int]:
        """The records that are older: what has several writers has several fronts, so each counts for itself."""
        return {number for number, record in enumerate(self.records) if at_of_line(record) < before}

    def check(self, position: int, data: bytes, *, whole: bool = False) -> int:
        """Judge what was read from a position, one chunk or the whole; the position behind it."""
        found = numbers_in(data)
        assert not found or found[0] >= position, f"record {found[0]} was seen before (the cursor is at {position})"
        assert found == sorted(set(found)), "records are repeated or out of order"
        assert data == b"".join(self.records[number] for number in found), "the records are not those appended"
        end = found[-1] + 1 if found and not whole else len(self.records)
        missing = set(range(position, end)) - set(found) - self.gone
        assert not missing, f"the records {sorted(missing)} are missing"
        return max(position, end)


@attrs.define(eq=False)
class Oracle:
    """A store in dicts and lists."""

    documents: dict[Key, tuple[bytes, str]] = attrs.field(factory=dict)
    history: dict[Key, list[tuple[bytes, str]]] = attrs.field(factory=dict)
    tapes: dict[Place, Tape] = attrs.field(factory=dict)

    def version(self, key: Key) -> str | None:
        """The version of a document; None if it is absent."""
        found = self.documents.get(key)
        return found[1] if found else None

    def tape(self, stream: Stream, scope: Scope) -> Tape:
        """A stream, empty at first."""
        return self.tapes.setdefault((stream.name, scope), Tape())

    def failing(self, scope: Scope, operations: Sequence[Operation]) -> list[int]:
        """The operations whose preconditions do not hold."""
        return [n for n, operation in enumerate(operations) if not self._holds(scope, operation)]

    def _holds(self, scope: Scope, operation: Operation) -> bool:
        if isinstance(operation, Append | Trim) or operation.expect is Expect.ANY:
            return True
        wanted = None if operation.expect is Expect.ABSENT else operation.expect
        return self.version((operation.kind.name, scope, operation.id)) == wanted

    def apply(self, scope: Scope, operations: Sequence[Operation], versions: Mapping[tuple[str, str], str]) -> None:
        """Take a batch that was committed; what a trim lets go is told to its `Tape`."""
        puts = {(op.kind.name, op.id) for op in operations if isinstance(op, Put)}
        assert set(versions) == puts, "the receipt does not name the documents that were put"
        for operation in operations:
            if isinstance(operation, Put):
                key = (operation.kind.name, scope, operation.id)
                self._put(key, operation.body, versions[operation.kind.name, operation.id])
            elif isinstance(operation, Delete):
                self.documents.pop((operation.kind.name, scope, operation.id), None)
            elif isinstance(operation, Append):
                self.tape(operation.stream, scope).extend(operation.data)

    def _put(self, key: Key, body: bytes, version: str) -> None:
        past = self.history.setdefault(key, [])
        assert all(version != used for other, used in past if other != body), "a version came back for another body"
        past.append((body, version))
        self.documents[key] = (body, version)

    def walk(self, query: Query) -> list[Key]:
        """What a walk gives, in its order, by testing every document there is."""
        found = []
        for key, (body, _) in self.documents.items():
            if key[0] == query.kind.name and key[1][: len(query.scope)] == query.scope:
                index = query.kind.index(body)
                tagged = all(index.tags.get(tag) == value for tag, value in query.tags.items())
                late = query.since is None or query.since <= index.at
                early = query.until is None or index.at < query.until
                if tagged and late and early:
                    found.append(((index.at, key[1], key[2]), key))
        return [key for _, key in sorted(found)]

    def check_document(self, key: Key, document: Document | None) -> None:
        """Judge what was read under a key."""
        expected = self.documents.get(key)
        if document is None or expected is None:
            assert document is None, f"{key} should be absent"
            assert expected is None, f"{key} is missing"
            return
        assert (document.kind, document.scope, document.id) == key
        assert (document.body, document.version) == expected

    def check_scopes(self, of: Kind | Stream, found: Sequence[Scope]) -> None:
        """Judge a list of scopes. One whose records may all be gone may be missing."""
        assert list(found) == sorted(set(found)), "scopes are not sorted, or repeated"
        if isinstance(of, Kind):
            assert set(found) == {scope for name, scope, _ in self.documents if name == of.name}
            return
        tapes = {scope: tape for (name, scope), tape in self.tapes.items() if name == of.name and tape.records}
        assert set(found) <= set(tapes), "scopes that have no records"
        assert {scope for scope, tape in tapes.items() if len(tape.gone) < len(tape.records)} <= set(found)
