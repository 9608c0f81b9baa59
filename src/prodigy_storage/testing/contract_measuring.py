"""What a backend that declares `MEASURING` says of how much it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from prodigy_storage.ports.measuring import Form, Measure, Measuring
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Append, Batch, Capability, Delete, Put, Storage
from prodigy_storage.testing.base import Contract, need
from prodigy_storage.testing.samples import BLOB, LOG, NOTE, SCOPES, lines, note

_OURS = {NOTE.name, BLOB.name, LOG.name}


class MeasuringContract(Contract):
    """How much there is."""

    def test_measures_count_documents_and_find_streams(self, storage: Storage) -> None:
        """Each scope has one row for each kind with its exact count, and one for each stream that has records."""
        need(storage, Capability.MEASURING)
        for n, scope in enumerate(SCOPES):
            names = [f"note {i}" for i in range(n + 1)]
            storage.commit(Batch(scope, [*(Put(NOTE, name, note()) for name in names), Append(LOG, lines(range(3)))]))
        storage.commit(Batch(SCOPES[0], [Put(BLOB, "a", b"\x00\xff")]))
        rows = _measured(storage)
        counted = {(row.scope, row.of): row.count for row in rows if row.form is Form.DOCUMENTS}
        wanted = {(scope, NOTE.name): n + 1 for n, scope in enumerate(SCOPES)} | {(SCOPES[0], BLOB.name): 1}
        assert counted == wanted
        assert {row.scope for row in rows if row.form is Form.RECORDS and row.of == LOG.name} == set(SCOPES)
        assert len({(row.scope, row.form, row.of) for row in rows}) == len(rows)
        assert all(row.count > 0 and row.bytes > 0 for row in rows)

    def test_measures_of_a_scope_are_those_below_it(self, storage: Storage) -> None:
        """A prefix chooses the rows of that scope and of those inside it, unchanged."""
        need(storage, Capability.MEASURING)
        for scope in SCOPES:
            storage.commit(Batch(scope, [Put(NOTE, "a", note()), Append(LOG, lines(range(2)))]))
        everything = _measured(storage)
        for scope in SCOPES:
            below = [row for row in everything if row.scope[: len(scope)] == scope]
            assert _sorted(_measured(storage, scope)) == _sorted(below)

    def test_measures_follow_what_is_removed(self, storage: Storage) -> None:
        """What was deleted is no longer counted, and an empty store has nothing of ours."""
        need(storage, Capability.MEASURING)
        assert _measured(storage) == []
        storage.commit(Batch((), [Put(NOTE, "a", note()), Put(NOTE, "b", note())]))
        storage.commit(Batch((), [Delete(NOTE, "a")]))
        assert [row.count for row in _measured(storage)] == [1]
        storage.commit(Batch((), [Delete(NOTE, "b")]))
        assert _measured(storage) == []


def _measured(storage: Storage, scope: Scope = ()) -> Sequence[Measure]:
    """The rows of the kit's own kinds and streams; a backend may have rows of its housekeeping besides."""
    return [row for row in cast("Measuring", storage).measure(scope) if row.of in _OURS]


def _sorted(rows: Sequence[Measure]) -> list[tuple[Scope, str, str, int, int]]:
    return sorted((row.scope, row.form.value, row.of, row.count, row.bytes) for row in rows)
