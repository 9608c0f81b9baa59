"""Clauses C11, C12 and C14 for records: what a cursor sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prodigy_storage.errors import Rewound, StorageError
from prodigy_storage.ports.storage import Append, Batch, Capability, Cursor, Durability, Put, Storage, Stream, Trim
from prodigy_storage.testing.base import Contract, in_threads, need
from prodigy_storage.testing.samples import (
    LOG,
    NOTE,
    PAGES,
    SCOPES,
    TRAIL,
    at_of_line,
    body_of,
    line,
    lines,
    note,
    numbers,
    numbers_in,
)

JOB = ("shop", "job")


class StreamContract(Contract):
    """What a cursor sees."""

    def test_c11_records_keep_their_order_per_writer(self, storage: Storage) -> None:
        """Records of several threads come back all, once, and those of each thread in their order."""

        def write(thread: int) -> None:
            for n in range(0, 60, 2):
                append(storage, [thread * 1000 + n, thread * 1000 + n + 1])

        in_threads(4, write)
        found = numbers(storage)[0]
        for thread in range(4):
            assert [n for n in found if n // 1000 == thread] == [thread * 1000 + n for n in range(60)]
        assert len(found) == 240

    def test_c12_a_cursor_sees_every_later_record_once(self, storage: Storage) -> None:
        """Whenever a cursor was taken, it gives exactly what came after it, as often as it is asked."""
        cursors = [(0, None), (0, numbers(storage)[1])]
        for n in range(12):
            append(storage, range(n * 3, n * 3 + 3))
            found, cursor = numbers(storage, after=cursors[-1][1])
            assert found == list(range(n * 3, n * 3 + 3))
            cursors.append((n * 3 + 3, cursor))
        for _ in range(2):
            assert [numbers(storage, after=cursor)[0] for _, cursor in cursors] == [
                list(range(seen, 36)) for seen, _ in cursors
            ]

    def test_c12_chunks_end_with_whole_records(self, storage: Storage) -> None:
        """A stream of several megabytes comes in chunks of whole records, and each chunk's cursor continues it."""
        text = "x" * 900
        for n in range(0, 6000, 1000):
            storage.commit(Batch((), [Append(LOG, b"".join(line(n + i, text=text) for i in range(1000)))]))
        expected, seen, after = list(range(6000)), 0, None
        for _ in range(PAGES):
            chunk = storage.records((), LOG, after)
            found = numbers_in(chunk.data)
            assert found == expected[seen : seen + len(found)]
            seen, after = seen + len(found), chunk.cursor
            if not found:
                break
        assert seen == 6000

    def test_c12_reading_unverified_sees_as_many_records(self, storage: Storage) -> None:
        """Without verification there are the same records, perhaps with the store's own members, and cursors mix."""
        append(storage, range(5))
        chunk = storage.records((), LOG, verify=False)
        assert numbers_in(chunk.data) == [0, 1, 2, 3, 4]
        append(storage, [5])
        assert numbers(storage, after=chunk.cursor)[0] == [5]
        assert numbers_in(storage.records((), LOG, chunk.cursor, verify=False).data) == [5]

    def test_c12_a_verifying_reader_goes_on_where_another_stopped(self, storage: Storage) -> None:
        """Cursors of unverified chunks of a long stream lead a verifying reader on, without loss and damage."""
        text = "x" * 900
        for n in range(0, 6000, 1000):
            storage.commit(Batch((), [Append(LOG, b"".join(line(n + i, text=text) for i in range(1000)))]))
        found: list[int] = []
        after, verify = None, False
        for _ in range(PAGES):
            chunk = storage.records((), LOG, after, verify=verify)
            assert not chunk.damage
            found += numbers_in(chunk.data)
            after, verify = chunk.cursor, not verify
            if not chunk.data:
                break
        assert found == list(range(6000))

    def test_c12_a_reader_beside_writers_misses_nothing(self, storage: Storage) -> None:
        """A reader that follows with its cursor while threads append sees each record once."""
        finished: list[int] = []

        def work(thread: int) -> list[int]:
            if thread == 0:
                return _follow(storage, lambda: len(finished) == 2)
            try:
                for n in range(100):
                    append(storage, [thread * 1000 + n])
            finally:
                finished.append(thread)
            return []

        results = in_threads(3, work)
        found = results[0]
        for thread in (1, 2):
            assert [n for n in found if n // 1000 == thread] == [thread * 1000 + n for n in range(100)]
        assert len(found) == 200

    def test_c12_a_cursor_lasts_across_reopening(self, storage: Storage, place: Path) -> None:
        """A cursor from before a reopening sees exactly the later records, those of other sessions included."""
        need(storage, Capability.DURABLE)
        start = numbers(storage)[1]
        append(storage, [1, 2])
        middle = numbers(storage)[1]
        append(storage, [3])
        with self.reopened(storage, place) as again:
            append(again, [4])
            end = numbers(again)[1]
            with self.reopened(again, place) as third:
                append(third, [5])
                found = [numbers(third, after=cursor)[0] for cursor in (None, start, middle, end)]
        assert found == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [3, 4, 5], [5]]

    def test_c12_a_cursor_lasts_across_trimming(self, storage: Storage) -> None:
        """Trimming takes nothing away from a cursor that has passed what goes, and new records follow."""
        append(storage, range(10))
        early = numbers(storage)[1]
        append(storage, range(10, 20))
        late = numbers(storage)[1]
        storage.commit(Batch((), [Trim(LOG, early)]))
        assert numbers(storage, after=early)[0] == list(range(10, 20))
        storage.commit(Batch((), [Trim(LOG, late)]))
        append(storage, [20])
        assert numbers(storage, after=late)[0] == [20]
        assert numbers(storage, after=early)[0][-1] == 20

    def test_c12_the_cursor_of_another_store_is_rewound(self, storage: Storage, tmp_path: Path) -> None:
        """A cursor that another store gave raises `Rewound`, however many records there are."""
        other = self.open(tmp_path / "other")
        try:
            append(other, range(3))
            foreign = numbers(other)[1]
        finally:
            other.close()
        for records in ([], [1], [2, 3, 4, 5]):
            if records:
                append(storage, records)
            with pytest.raises(Rewound):
                storage.records((), LOG, foreign)

    def test_c12_a_lost_stream_rewinds_its_cursors(self, storage: Storage, place: Path) -> None:
        """What is not durable starts anew empty, and a cursor from before raises `Rewound` instead of waiting."""
        if Capability.DURABLE in storage.capabilities:
            pytest.skip("the backend declares DURABLE")
        append(storage, [1, 2])
        storage.commit(Batch((), [Put(NOTE, "a", note())]))
        cursor = numbers(storage)[1]
        with self.reopened(storage, place) as again:
            assert (numbers(again)[0], body_of(again, (), NOTE, "a")) == ([], None)
            with pytest.raises(Rewound):
                again.records((), LOG, cursor)

    @pytest.mark.parametrize("cursor", ["", "0", "no cursor", "{}", "-1", '{"store":1}', "\0", "9" * 400])
    def test_c12_what_is_no_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        """A string that no store gave is an error of ours, never silence."""
        append(storage, [1])
        with pytest.raises(StorageError):
            storage.records((), LOG, Cursor(cursor))

    def test_c14_streams_stay_in_their_scope(self, storage: Storage) -> None:
        """The same stream in several scopes is several streams; trimming one leaves the others."""
        for n, scope in enumerate(SCOPES):
            storage.commit(Batch(scope, [Append(LOG, line(n)), Append(TRAIL, line(100 + n))]))
        cursor = numbers(storage, JOB)[1]
        storage.commit(Batch(JOB, [Trim(LOG, cursor), Append(TRAIL, line(7))]))
        for n, scope in enumerate(SCOPES):
            assert numbers(storage, scope)[0] in ([[n]] if scope != JOB else [[n], []])
            assert numbers(storage, scope, TRAIL)[0] == [100 + n] + [7] * (scope == JOB)
        assert list(storage.scopes(TRAIL)) == sorted(SCOPES)
        assert list(storage.scopes(Stream("kit-nothing", at_of_line))) == []


def append(storage: Storage, these: range | list[int]) -> None:
    """One append of these numbers, not synced."""
    storage.commit(Batch((), [Append(LOG, lines(these))], Durability.OS))


def _follow(storage: Storage, finished: Callable[[], bool]) -> list[int]:
    """Read on and on until nothing can come any more."""
    found: list[int] = []
    cursor = None
    while True:
        last = finished()
        more, cursor = numbers(storage, after=cursor)
        found += more
        if last:
            return found
