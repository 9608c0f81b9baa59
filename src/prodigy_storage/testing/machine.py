"""A Hypothesis state machine: any sequence of calls, judged by a store in plain dicts and lists."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from prodigy_storage.errors import Conflict, Rewound
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Capability,
    Check,
    Cursor,
    Delete,
    Durability,
    Expect,
    Expectation,
    Kind,
    Operation,
    Position,
    Put,
    Query,
    Storage,
    Stream,
    Trim,
    Version,
)
from prodigy_storage.testing.oracle import Key, Oracle
from prodigy_storage.testing.samples import BLOB, LOG, NOTE, SCOPES, TRAIL, note, read, walk

IDS = ("a", "A", "a/b", "é", "z" * 60)
TIMES = st.integers(min_value=-1, max_value=6)

scopes = st.sampled_from([("shop", "job"), ("shop",), (), *SCOPES])
tags = st.fixed_dictionaries({}, optional={"colour": st.sampled_from(["red", "blue"]), "shape": st.just("round")})
bodies = st.builds(lambda at, tags, text: note(text, at=at, tags=tags), TIMES, tags, st.sampled_from("xyz"))
documents = st.one_of(
    st.tuples(st.just(NOTE), st.sampled_from(IDS), bodies),
    st.tuples(st.just(BLOB), st.sampled_from(IDS), st.binary(max_size=4)),
)
expectations = st.sampled_from(["right"] * 12 + ["any"] * 6 + ["absent", "stale", "alien"])
queries = st.builds(
    Query,
    kind=st.sampled_from([NOTE, NOTE, BLOB]),
    scope=st.sampled_from([(), (), ("shop",), ("shop",), *SCOPES]),
    tags=st.one_of(st.just({}), tags),
    since=st.none() | st.none() | TIMES,
    until=st.none() | st.none() | TIMES,
    limit=st.integers(min_value=1, max_value=4),
)


@attrs.frozen
class Change:
    """A wish for a put, a delete or a check; what it expects is said by a word and found in the model."""

    verb: str
    kind: Kind
    id: str
    body: bytes
    expect: str


@attrs.frozen
class Growth:
    """A wish for an append of records with these times."""

    stream: Stream
    ats: Sequence[int]
    text: str


@attrs.frozen
class Cut:
    """A wish for a trim: by time, or by one of the cursors that are known."""

    stream: Stream
    before: int
    cursor: int | None


Wish = Change | Growth | Cut
streams = st.sampled_from([LOG, LOG, TRAIL])
changes = st.builds(
    lambda verb, document, expect: Change(verb, document[0], document[1], document[2], expect),
    st.sampled_from(["put"] * 5 + ["delete", "check"]),
    documents,
    expectations,
)
growths = st.builds(Growth, streams, st.lists(TIMES, min_size=1, max_size=4), st.sampled_from(["", "text"]))
cuts = st.builds(Cut, streams, TIMES, st.none() | st.integers(min_value=0, max_value=30))
wishes = st.lists(st.one_of(changes, changes, changes, growths, cuts), min_size=1, max_size=8)


@attrs.define(eq=False)
class Mark:
    """A cursor that was taken, and the number of the record that it should give next."""

    stream: Stream
    scope: Scope
    position: int
    cursor: Cursor


@attrs.define(eq=False)
class Stroll:
    """A walk under way: what should be seen unless it is touched, and what was seen."""

    query: Query
    untouched: set[Key]
    after: Position | None = None
    seen: list[Key] = attrs.field(factory=list)


class StorageMachine(RuleBasedStateMachine):
    """Any sequence of calls against the naive model. Made by `storage_machine`."""

    opener: ClassVar[staticmethod[[Path], Storage]]

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="storage-machine-"))
        self.storage = self.opener(self.directory / "store")
        self._forget()
        self.lost: list[Mark] = []

    def _forget(self) -> None:
        self.oracle = Oracle()
        self.marks: list[Mark] = []
        self.strolls: list[Stroll] = []

    @rule(scope=scopes, wishes=st.lists(changes, min_size=1, max_size=8), query=queries)
    def change(self, scope: Scope, wishes: Sequence[Wish], query: Query) -> None:
        """A batch of documents, and a walk."""
        self._commit(scope, wishes, Durability.OS)
        self._walk(query)

    @rule(scope=scopes, wishes=st.lists(growths | cuts, min_size=1, max_size=3))
    def extend(self, scope: Scope, wishes: Sequence[Wish]) -> None:
        """A batch of records."""
        self._commit(scope, wishes, Durability.OS)

    @rule(scope=scopes, wishes=wishes, durability=st.sampled_from([Durability.OS] * 5 + [*Durability]))
    def commit(self, scope: Scope, wishes: Sequence[Wish], durability: Durability) -> None:
        """A batch of anything."""
        self._commit(scope, wishes, durability)

    def _commit(self, scope: Scope, wishes: Sequence[Wish], durability: Durability) -> None:
        """Commit what is wished for; it is refused if and only if the model says so."""
        operations = self._operations(scope, wishes)
        failing = self.oracle.failing(scope, operations)
        if failing:
            with pytest.raises(Conflict) as caught:
                self.storage.commit(Batch(scope, operations, durability))
            self._check_conflict(scope, operations, failing, caught.value)
        else:
            floors = [self._floor(scope, op) for op in operations if isinstance(op, Trim)]
            receipt = self.storage.commit(Batch(scope, operations, durability))
            assert receipt.durability >= durability
            self.oracle.apply(scope, operations, receipt.versions)
            for stream, floor in floors:
                self.oracle.tape(stream, scope).allow_trim(floor)
        self._check_touched(scope, operations)

    def _operations(self, scope: Scope, wishes: Sequence[Wish]) -> list[Operation]:
        """The operations wished for, the first for each document and stream."""
        operations: dict[object, Operation] = {}
        for wish in wishes:
            if isinstance(wish, Change):
                operations.setdefault((wish.kind.name, wish.id), self._change(scope, wish))
            elif isinstance(wish, Growth):
                data = self.oracle.tape(wish.stream, scope).next_records(wish.ats, wish.text)
                operations.setdefault(wish.stream.name, Append(wish.stream, data))
            else:
                operations.setdefault(wish.stream.name, Trim(wish.stream, self._before(scope, wish)))
        return list(operations.values())

    def _change(self, scope: Scope, wish: Change) -> Operation:
        expect = self._expectation((wish.kind.name, scope, wish.id), wish.expect)
        if wish.verb == "put":
            return Put(wish.kind, wish.id, wish.body, expect)
        return (Delete if wish.verb == "delete" else Check)(wish.kind, wish.id, expect)

    def _expectation(self, key: Key, word: str) -> Expectation:
        current = self.oracle.version(key)
        if word in ("any", "absent"):
            return Expect(word)
        if word == "right":
            return Expect.ABSENT if current is None else Version(current)
        past = [version for _, version in self.oracle.history.get(key, []) if version != current]
        if word == "stale" and past:
            return Version(past[-1])
        others = [version for other, (_, version) in self.oracle.documents.items() if other != key]
        return Version(others[0] if others else "no version")

    def _before(self, scope: Scope, wish: Cut) -> Cursor | int:
        fitting = [mark.cursor for mark in self.marks if (mark.stream, mark.scope) == (wish.stream, scope)]
        return wish.before if wish.cursor is None or not fitting else fitting[wish.cursor % len(fitting)]

    def _floor(self, scope: Scope, trim: Trim) -> tuple[Stream, int]:
        if isinstance(trim.before, int):
            return trim.stream, self.oracle.tape(trim.stream, scope).older(trim.before)
        places = [
            mark.position
            for mark in self.marks
            if (mark.stream, mark.scope, mark.cursor) == (trim.stream, scope, trim.before)
        ]
        return trim.stream, max(places)

    def _check_conflict(
        self, scope: Scope, operations: Sequence[Operation], failing: Sequence[int], error: Conflict
    ) -> None:
        assert error.operation in failing
        operation = operations[error.operation]
        assert isinstance(operation, Put | Delete | Check)
        key = (operation.kind.name, scope, operation.id)
        assert (error.kind, error.id, error.actual) == (key[0], key[2], self.oracle.version(key))

    def _check_touched(self, scope: Scope, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, Append | Trim):
                self._read_from(operation.stream, scope, 0, None)
                continue
            key = (operation.kind.name, scope, operation.id)
            for stroll in self.strolls:
                stroll.untouched.discard(key)
            found = self.storage.fetch(scope, operation.kind, [operation.id], fresh=True)
            self.oracle.check_document(key, found.get(operation.id))

    @rule(scope=scopes, fresh=st.booleans())
    def look(self, *, scope: Scope, fresh: bool) -> None:
        """All ids of a scope, absent ones among them, and the list of scopes."""
        for kind in (NOTE, BLOB):
            found = self.storage.fetch(scope, kind, IDS, fresh=fresh)
            assert set(found) <= set(IDS)
            for id_ in IDS:
                self.oracle.check_document((kind.name, scope, id_), found.get(id_))
        for of in (NOTE, BLOB, LOG, TRAIL):
            self.oracle.check_scopes(of, self.storage.scopes(of))

    @rule(query=queries)
    def begin_walk(self, query: Query) -> None:
        """A walk that goes on between other calls."""
        self.strolls = [*self.strolls[-2:], Stroll(query, set(self.oracle.walk(query)))]

    @precondition(lambda self: self.strolls)
    @rule(number=st.integers(min_value=0, max_value=2))
    def continue_walk(self, number: int) -> None:
        """One page of a walk under way; in the end every untouched document was seen once."""
        stroll = self.strolls[number % len(self.strolls)]
        page = self.storage.documents(stroll.query, stroll.after)
        assert len(page.documents) <= stroll.query.limit
        stroll.seen += [(document.kind, document.scope, document.id) for document in page.documents]
        if page.next is not None:
            assert stroll.after is None or page.next > stroll.after
            stroll.after = page.next
            return
        self.strolls.remove(stroll)
        for key in stroll.untouched:
            assert stroll.seen.count(key) == 1, f"{key} was untouched and seen {stroll.seen.count(key)} times"

    def _walk(self, query: Query) -> None:
        """A whole walk, against the naive filter."""
        found = list(walk(self.storage, query))
        assert [(document.kind, document.scope, document.id) for document in found] == self.oracle.walk(query)
        for document in found:
            self.oracle.check_document((document.kind, document.scope, document.id), document)

    @rule(stream=streams, scope=scopes)
    def read_all(self, stream: Stream, scope: Scope) -> None:
        """A stream from its beginning; the cursor at its end is kept."""
        self._read_from(stream, scope, 0, None)

    @precondition(lambda self: self.marks)
    @rule(number=st.integers(min_value=0, max_value=30), verify=st.booleans())
    def read_on(self, *, number: int, verify: bool) -> None:
        """One chunk behind a cursor, however old it is; its cursor is kept."""
        mark = self.marks[number % len(self.marks)]
        chunk = self.storage.records(mark.scope, mark.stream, mark.cursor, verify=True)
        if not verify:
            unverified = self.storage.records(mark.scope, mark.stream, mark.cursor, verify=False)
            assert unverified.data.count(b"\n") == chunk.data.count(b"\n")
        position = self.oracle.tape(mark.stream, mark.scope).check(mark.position, chunk.data)
        self._keep(Mark(mark.stream, mark.scope, position, chunk.cursor))

    def _read_from(self, stream: Stream, scope: Scope, position: int, cursor: Cursor | None) -> None:
        data, end = read(self.storage, scope, stream, cursor)
        tape = self.oracle.tape(stream, scope)
        behind = tape.check(position, data)
        assert behind == len(tape.records), f"records from {behind} are missing at the end"
        self._keep(Mark(stream, scope, behind, end))

    def _keep(self, mark: Mark) -> None:
        self.marks = [*self.marks[-29:], mark]

    @precondition(lambda self: Capability.DURABLE in self.storage.capabilities or len(self.marks) > 25)
    @rule()
    def reopen(self) -> None:
        """A close and a new start: everything is there, or nothing if the backend is not durable."""
        durable = Capability.DURABLE in self.storage.capabilities
        self.storage.close()
        self.storage = self.opener(self.directory / "store")
        if not durable:
            self.lost += self.marks[-2:]
            self._forget()

    @precondition(lambda self: self.lost)
    @rule()
    def read_lost(self) -> None:
        """The cursor of a stream that is gone does not wait in silence."""
        mark = self.lost[-1]
        with pytest.raises(Rewound):
            self.storage.records(mark.scope, mark.stream, mark.cursor)

    def teardown(self) -> None:
        """Compare everything, and remove what was stored."""
        try:
            for kind in (NOTE, BLOB):
                self._walk(Query(kind))
            for name, scope in list(self.oracle.tapes):
                self._read_from(LOG if name == LOG.name else TRAIL, scope, 0, None)
        finally:
            self.storage.close()
            shutil.rmtree(self.directory, ignore_errors=True)


def storage_machine(opener: Callable[[Path], Storage]) -> type[StorageMachine]:
    """A state machine over a backend, for instance
    `TestMine = storage_machine(MyStorage).TestCase`.

    Args:
        opener: Opens the storage at a path at which nothing is yet; the same path again means the same store, if
            it is durable.
    """
    return type("StorageMachineOf", (StorageMachine,), {"opener": staticmethod(opener)})
