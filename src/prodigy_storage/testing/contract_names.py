"""Clause C15: hostile names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prodigy_storage.errors import InvalidName
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
)
from prodigy_storage.testing.base import Contract
from prodigy_storage.testing.samples import (
    BLOB,
    HOSTILE_NAMES,
    LOG,
    PLAIN_NAMES,
    REFUSED_NAMES,
    everything,
    line,
    numbers,
    walk,
)


class NameContract(Contract):
    """Names that hurt, as ids and as scopes."""

    def test_c15_hostile_ids_round_trip_apart_from_each_other(self, storage: Storage) -> None:
        """Each id is stored under itself and no other one, or refused before anything is written."""
        stored = _stored(storage, lambda name: Batch(("shop",), [Put(BLOB, name, name.encode())], Durability.OS))
        assert {id_: found.body for id_, found in storage.fetch(("shop",), BLOB, stored).items()} == stored
        assert [document.id for document in walk(storage, Query(BLOB))] == sorted(
            stored, key=lambda name: (len(stored[name]), name)
        )
        for number, name in enumerate(stored):
            storage.commit(Batch(("shop",), [Delete(BLOB, name)], Durability.OS))
            assert len(storage.fetch(("shop",), BLOB, stored)) == len(stored) - number - 1

    def test_c15_hostile_scopes_round_trip_apart_from_each_other(self, storage: Storage) -> None:
        """Each scope name is stored under itself and no other one, or refused before anything is written."""
        stored = _stored(storage, lambda name: Batch((name,), [Put(BLOB, "id", name.encode())], Durability.OS))
        assert list(storage.scopes(BLOB)) == sorted((name,) for name in stored)
        for name, body in stored.items():
            assert storage.fetch((name,), BLOB, ["id"])["id"].body == body
            assert [document.scope for document in walk(storage, Query(BLOB, (name,)))] == [(name,)]

    def test_c15_hostile_jobs_carry_records_apart_from_each_other(self, storage: Storage) -> None:
        """Streams of jobs with hostile names hold their own records; a name with a separator is one name."""
        names = {name: n for n, name in enumerate(HOSTILE_NAMES)}
        stored = _stored(storage, lambda name: Batch(("a", name), [Append(LOG, line(names[name]))], Durability.OS))
        for name in stored:
            assert numbers(storage, ("a", name))[0] == [names[name]]
        assert list(storage.scopes(LOG)) == sorted(("a", name) for name in stored)
        storage.commit(Batch(("a/b", "c"), [Append(LOG, line(-1))]))
        storage.commit(Batch(("a", "b/c"), [Append(LOG, line(-2))]))
        assert (numbers(storage, ("a/b", "c"))[0], numbers(storage, ("a", "b/c"))[0]) == ([-1], [-2])

    @pytest.mark.parametrize("name", REFUSED_NAMES, ids=lambda name: repr(name[:8]))
    def test_c15_names_that_nobody_may_store_are_refused(self, storage: Storage, name: str) -> None:
        """An empty name, NUL, lone surrogates and more than 250 bytes raise `InvalidName`, and nothing is written."""
        storage.commit(Batch((), [Put(BLOB, "a", b"")]))
        before = everything(storage)
        operations: list[Operation] = [Put(BLOB, name, b""), Delete(BLOB, name), Check(BLOB, name, Expect.ABSENT)]
        for operation in operations:
            with pytest.raises(InvalidName):
                storage.commit(Batch((), [Put(BLOB, "b", b""), operation]))
        for scope in ((name,), ("shop", name), ("a", "b", "c")):
            with pytest.raises(InvalidName):
                storage.commit(Batch(scope, [Put(BLOB, "b", b"")]))
            with pytest.raises(InvalidName):
                storage.documents(Query(BLOB, scope))
        assert everything(storage) == before

    @pytest.mark.parametrize("name", REFUSED_NAMES, ids=lambda name: repr(name[:8]))
    def test_c15_reading_what_cannot_exist_finds_nothing(self, storage: Storage, name: str) -> None:
        """A read by a name that nobody may store finds nothing or raises `InvalidName`, and no other error."""
        storage.commit(Batch((), [Put(BLOB, "a", b""), Append(LOG, line(1))]))
        reads: list[Callable[[], object]] = [
            lambda: storage.fetch((), BLOB, [name]),
            lambda: storage.fetch((name,), BLOB, ["a"]),
            lambda: storage.records((name,), LOG).data,
        ]
        for read in reads:
            try:
                assert not read()
            except InvalidName:
                continue


def _stored(storage: Storage, batch: Callable[[str], Batch]) -> dict[str, bytes]:
    """Commit a batch for each hostile name; the names that were taken, with their bytes."""
    stored = {}
    for name in HOSTILE_NAMES:
        try:
            storage.commit(batch(name))
        except InvalidName:
            assert name not in PLAIN_NAMES, f"{name!r} is a plain name and must be stored"
        else:
            stored[name] = name.encode()
    return stored
