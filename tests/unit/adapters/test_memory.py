from __future__ import annotations

import os

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Corrupt, StorageFull
from prodigy_storage.ports.storage import Append, Batch, Delete, Put, Trim
from prodigy_storage.testing import StorageContract
from prodigy_storage.testing.samples import BLOB, LOG, line, numbers, numbers_in


class TestContract(StorageContract):
    """Memory keeps every clause that it declares."""

    def open(self, place):
        return MemoryStorage()


def append(storage, *records):
    storage.commit(Batch((), [Append(LOG, b"".join(records))]))


def test_a_full_chunk_is_handed_out_without_a_copy():
    """Readers of records that fill a chunk get the stored bytes themselves."""
    storage = MemoryStorage()
    for n in range(20):
        append(storage, line(n, text="x" * 100_000))
    first, again = storage.records((), LOG), storage.records((), LOG)
    assert first.data is again.data
    assert 1 << 20 <= len(first.data) < 1_200_000


def test_a_huge_append_is_read_in_chunks():
    """One append of many megabytes does not make one chunk."""
    storage = MemoryStorage()
    append(storage, *(line(n, text="x" * 1000) for n in range(5000)))
    sizes, seen, after = [], [], None
    while (chunk := storage.records((), LOG, after)).data:
        sizes.append(len(chunk.data))
        seen += numbers_in(chunk.data)
        after = chunk.cursor
    assert seen == list(range(5000))
    assert max(sizes) <= 2 << 20


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_trimming_cuts_at_any_record(cut):
    """A trim by cursor removes exactly what was passed, inside joined pieces too."""
    storage = MemoryStorage()
    for n in range(40):
        append(storage, line(n, at=n, text="x" * 70_000))
    storage.commit(Batch((), [Trim(LOG, cut)]))
    assert numbers(storage)[0] == list(range(cut, 40))
    append(storage, line(40))
    assert numbers(storage)[0] == list(range(cut, 41))


def test_a_damaged_record_goes_with_its_neighbours():
    """A record whose time cannot be read neither stops a trim by time nor lets newer ones go."""
    storage = MemoryStorage()

    def at(data):
        if b"bad" in data:
            raise Corrupt("no time")
        return LOG.at(data)

    stream = attrs.evolve(LOG, at=at)
    append(storage, line(1, at=1), b'{"n":2,"bad":0}\n', line(3, at=3), b'{"n":4,"bad":0}\n', line(5, at=5))
    storage.commit(Batch((), [Trim(stream, 5)]))
    assert numbers(storage)[0] == [4, 5]


def test_a_limit_refuses_what_does_not_fit_and_keeps_the_rest():
    """A commit beyond `max_bytes` raises `StorageFull` and changes nothing; what is removed makes room again."""
    storage = MemoryStorage(max_bytes=100)
    storage.commit(Batch((), [Put(BLOB, "a", b"x" * 60)]))
    with pytest.raises(StorageFull):
        storage.commit(Batch((), [Put(BLOB, "b", b"x" * 30), Append(LOG, line(1))]))
    assert set(storage.fetch((), BLOB, ["a", "b"])) == {"a"}
    storage.commit(Batch((), [Put(BLOB, "a", b"x" * 20), Append(LOG, line(1))]))
    storage.commit(Batch((), [Trim(LOG, numbers(storage)[1]), Put(BLOB, "b", b"x" * 40)]))
    storage.commit(Batch((), [Delete(BLOB, "a"), Put(BLOB, "c", b"x" * 60)]))
    assert set(storage.fetch((), BLOB, ["a", "b", "c"])) == {"b", "c"}


def test_a_fork_has_a_token_of_its_own(monkeypatch):
    """After a fork the child is somebody else, and the parent's token is not the child's."""
    storage = MemoryStorage()
    parent = storage.me()
    monkeypatch.setattr(os, "getpid", lambda: parent.pid + 1)
    assert storage.me().pid == parent.pid + 1
    assert storage.me().writer != parent.writer
    assert storage.alive(parent) is False
