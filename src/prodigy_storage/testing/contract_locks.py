"""Clause C16: locks with an epoch, seen from several processes that a test lets live and die."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from prodigy_storage.errors import Fenced, Locked
from prodigy_storage.ports.locks import Grant, Locks
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Storage
from prodigy_storage.testing.base import in_threads
from prodigy_storage.testing.contract_takeovers import ADA, BOB, JOB, TakeoverContract, write, writes
from prodigy_storage.testing.fakes import START, FakeClock
from prodigy_storage.testing.posing import Posing
from prodigy_storage.testing.samples import numbers


class LocksContract(TakeoverContract):
    """What locks promise, whoever implements them.

    ```python
    class TestMyLocks(LocksContract):
        def locks(self, storage: Storage, clock: Clock) -> Locks:
            return MyLocks(storage, clock)
    ```

    The storage that `locks` gets is also a `Presence`: a view of one store with a token of its own, as a process
    of its own would have it. Whether that process lives is up to the test.
    """

    def test_c16_a_lock_has_one_living_holder(self, ada: Locks, bob: Locks) -> None:
        """While its holder lives, neither another process nor the holder itself can acquire a lock again."""
        ada.acquire(JOB, "job")
        for locks in (ada, bob, bob):
            with pytest.raises(Locked):
                locks.acquire(JOB, "job")

    def test_c16_locks_of_other_names_and_scopes_are_free(self, ada: Locks, bob: Locks) -> None:
        """A lock is one scope and one name: whatever differs in one of them is another lock."""
        names = [(JOB, "job"), (JOB, "Job"), (JOB, "a/../job"), (("shop",), "job"), ((), "job"), (("shop/job",), "job")]
        grants = [locks.acquire(scope, name) for (scope, name), locks in zip(names, [ada, bob] * 3, strict=True)]
        assert [(grant.scope, grant.name) for grant in grants] == names
        assert {(lease.scope, lease.name) for lease in ada.list()} == set(names)

    def test_c16_locked_carries_the_holder(self, ada: Locks, bob: Locks, clock: FakeClock) -> None:
        """Whoever finds a lock held is told by whom, where, since when and under which epoch."""
        clock.advance(3600)
        grant = ada.acquire(JOB, "job", purpose="session-1")
        clock.advance(5)
        with pytest.raises(Locked) as caught:
            bob.acquire(JOB, "job")
        error = caught.value
        assert (error.name, error.pid, error.host, error.epoch) == ("job", ADA.pid, ADA.host, grant.epoch)
        assert datetime.fromisoformat(error.since) == START + timedelta(hours=1)

    def test_c16_epochs_grow_and_never_come_back(
        self, ada: Locks, bob: Locks, clock: FakeClock, living: dict[Token, bool | None]
    ) -> None:
        """Each change of holder, by release, by death or by force, brings a greater epoch."""
        epochs = []
        for turn in range(6):
            grant = ada.acquire(JOB, "job")
            epochs.append(grant.epoch)
            if turn % 3 == 0:
                ada.release(grant)
            living[ADA] = turn % 3 != 1
            grant = bob.acquire(JOB, "job", force=turn % 3 == 2)
            living[ADA] = True
            epochs.append(grant.epoch)
            bob.release(grant)
            clock.advance(turn % 2)
        assert epochs == sorted(set(epochs))

    def test_c16_epochs_grow_when_a_clock_goes_back(
        self, storage: Storage, ada: Locks, living: dict[Token, bool | None]
    ) -> None:
        """A holder whose clock is a day late still gets a greater epoch than its predecessor."""
        first = ada.acquire(JOB, "job")
        ada.release(first)
        late = self.locks(Posing(storage, BOB, living), FakeClock(START - timedelta(days=1)))
        assert late.acquire(JOB, "job").epoch > first.epoch

    def test_c16_an_epoch_is_above_what_was_asked(self, ada: Locks) -> None:
        """`above` lifts the epoch, for what was written under epochs that the store has lost."""
        assert ada.acquire(JOB, "job", above=2**60).epoch > 2**60

    def test_c16_a_guard_holds_while_the_lock_is_held(self, storage: Storage, ada: Locks, clock: FakeClock) -> None:
        """Batches under the guard of a held lock commit, whatever time passes."""
        grant = ada.acquire(JOB, "job", ttl=10)
        for n in range(5):
            write(storage, grant, n)
            clock.advance(7)
        assert numbers(storage, JOB)[0] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("end", ["released", "died", "forced", "expired"])
    def test_c16_a_stale_guard_never_commits(
        self, storage: Storage, clock: FakeClock, living: dict[Token, bool | None], end: str
    ) -> None:
        """However a lock was lost, nothing is written under the old guard, neither then nor after it is free again."""
        ada, bob = (self.locks(Posing(storage, token, living), clock) for token in (ADA, BOB))
        stale = ada.acquire(JOB, "job", ttl=10)
        living[ADA] = {"died": False, "expired": None}.get(end, True)
        if end == "released":
            ada.release(stale)
            assert not writes(storage, stale)
        clock.advance(11)
        fresh = bob.acquire(JOB, "job", force=end == "forced")
        assert not writes(storage, stale)
        write(storage, fresh, 1)
        bob.release(fresh)
        assert not writes(storage, stale)
        assert not writes(storage, fresh)
        again = ada.acquire(JOB, "job")
        assert not writes(storage, stale)
        write(storage, again, 2)
        assert numbers(storage, JOB)[0] == [1, 2]

    def test_c16_renewing_fences_nobody(self, storage: Storage, ada: Locks, bob: Locks) -> None:
        """After any number of renewals the first guard still holds, and other locks are as they were."""
        mine, other = ada.acquire(JOB, "job"), bob.acquire(JOB, "other")
        for n in range(3):
            ada.renew(mine)
            bob.renew(other)
            write(storage, mine, 2 * n)
            write(storage, other, 2 * n + 1)
        assert numbers(storage, JOB)[0] == [0, 1, 2, 3, 4, 5]

    def test_c16_a_fenced_holder_cannot_renew(self, storage: Storage, ada: Locks, bob: Locks) -> None:
        """Renewing a lock that belongs to a later epoch raises `Fenced` and does not disturb the successor."""
        stale = ada.acquire(JOB, "job")
        fresh = bob.acquire(JOB, "job", force=True)
        with pytest.raises(Fenced):
            ada.renew(stale)
        bob.renew(fresh)
        write(storage, fresh, 1)

    def test_c16_release_is_idempotent(self, ada: Locks, bob: Locks) -> None:
        """A lock can be given back twice, and the second time takes it from nobody."""
        grant = ada.acquire(JOB, "job")
        ada.release(grant)
        ada.release(grant)
        fresh = bob.acquire(JOB, "job")
        ada.release(grant)
        with pytest.raises(Locked):
            ada.acquire(JOB, "job")
        bob.renew(fresh)

    def test_c16_of_many_that_want_a_lock_one_gets_it(
        self, storage: Storage, clock: FakeClock, living: dict[Token, bool | None]
    ) -> None:
        """Processes that acquire at the same moment, also from a dead holder, get one grant between them."""
        grants: list[Grant] = []
        for round_ in range(5):
            views = [
                self.locks(Posing(storage, Token(f"w{round_}-{n}", 200 + n, "engine"), living), clock) for n in range(4)
            ]
            got = [grant for grant in in_threads(4, lambda n, views=views: _try(views[n])) if grant]  # type: ignore[misc]  # the default binds the loop's value
            assert len(got) == 1
            grants += got
            living.update(dict.fromkeys(living, False))
        assert [grant.epoch for grant in grants] == sorted({grant.epoch for grant in grants})
        assert [writes(storage, grant) for grant in grants] == [False] * 4 + [True]

    def test_c16_inspect_and_list_tell_what_is_held(
        self, ada: Locks, bob: Locks, clock: FakeClock, living: dict[Token, bool | None]
    ) -> None:
        """A lock is unknown before its first holder, listed while it is held, dead holders included, and then free."""
        assert ada.inspect(JOB, "job") is None
        assert list(ada.list()) == []
        clock.advance(1.5)
        grant = ada.acquire(JOB, "job", purpose="session-1")
        kept = bob.acquire((), "other")
        living[BOB] = False
        found = bob.inspect(JOB, "job")
        assert found is not None
        assert (found.owner, found.epoch, found.purpose, found.alive) == (ADA, grant.epoch, "session-1", True)
        assert found.acquired_at == round((START.timestamp() + 1.5) * 1_000_000)
        assert {(lease.name, lease.owner, lease.alive) for lease in ada.list()} == {
            ("job", ADA, True),
            ("other", BOB, False),
        }
        ada.release(grant)
        free = bob.inspect(JOB, "job")
        assert free is None or free.owner is None
        assert [lease.epoch for lease in ada.list()] == [kept.epoch]


def _try(locks: Locks) -> Grant | None:
    try:
        return locks.acquire(JOB, "job")
    except Locked:
        return None
