"""Clauses C5 and C17 to C19, and presence: reopening, errors, closing, damage, and who lives."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import attrs
import pytest

from prodigy_storage.errors import Closed, Conflict, Corrupt, Outcome, StorageError
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Capability,
    Delete,
    Durability,
    Operation,
    Put,
    Query,
    Storage,
    Version,
)
from prodigy_storage.testing.base import Contract, need
from prodigy_storage.testing.samples import (
    BLOB,
    LOG,
    NOTE,
    PAGES,
    SCOPES,
    TRAIL,
    body_of,
    everything,
    line,
    lines,
    note,
    numbers,
)


class LifetimeContract(Contract):
    """Reopening, errors, closing, damage, and who lives."""

    def test_c05_what_was_committed_survives_reopening(self, storage: Storage, place: Path) -> None:
        """Documents with their versions, records and scopes are the same after each of three reopenings."""
        need(storage, Capability.DURABLE)
        for durability, scope in zip([*Durability] * 2, SCOPES, strict=True):
            operations: list[Operation] = [
                Put(NOTE, "a", note(tags={"colour": "red"})),
                Put(BLOB, "gone", b""),
                Append(LOG, line(1)),
            ]
            storage.commit(Batch(scope, operations, durability))
            storage.commit(Batch(scope, [Delete(BLOB, "gone"), Append(TRAIL, lines([1, 2]))], durability))
        before = everything(storage)
        with self.reopened(storage, place) as again:
            assert everything(again) == before
            with self.reopened(again, place) as third:
                assert everything(third) == before

    def test_c05_a_version_outlives_reopening(self, storage: Storage, place: Path) -> None:
        """Who read a version before a reopening can still change the document, once."""
        need(storage, Capability.DURABLE)
        version = storage.commit(Batch((), [Put(BLOB, "a", b"1")])).versions["kit-blob", "a"]
        with self.reopened(storage, place) as again:
            again.commit(Batch((), [Put(BLOB, "a", b"2", version)]))
            with pytest.raises(Conflict):
                again.commit(Batch((), [Put(BLOB, "a", b"3", version)]))

    def test_c05_without_a_close_everything_is_there_too(self, storage: Storage, place: Path) -> None:
        """A second opening of a store that is in use sees what was committed, if processes may share it."""
        need(storage, Capability.DURABLE)
        need(storage, Capability.MULTI_PROCESS)
        storage.commit(Batch((), [Put(BLOB, "a", b"1"), Append(LOG, line(1))], Durability.OS))
        other = self.open(place)
        try:
            assert (body_of(other, (), BLOB, "a"), numbers(other)[0]) == (b"1", [1])
        finally:
            other.close()
        storage.commit(Batch((), [Put(BLOB, "a", b"2"), Append(LOG, line(2))], Durability.OS))
        assert (body_of(storage, (), BLOB, "a"), numbers(storage)[0]) == (b"2", [1, 2])

    def test_c17_errors_are_ours_and_say_what_happened(self, storage: Storage) -> None:
        """A conflict is a `StorageError` that says that nothing happened, and can be copied, as pickling does it."""
        with pytest.raises(StorageError) as caught:
            storage.commit(Batch((), [Delete(BLOB, "a", Version("nothing"))]))
        assert caught.value.outcome is Outcome.NOTHING
        again = copy.deepcopy(caught.value)
        assert (type(again), str(again), again.code) == (Conflict, str(caught.value), "conflict")

    def test_c18_close_is_idempotent_and_later_use_raises(self, storage: Storage) -> None:
        """After `close`, which may be called again, each method raises `Closed`."""
        storage.commit(Batch((), [Put(BLOB, "a", b"1"), Append(LOG, line(1))]))
        storage.close()
        storage.close()
        calls: dict[str, Callable[[], object]] = {
            "commit": lambda: storage.commit(Batch((), [Put(BLOB, "a", b"2")])),
            "append": lambda: storage.commit(Batch((), [Append(LOG, line(2))])),
            "fetch": lambda: storage.fetch((), BLOB, ["a"]),
            "documents": lambda: storage.documents(Query(BLOB)),
            "records": lambda: storage.records((), LOG),
            "scopes of a kind": lambda: storage.scopes(BLOB),
            "scopes of a stream": lambda: storage.scopes(LOG),
        }
        for name, call in calls.items():
            with pytest.raises(Closed):
                call()
                pytest.fail(f"{name} works after close")
        storage.close()

    def test_c19_a_body_without_an_index_hides_no_other(self, storage: Storage) -> None:
        """A body that its kind cannot read is refused as `Corrupt`, or it is kept, reported, and the rest is found."""
        storage.commit(Batch((), [Put(NOTE, id_, note(at=n)) for n, id_ in enumerate("abc")]))
        before = everything(storage)
        try:
            storage.commit(Batch((), [Put(NOTE, "bad", b"not a note"), Append(LOG, line(1))]))
        except Corrupt:
            assert everything(storage) == before
            return
        assert body_of(storage, (), NOTE, "bad") == b"not a note"
        seen, reported, after = set(), 0, None
        for _ in range(PAGES):
            page = storage.documents(Query(NOTE, limit=2), after)
            seen |= {document.id for document in page.documents}
            reported += len(page.damage)
            after = page.next
            if after is None:
                break
        assert seen - {"bad"} == {"a", "b", "c"}
        assert reported or "bad" in seen, "a document was dropped silently"

    def test_presence_this_process_lives(self, storage: Storage) -> None:
        """The token of this process stays the same, carries its process id, and is alive."""
        presence = _presence(storage)
        token = presence.me()
        storage.commit(Batch((), [Put(BLOB, "a", b"1")]))
        assert presence.me() == token
        assert token.pid == os.getpid()
        assert token.writer
        assert presence.alive(token) is True

    def test_presence_strangers_are_not_called_alive(self, storage: Storage) -> None:
        """A process of this machine that never was is dead; one of another machine cannot be judged from here."""
        presence = _presence(storage)
        mine = presence.me()
        assert presence.alive(attrs.evolve(mine, writer="0" * 32, pid=2**22 + 1)) is False
        elsewhere = attrs.evolve(mine, writer="0" * 32, host="another-machine", boot="another-boot")
        assert presence.alive(elsewhere) is None


def _presence(storage: Storage) -> Presence:
    need(storage, Capability.PRESENCE)
    return cast("Presence", storage)
