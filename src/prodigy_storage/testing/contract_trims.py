"""Clause C20: what trimming takes away, and what it must leave."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import cast

import pytest

from prodigy_storage.errors import StorageError
from prodigy_storage.ports.pruning import Pruning
from prodigy_storage.ports.storage import Append, Batch, Capability, Cursor, Put, Storage, Trim
from prodigy_storage.testing.base import Contract, need
from prodigy_storage.testing.contract_streams import append
from prodigy_storage.testing.samples import (
    BLOB,
    LOG,
    PAGES,
    TRAIL,
    body_of,
    line,
    numbers,
    numbers_in,
    read,
)


class TrimContract(Contract):
    """What trimming takes away, and what it must leave."""

    def test_c20_trimming_by_cursor_keeps_what_it_has_not_passed(self, storage: Storage) -> None:
        """After a trim there is at least every record behind the cursor, in order, and none twice."""
        append(storage, range(10))
        cursor = numbers(storage)[1]
        append(storage, range(10, 15))
        append(storage, range(15, 20))
        storage.commit(Batch((), [Trim(LOG, cursor)]))
        _assert_kept(storage, list(range(20)), list(range(10, 20)))

    def test_c20_trimming_by_time_keeps_what_is_not_older(self, storage: Storage) -> None:
        """Only records that are older than the time may go, also where times do not ascend."""
        ats = [1, 2, 3, 9, 4, 5, 10, 11]
        for n, at in enumerate(ats):
            storage.commit(Batch((), [Append(LOG, line(n, at=at))]))
        for before in (1, 3, 6, 9, 10, 99):
            storage.commit(Batch((), [Trim(LOG, before)]))
            _assert_kept(storage, list(range(8)), [n for n in range(8) if ats[n] >= before])

    def test_c20_trimming_nothing_is_no_error(self, storage: Storage) -> None:
        """A stream that does not exist, one that is empty, and one that was trimmed already can be trimmed."""
        storage.commit(Batch((), [Trim(LOG, 5), Trim(TRAIL, numbers(storage, (), TRAIL)[1])]))
        append(storage, [1])
        cursor = numbers(storage)[1]
        for _ in range(2):
            storage.commit(Batch((), [Trim(LOG, cursor)]))
            storage.commit(Batch((), [Trim(LOG, 0)]))
        append(storage, [2])
        assert numbers(storage, after=cursor)[0] == [2]

    def test_c20_trimming_by_a_foreign_cursor_takes_nothing(self, storage: Storage, tmp_path: Path) -> None:
        """A trim by the cursor of another store is refused, and its batch with it."""
        other = self.open(tmp_path / "other")
        try:
            append(other, range(50))
            foreign = numbers(other)[1]
        finally:
            other.close()
        append(storage, range(5))
        with pytest.raises(StorageError):
            storage.commit(Batch((), [Put(BLOB, "a", b""), Trim(LOG, foreign)]))
        assert numbers(storage)[0] == [0, 1, 2, 3, 4]
        assert body_of(storage, (), BLOB, "a") is None

    def test_c20_trimming_happens_with_its_batch(self, storage: Storage) -> None:
        """A trim in a batch whose precondition fails takes nothing; with one that holds, the rest happens too."""
        append(storage, range(3))
        cursor = numbers(storage)[1]
        version = storage.commit(Batch((), [Put(BLOB, "a", b"1")])).versions["kit-blob", "a"]
        storage.commit(Batch((), [Put(BLOB, "a", b"2")]))
        with pytest.raises(StorageError):
            storage.commit(Batch((), [Trim(LOG, cursor), Put(BLOB, "a", b"3", version)]))
        assert numbers(storage)[0] == [0, 1, 2]
        storage.commit(Batch((), [Trim(LOG, cursor), Put(BLOB, "a", b"4"), Append(TRAIL, line(1))]))
        assert (body_of(storage, (), BLOB, "a"), numbers(storage, (), TRAIL)[0]) == (b"4", [1])

    def test_c20_a_trimmed_stream_is_durably_trimmed(self, storage: Storage, place: Path) -> None:
        """After a trim and a reopening there is the same tail, and cursors go on."""
        need(storage, Capability.DURABLE)
        append(storage, range(10))
        cursor = numbers(storage)[1]
        append(storage, range(10, 12))
        storage.commit(Batch((), [Trim(LOG, cursor)]))
        before = read(storage, (), LOG)[0]
        with self.reopened(storage, place) as again:
            assert read(again, (), LOG)[0] == before
            append(again, [12])
            assert numbers(again, after=cursor)[0] == [10, 11, 12]

    def test_c20_the_front_is_exactly_what_a_trim_removes(self, storage: Storage, place: Path) -> None:
        """Its records are at the front and may go; the trim by its cursor takes these, all of them, and none else."""
        need(storage, Capability.PRUNING)
        for numbers_of_append in (range(4), range(4, 6), range(6, 10)):
            append(storage, numbers_of_append)
        seen = numbers(storage)[1]
        with (
            self.reopened(storage, place) if Capability.DURABLE in storage.capabilities else nullcontext(storage) as it
        ):
            for limit in (0, 3, 5, 5, 9):
                before = numbers(it)[0]
                gone, cursor = _front(it, limit)
                assert gone == before[: len(gone)], "what a trim would remove is not the front"
                assert all(number < limit for number in gone)
                assert numbers(it)[0] == before, "a look has changed something"
                if gone:
                    it.commit(Batch((), [Trim(LOG, cursor)]))
                    it.commit(Batch((), [Trim(LOG, cursor)]))
                assert numbers(it)[0] == before[len(gone) :]
            append(it, [10])
            assert numbers(it, after=seen)[0] == [10]

    def test_c20_the_front_goes_on_over_many_chunks(self, storage: Storage, place: Path) -> None:
        """Chunk by chunk it comes to the same as at once, and ends."""
        need(storage, Capability.PRUNING)
        storage.commit(Batch((), [Append(LOG, b"".join(line(n, text="x" * 300_000) for n in range(10)))]))
        with (
            self.reopened(storage, place) if Capability.DURABLE in storage.capabilities else nullcontext(storage) as it
        ):
            everything = _front(it, 99)[0]
            assert everything == list(range(len(everything)))
            assert _front(it, 7)[0] == everything[:7]


def _front(storage: Storage, limit: int) -> tuple[list[int], Cursor]:
    """The numbers at the front that are below a limit, and the cursor for a trim."""
    found: list[int] = []
    after: Cursor | None = None
    for _ in range(PAGES):
        chunk = cast("Pruning", storage).front((), LOG, lambda one: int(numbers_in(one + b"\n")[0]) < limit, after)
        if not chunk.data:
            return found, after or chunk.cursor
        found += numbers_in(chunk.data)
        after = chunk.cursor
    raise AssertionError("the front does not end")


def _assert_kept(storage: Storage, whole: list[int], at_least: list[int]) -> None:
    found = numbers(storage)[0]
    assert found == [n for n in whole if n in found], "what is left is out of order"
    assert set(at_least) <= set(found), "records are gone that had to stay"
