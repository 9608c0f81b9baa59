"""Clause C16: who succeeds whom, and the processes that a test lets live and die."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Conflict, Fenced, Locked
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.locks import Grant, Locks
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Append, Batch, Storage
from prodigy_storage.testing.fakes import FakeClock
from prodigy_storage.testing.posing import Posing
from prodigy_storage.testing.samples import LOG, line

JOB = ("shop", "job")
ADA = Token("writer-ada", 101, "engine", "boot", 1.0)
BOB = Token("writer-bob", 102, "engine", "boot", 2.0)


class TakeoverContract(ABC):
    """When a lock passes to somebody else, and when it does not."""

    @abstractmethod
    def locks(self, storage: Storage, clock: Clock) -> Locks:
        """The locks under test, as one process sees them."""

    def open(self, place: Path) -> Storage:
        """Where the leases are kept; memory, unless a subclass says otherwise. At the place is nothing yet."""
        return MemoryStorage()

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        """The store in which the leases are."""
        with closing(self.open(tmp_path / "store")) as storage:
            yield storage

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock that all processes share."""
        return FakeClock()

    @pytest.fixture
    def living(self) -> dict[Token, bool | None]:
        """Who lives: True, False, or None for what cannot be known."""
        return {}

    @pytest.fixture
    def ada(self, storage: Storage, clock: FakeClock, living: dict[Token, bool | None]) -> Locks:
        """The locks as one process sees them."""
        return self.locks(Posing(storage, ADA, living), clock)

    @pytest.fixture
    def bob(self, storage: Storage, clock: FakeClock, living: dict[Token, bool | None]) -> Locks:
        """The locks as another process sees them."""
        return self.locks(Posing(storage, BOB, living), clock)

    def test_c16_force_fences_a_living_holder(self, storage: Storage, ada: Locks, bob: Locks) -> None:
        """`force` takes a lock from a holder that lives; that one can neither write, renew nor release."""
        stale = ada.acquire(JOB, "job")
        fresh = bob.acquire(JOB, "job", force=True)
        assert not writes(storage, stale)
        ada.release(stale)
        lease = ada.inspect(JOB, "job")
        assert lease is not None
        assert (lease.owner, lease.epoch) == (BOB, fresh.epoch)

    def test_c16_a_dead_holder_is_succeeded_at_once(
        self, ada: Locks, bob: Locks, living: dict[Token, bool | None]
    ) -> None:
        """A holder that is known to be dead keeps nothing, however fresh its heartbeat is."""
        ada.acquire(JOB, "job", ttl=3600)
        living[ADA] = False
        assert bob.acquire(JOB, "job").epoch

    def test_c16_a_living_holder_does_not_expire(self, ada: Locks, bob: Locks, clock: FakeClock) -> None:
        """A holder that is known to live keeps its lock, however old its heartbeat is."""
        ada.acquire(JOB, "job", ttl=1)
        clock.advance(3600)
        with pytest.raises(Locked):
            bob.acquire(JOB, "job")

    def test_c16_an_unknown_holder_keeps_its_lock_until_it_expires(
        self, ada: Locks, bob: Locks, clock: FakeClock, living: dict[Token, bool | None]
    ) -> None:
        """Who cannot be judged from here is given its time to live after each renewal, and no more."""
        grant = ada.acquire(JOB, "job", ttl=60)
        living[ADA] = None
        for _ in range(3):
            clock.advance(59)
            with pytest.raises(Locked):
                bob.acquire(JOB, "job")
            ada.renew(grant)
        clock.advance(61)
        bob.acquire(JOB, "job")
        with pytest.raises(Fenced):
            ada.renew(grant)


def write(storage: Storage, grant: Grant, number: int) -> None:
    """Append a record under the grant."""
    storage.commit(Batch(grant.scope, [grant.guard, Append(LOG, line(number))]))


def writes(storage: Storage, grant: Grant) -> bool:
    """Whether something could be written under the grant."""
    try:
        storage.commit(Batch(grant.scope, [grant.guard]))
    except Conflict:
        return False
    return True
