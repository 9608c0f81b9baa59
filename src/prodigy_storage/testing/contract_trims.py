"""Clause C20: what trimming takes away, and what it must leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodigy_storage.errors import StorageError
from prodigy_storage.ports.storage import Append, Batch, Capability, Put, Storage, Trim
from prodigy_storage.testing.base import Contract, need
from prodigy_storage.testing.contract_streams import append
from prodigy_storage.testing.samples import (
    BLOB,
    LOG,
    TRAIL,
    body_of,
    line,
    numbers,
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


def _assert_kept(storage: Storage, whole: list[int], at_least: list[int]) -> None:
    found = numbers(storage)[0]
    assert found == [n for n in whole if n in found], "what is left is out of order"
    assert set(at_least) <= set(found), "records are gone that had to stay"
