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
    Operation,
    Position,
    Put,
    Query,
    Storage,
    Stream,
    Trim,
)
from prodigy_storage.testing.granting import Mark, let_go, operations_for
from prodigy_storage.testing.oracle import Key, Oracle
from prodigy_storage.testing.samples import BLOB, LOG, NOTE, TRAIL, read, walk
from prodigy_storage.testing.wishes import (
    IDS,
    Wish,
    changes,
    cuts,
    growths,
    queries,
    scopes,
    streams,
    wishes,
)


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
        operations = operations_for(wishes, scope, self.oracle, self.marks)
        failing = self.oracle.failing(scope, operations)
        if failing:
            with pytest.raises(Conflict) as caught:
                self.storage.commit(Batch(scope, operations, durability))
            self._check_conflict(scope, operations, failing, caught.value)
        else:
            trims = [let_go(op, scope, self.oracle, self.marks) for op in operations if isinstance(op, Trim)]
            receipt = self.storage.commit(Batch(scope, operations, durability))
            assert receipt.durability >= durability
            self.oracle.apply(scope, operations, receipt.versions)
            for stream, numbers in trims:
                self.oracle.tape(stream, scope).gone.update(numbers)
        self._check_touched(scope, operations)

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
        behind = self.oracle.tape(stream, scope).check(position, data, whole=True)
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
