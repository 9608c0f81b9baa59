"""Clauses C1 to C4, C6 and C7: what a batch does, and what comes back."""

from __future__ import annotations

import attrs
import pytest

from prodigy_storage.errors import Conflict, InvalidValue, Outcome
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Check,
    Delete,
    Durability,
    Expect,
    Operation,
    Put,
    Query,
    Storage,
    Version,
)
from prodigy_storage.testing.base import Contract, in_threads
from prodigy_storage.testing.samples import (
    BLOB,
    HOSTILE_BODIES,
    HOSTILE_RECORDS,
    LOG,
    NOTE,
    PAGES,
    TRAIL,
    body_of,
    everything,
    line,
    lines,
    note,
    numbers,
    read,
    version_of,
    walk,
)

JOB = ("shop", "job")


class BatchContract(Contract):
    """What a batch does, and what comes back."""

    def test_c01_a_batch_applies_every_operation(self, storage: Storage) -> None:
        """Puts of two kinds, a delete and two appends in one batch are all seen."""
        storage.commit(Batch(JOB, [Put(NOTE, "old", note())]))
        operations: list[Operation] = [
            Put(NOTE, "new", note("n")),
            Put(BLOB, "new", b"b"),
            Delete(NOTE, "old"),
            Append(LOG, lines([1, 2])),
            Append(TRAIL, line(3)),
        ]
        storage.commit(Batch(JOB, operations))
        assert body_of(storage, JOB, NOTE, "new") == note("n")
        assert body_of(storage, JOB, BLOB, "new") == b"b"
        assert body_of(storage, JOB, NOTE, "old") is None
        assert (numbers(storage, JOB)[0], numbers(storage, JOB, TRAIL)[0]) == ([1, 2], [3])

    @pytest.mark.parametrize("place_of_failure", [0, 2, 4])
    def test_c01_a_conflict_anywhere_applies_nothing(self, storage: Storage, place_of_failure: int) -> None:
        """Where in the batch the failing precondition stands makes no difference: nothing happens."""
        storage.commit(Batch(JOB, [Put(NOTE, "kept", note("before")), Append(LOG, line(1))]))
        before = everything(storage)
        operations: list[Operation] = [
            Put(NOTE, "new", note()),
            Append(LOG, line(2)),
            Delete(NOTE, "kept"),
            Put(BLOB, "new", b"b"),
        ]
        operations.insert(place_of_failure, Check(BLOB, "missing", Version("no such version")))
        with pytest.raises(Conflict) as caught:
            storage.commit(Batch(JOB, operations))
        assert caught.value.operation == place_of_failure
        assert everything(storage) == before

    def test_c01_an_empty_batch_changes_nothing(self, storage: Storage) -> None:
        """A batch without operations commits and leaves everything as it is."""
        storage.commit(Batch(JOB, [Put(NOTE, "a", note())]))
        before = everything(storage)
        assert storage.commit(Batch(JOB, [])).versions == {}
        assert everything(storage) == before

    def test_c02_preconditions_are_judged_on_the_state_before(self, storage: Storage) -> None:
        """A batch that changes everything that it expects still holds."""
        receipt = storage.commit(Batch((), [Put(NOTE, "a", note("1")), Put(NOTE, "b", note("1"))]))
        a, b = receipt.versions["kit-note", "a"], receipt.versions["kit-note", "b"]
        operations: list[Operation] = [
            Put(NOTE, "a", note("2"), a),
            Delete(NOTE, "b", b),
            Put(NOTE, "c", note("2"), Expect.ABSENT),
        ]
        storage.commit(Batch((), operations))
        assert [document.id for document in walk(storage, Query(NOTE))] == ["a", "c"]

    def test_c02_every_expectation_of_an_absent_document(self, storage: Storage) -> None:
        """ANY and ABSENT hold for a document that is not there, a version does not."""
        for operation in (Check(NOTE, "x", Expect.ANY), Check(NOTE, "x", Expect.ABSENT), Delete(NOTE, "x")):
            storage.commit(Batch((), [operation]))
        storage.commit(Batch((), [Delete(NOTE, "x", Expect.ABSENT)]))
        ghost = Version("1")
        for refused in (Check(NOTE, "x", ghost), Delete(NOTE, "x", ghost), Put(NOTE, "x", note(), ghost)):
            with pytest.raises(Conflict) as caught:
                storage.commit(Batch((), [refused]))
            assert _facts(caught.value) == (0, "kit-note", "x", None)

    def test_c02_every_expectation_of_a_present_document(self, storage: Storage) -> None:
        """ANY and the right version hold for a document that is there; ABSENT and another version do not."""
        storage.commit(Batch((), [Put(NOTE, "x", note("1")), Put(NOTE, "y", note("other"))]))
        right, wrong = version_of(storage, (), NOTE, "x"), version_of(storage, (), NOTE, "y")
        storage.commit(Batch((), [Check(NOTE, "x", right), Check(NOTE, "y", Expect.ANY)]))
        for expect in (Expect.ABSENT, wrong):
            for refused in (Check(NOTE, "x", expect), Delete(NOTE, "x", expect), Put(NOTE, "x", note("2"), expect)):
                with pytest.raises(Conflict) as caught:
                    storage.commit(Batch((), [Check(NOTE, "z", Expect.ABSENT), refused]))
                assert _facts(caught.value) == (1, "kit-note", "x", right)
        storage.commit(Batch((), [Delete(NOTE, "x", right)]))
        assert body_of(storage, (), NOTE, "x") is None

    def test_c03_a_version_changes_with_the_body(self, storage: Storage) -> None:
        """Bodies that differ have versions that differ, and receipt, fetch and walk agree on them."""
        seen = set()
        for number in range(20):
            receipt = storage.commit(Batch((), [Put(BLOB, "a", b"%d" % number)]))
            version = receipt.versions["kit-blob", "a"]
            seen.add(version)
            assert version_of(storage, (), BLOB, "a") == version
            assert [document.version for document in walk(storage, Query(BLOB))] == [version]
        assert len(seen) == 20

    def test_c03_a_deleted_document_does_not_leave_its_version_behind(self, storage: Storage) -> None:
        """Who expects the version of a document that was deleted and made anew with another body is refused."""
        first = storage.commit(Batch((), [Put(BLOB, "a", b"1")])).versions["kit-blob", "a"]
        storage.commit(Batch((), [Delete(BLOB, "a")]))
        storage.commit(Batch((), [Put(BLOB, "a", b"2")]))
        with pytest.raises(Conflict):
            storage.commit(Batch((), [Check(BLOB, "a", first)]))

    def test_c04_absent_creates_once_under_concurrency(self, storage: Storage) -> None:
        """Of several threads that create the same document, one wins, and its body is what is stored."""

        def create(thread: int) -> list[bool]:
            return [_won(storage, [Put(BLOB, f"d{n}", b"%d" % thread, Expect.ABSENT)]) for n in range(20)]

        results = in_threads(4, create)
        for n in range(20):
            winners = [thread for thread in range(4) if results[thread][n]]
            assert len(winners) == 1
            assert body_of(storage, (), BLOB, f"d{n}") == b"%d" % winners[0]

    def test_c04_compare_and_set_loses_no_update_under_concurrency(self, storage: Storage) -> None:
        """Threads that count in one document, each with the version that it read, arrive at the sum."""
        storage.commit(Batch(JOB, [Put(BLOB, "count", b"0")]))

        def count(_thread: int) -> None:
            done = 0
            for _ in range(PAGES):
                seen = storage.fetch(JOB, BLOB, ["count"], fresh=True)["count"]
                done += _won(storage, [Put(BLOB, "count", b"%d" % (int(seen.body) + 1), seen.version)], JOB)
                if done == 15:
                    return

        in_threads(4, count)
        assert body_of(storage, JOB, BLOB, "count") == b"60"

    def test_c04_guarded_appends_stop_when_the_guard_falls(self, storage: Storage) -> None:
        """No append under a `Check` is accepted after the checked document was changed."""
        guard = storage.commit(Batch(JOB, [Put(BLOB, "guard", b"1")])).versions["kit-blob", "guard"]

        def work(thread: int) -> int:
            if thread == 0:
                storage.commit(Batch(JOB, [Put(BLOB, "guard", b"2"), Append(LOG, line(-1))]))
                return 0
            return sum(_won(storage, [Check(BLOB, "guard", guard), Append(LOG, line(n))], JOB) for n in range(40))

        accepted = sum(in_threads(3, work))
        found = numbers(storage, JOB)[0]
        assert (found.index(-1), len(found)) == (accepted, accepted + 1)

    def test_c06_a_refused_batch_leaves_no_trace(self, storage: Storage) -> None:
        """Neither a conflict nor an invalid batch shows in any read; the error says that nothing happened."""
        storage.commit(Batch(JOB, [Put(NOTE, "a", note()), Append(LOG, line(1))]))
        before = everything(storage)
        with pytest.raises(Conflict) as caught:
            storage.commit(Batch(JOB, [Put(NOTE, "b", note()), Append(TRAIL, line(1)), Put(NOTE, "a", b"", _ABSENT)]))
        assert caught.value.outcome is Outcome.NOTHING
        for data in (b"", b"\n", b"no record", line(1)[:-1], b'{"a":1,\t"_seq":0,"_crc":5}\n'):
            with pytest.raises(InvalidValue):
                storage.commit(Batch(JOB, [Put(NOTE, "b", note()), Append(LOG, data)]))
        assert everything(storage) == before

    @pytest.mark.parametrize("durability", Durability)
    def test_c06_a_receipt_says_what_was_reached(self, storage: Storage, durability: Durability) -> None:
        """A receipt names at least the durability that was asked for, and a version for each document put."""
        operations: list[Operation] = [
            Put(NOTE, "a", note()),
            Put(BLOB, "b", b""),
            Check(NOTE, "c", _ABSENT),
            Append(LOG, line(1)),
        ]
        receipt = storage.commit(Batch(JOB, operations, durability))
        assert receipt.durability >= durability
        assert set(receipt.versions) == {("kit-note", "a"), ("kit-blob", "b")}

    def test_c07_bodies_come_back_byte_for_byte(self, storage: Storage) -> None:
        """Bodies that are empty, binary, large or look like something else are given back as they were."""
        for number, body in enumerate(HOSTILE_BODIES):
            storage.commit(Batch(JOB, [Put(BLOB, f"b{number}", body)]))
        ids = [f"b{number}" for number in range(len(HOSTILE_BODIES))]
        fetched = storage.fetch(JOB, BLOB, [*ids, "missing", "b0"])
        walked = {document.id: document for document in walk(storage, Query(BLOB))}
        assert set(fetched) == set(walked) == set(ids)
        for found in (fetched, walked):  # not compared by pytest, which explains a difference of megabytes for minutes
            changed = [id_ for id_, body in zip(ids, HOSTILE_BODIES, strict=True) if found[id_].body != body]
            assert not changed, "these bodies came back changed"

    def test_c07_documents_say_what_they_are(self, storage: Storage) -> None:
        """A document carries its scope, kind and id, alike in a fetch and in a walk."""
        storage.commit(Batch(JOB, [Put(NOTE, "a", note("text", at=5))]))
        document = storage.fetch(JOB, NOTE, ["a"])["a"]
        assert (document.scope, document.kind, document.id) == (JOB, "kit-note", "a")
        assert [attrs.evolve(seen, place="") for seen in walk(storage, Query(NOTE))] == [
            attrs.evolve(document, place="")
        ]

    @pytest.mark.parametrize("together", [True, False], ids=["one append", "an append each"])
    def test_c07_records_come_back_byte_for_byte(self, storage: Storage, *, together: bool) -> None:
        """Records come back as they were appended, without anything that the store added."""
        for data in [b"".join(HOSTILE_RECORDS)] if together else HOSTILE_RECORDS:
            storage.commit(Batch(JOB, [Append(LOG, data)]))
        assert read(storage, JOB, LOG)[0] == b"".join(HOSTILE_RECORDS)


_ABSENT = Expect.ABSENT


def _won(storage: Storage, operations: list[Operation], scope: tuple[str, ...] = ()) -> bool:
    try:
        storage.commit(Batch(scope, operations, Durability.OS))
    except Conflict:
        return False
    return True


def _facts(error: Conflict) -> tuple[int, str, str, str | None]:
    return error.operation, error.kind, error.id, error.actual
