from __future__ import annotations

import attrs
import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Fenced, StorageError
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Check
from prodigy_storage.services.locks import Locks
from prodigy_storage.testing import FakeBackground, LocksContract, Posing, fake_runtime


def standard(storage, clock, cls=Locks):
    return cls(storage, fake_runtime(clock=clock, background=FakeBackground(storage.me())), storage)


class TestStandardLocksInMemory(LocksContract):
    def locks(self, storage, clock):
        return standard(storage, clock)


class TestStandardLocksInFiles(LocksContract):
    def open(self, place):
        return FileStorage(place)

    def locks(self, storage, clock):
        return standard(storage, clock)


class RenewsByTakingAgain(Locks):
    def renew(self, grant):
        self.acquire(grant.scope, grant.name, force=True)


class ReleasesForAnybody(Locks):
    def release(self, grant):
        lease = self.inspect(grant.scope, grant.name)
        if lease is not None and lease.owner is not None:
            found = self._storage.fetch(grant.scope, grant.guard.kind, [grant.name])[grant.name]
            super().release(attrs.evolve(grant, guard=Check(grant.guard.kind, grant.name, found.version)))


class GivesTheSameEpoch(Locks):
    def acquire(self, *args, **options):
        return attrs.evolve(super().acquire(*args, **options), epoch=7)


class JudgesNobodyDead(Locks):
    def _holder(self, known, lock):
        return known if known is not None and known.owner is not None else None


class GuardsWithNothing(Locks):
    def acquire(self, *args, **options):
        grant = super().acquire(*args, **options)
        return Grant(grant.scope, grant.name, grant.epoch, Check(grant.guard.kind, "another", grant.guard.expect))


class RenewsWhatIsLost(Locks):
    def renew(self, grant):
        try:
            super().renew(grant)
        except Fenced:
            return


@pytest.mark.parametrize(
    ("saboteur", "test"),
    [
        (RenewsByTakingAgain, "test_c16_renewing_fences_nobody"),
        (ReleasesForAnybody, "test_c16_release_is_idempotent"),
        (JudgesNobodyDead, "test_c16_a_dead_holder_is_succeeded_at_once"),
        (RenewsWhatIsLost, "test_c16_a_fenced_holder_cannot_renew"),
        (GuardsWithNothing, "test_c16_a_guard_holds_while_the_lock_is_held"),
        (GivesTheSameEpoch, "test_c16_epochs_grow_and_never_come_back"),
    ],
)
def test_the_contract_catches_locks_that_break_a_promise(run_by_hand, saboteur, test):
    """Locks that renew by fencing, release for others, or never judge, fail the test of that promise."""
    with pytest.raises((AssertionError, StorageError, pytest.fail.Exception)):
        run_by_hand(saboteur, test)


@pytest.fixture
def run_by_hand(tmp_path):
    """Run one test of the contract by hand, with the fixtures that it names."""

    def run(cls, name):
        class Contract(LocksContract):
            def locks(self, storage, clock):
                return standard(storage, clock, cls)

        contract, fixtures = Contract(), {}
        fixtures["storage"] = contract.open(tmp_path)
        fixtures["clock"], fixtures["living"] = fake_runtime().clock, {}
        for who, number in (("ada", 101), ("bob", 102)):
            token = Token(f"writer-{who}", number, "engine", "boot", float(number - 100))
            fixtures[who] = contract.locks(Posing(fixtures["storage"], token, fixtures["living"]), fixtures["clock"])
        method = getattr(contract, name)
        wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        method(**{key: fixtures[key] for key in wanted})

    return run


def test_the_hand_made_run_passes_the_standard_locks(run_by_hand):
    """Run by hand, the tests that catch the saboteurs pass the standard locks."""
    for name in (
        "test_c16_renewing_fences_nobody",
        "test_c16_release_is_idempotent",
        "test_c16_epochs_grow_and_never_come_back",
    ):
        assert run_by_hand(Locks, name) is None
