"""The standard locks over the storage port."""

from __future__ import annotations

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import LEASE, RESUME_LOCK
from prodigy_storage.codecs.leases import encode_resume_lock
from prodigy_storage.errors import Conflict, Corrupt, Fenced, Locked, NotFound
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Batch, Damage, Index, Kind, Put
from prodigy_storage.services.locks import Locks
from prodigy_storage.testing.fakes import FakeClock, fake_runtime

SCOPE = ("repo", "job")


@attrs.define
class Census:
    """A presence that knows who lives because the test says so."""

    token: Token
    verdicts: dict[str, bool | None]

    def me(self) -> Token:
        return self.token

    def alive(self, token: Token) -> bool | None:
        return self.verdicts.get(token.writer or str(token.pid))


def one(storage: MemoryStorage, runtime: Runtime, name: str, verdicts: dict[str, bool | None] | None) -> Locks:
    census = None if verdicts is None else Census(Token(name, 7, "host"), verdicts)
    return Locks(storage, runtime, census)


def test_a_living_holder_is_named_to_whoever_comes_second() -> None:
    """Locked says who holds the lock, where, and since when."""
    storage, runtime = MemoryStorage(), fake_runtime()
    verdicts: dict[str, bool | None] = {"a": True}
    one(storage, runtime, "a", verdicts).acquire(SCOPE, "job", purpose="session-1")
    with pytest.raises(Locked, match=r"session-1 is being run by pid 7 on host since 2025-01-01T00:00:00") as caught:
        one(storage, runtime, "b", verdicts).acquire(SCOPE, "job")
    assert (caught.value.pid, caught.value.host, caught.value.name) == (7, "host", "job")


def test_a_dead_holder_is_succeeded_with_a_higher_epoch() -> None:
    """A takeover needs no force and fences whatever the dead holder left."""
    storage, runtime = MemoryStorage(), fake_runtime()
    first = one(storage, runtime, "a", {"a": False}).acquire(SCOPE, "job")
    second = one(storage, runtime, "b", {"a": False}).acquire(SCOPE, "job")
    assert second.epoch > first.epoch
    with pytest.raises(Conflict):
        storage.commit(Batch(SCOPE, (first.guard,)))
    storage.commit(Batch(SCOPE, (second.guard,)))


@pytest.mark.parametrize("verdicts", [None, {"a": None}])
def test_a_holder_that_cannot_be_judged_counts_as_dead_when_its_heartbeat_is_old(
    verdicts: dict[str, bool | None] | None,
) -> None:
    """Without a verdict only expiry counts, and renewing puts it off."""
    clock = FakeClock()
    storage, runtime = MemoryStorage(), fake_runtime(clock=clock)
    mine, other = one(storage, runtime, "a", verdicts), one(storage, runtime, "b", verdicts)
    grant = mine.acquire(SCOPE, "job", ttl=60)
    clock.advance(59)
    mine.renew(grant)
    clock.advance(59)
    with pytest.raises(Locked):
        other.acquire(SCOPE, "job")
    clock.advance(2)
    assert other.acquire(SCOPE, "job").epoch > grant.epoch
    with pytest.raises(Fenced):
        mine.renew(grant)


def test_force_fences_a_living_holder() -> None:
    """Force takes the lock; the former holder can neither write nor renew, and its release does nothing."""
    storage, runtime = MemoryStorage(), fake_runtime()
    verdicts: dict[str, bool | None] = {"a": True, "b": True}
    former = one(storage, runtime, "a", verdicts)
    lost = former.acquire(SCOPE, "job")
    kept = one(storage, runtime, "b", verdicts).acquire(SCOPE, "job", force=True)
    former.release(lost)
    lease = former.inspect(SCOPE, "job")
    assert lease is not None
    assert (lease.epoch, lease.owner and lease.owner.writer, lease.alive) == (kept.epoch, "b", True)
    with pytest.raises(Conflict):
        storage.commit(Batch(SCOPE, (lost.guard,)))


def test_an_epoch_grows_past_everything_that_was_written_under_an_earlier_one() -> None:
    """`above` is respected even when the clock went back and the lease was deleted."""
    storage, runtime = MemoryStorage(), fake_runtime()
    assert one(storage, runtime, "a", {}).acquire(SCOPE, "job", above=10**18).epoch == 10**18 + 1


def test_a_released_lock_is_free_and_leaves_no_resume_lock() -> None:
    """After a release the list is empty, Prodigy's lock file is gone, and the next epoch is higher."""
    storage, runtime = MemoryStorage(), fake_runtime()
    locks = one(storage, runtime, "a", {"a": True})
    grant = locks.acquire(SCOPE, "job")
    assert [lease.name for lease in locks.list()] == ["job"]
    assert storage.fetch(SCOPE, RESUME_LOCK, ["job"])
    locks.release(grant)
    locks.release(grant)
    assert list(locks.list()) == []
    assert not storage.fetch(SCOPE, RESUME_LOCK, ["job"])
    assert locks.acquire(SCOPE, "job").epoch > grant.epoch


@pytest.mark.parametrize(("alive", "held"), [(True, True), (None, True), (False, False)])
def test_a_resume_lock_of_another_program_is_respected_while_its_process_may_live(
    alive: bool | None, held: bool
) -> None:
    """A lock file that no lease explains is judged by its pid; unknown counts as held."""
    storage, runtime = MemoryStorage(), fake_runtime()
    body = encode_resume_lock("job", Token("", 99, "elsewhere"), 1)
    storage.commit(Batch(SCOPE, (Put(RESUME_LOCK, "job", body),)))
    locks = one(storage, runtime, "a", {"99": alive})
    if held:
        with pytest.raises(Locked, match="pid 99 on elsewhere"):
            locks.acquire(SCOPE, "job")
    else:
        assert locks.acquire(SCOPE, "job").epoch > 0


def test_an_unreadable_resume_lock_is_explained_and_yields_to_force() -> None:
    """The empty lock that Prodigy can leave behind is no dead end."""
    storage, runtime = MemoryStorage(), fake_runtime()
    storage.commit(Batch(SCOPE, (Put(RESUME_LOCK, "job", b""),)))
    locks = one(storage, runtime, "a", {})
    with pytest.raises(Locked, match="cannot be read") as caught:
        locks.acquire(SCOPE, "job")
    assert "--force" in caught.value.hint
    assert locks.acquire(SCOPE, "job", force=True).epoch > 0


def test_a_lease_that_was_deleted_by_hand_fences_its_holder() -> None:
    """Nothing is written under a lease that is gone."""
    storage, runtime = MemoryStorage(), fake_runtime()
    locks = one(storage, runtime, "a", {})
    grant = locks.acquire(SCOPE, "job")
    storage.commit(Batch(SCOPE, (Put(LEASE, "job", storage.fetch(SCOPE, LEASE, ["job"])["job"].body + b" "),)))
    with pytest.raises(Fenced):
        locks.renew(grant)


def test_a_dead_holders_lock_is_broken_and_the_record_says_who_and_why() -> None:
    """Afterwards nobody holds it, and the record names the holder, who broke it and why."""
    storage, runtime = MemoryStorage(), fake_runtime()
    grant = one(storage, runtime, "a", {"a": False}).acquire(SCOPE, "job", purpose="session-1")
    locks = one(storage, runtime, "b", {"a": False})
    broken = locks.break_lock(SCOPE, "job", by="me@here", reason="the machine is gone")
    assert (broken.epoch, broken.owner, broken.purpose) == (grant.epoch, Token("a", 7, "host"), "session-1")
    assert (broken.by, broken.reason, broken.alive) == ("me@here", "the machine is gone", False)
    assert locks.breaks(SCOPE, "job") == [broken]
    assert not locks.breaks(("other",))
    assert not locks.list()
    assert not storage.fetch(SCOPE, RESUME_LOCK, ["job"])
    with pytest.raises(NotFound, match="nobody holds job"):
        locks.break_lock(SCOPE, "job", by="me@here")


@pytest.mark.parametrize("verdict", [True, None])
def test_a_living_holders_lock_is_broken_by_force_only_and_the_holder_is_fenced(verdict: bool | None) -> None:
    """Without force nothing changes; with it no write of the former holder succeeds, nor does its renewal."""
    storage, runtime = MemoryStorage(), fake_runtime()
    holder = one(storage, runtime, "a", {"a": verdict})
    grant = holder.acquire(SCOPE, "job")
    locks = one(storage, runtime, "b", {"a": verdict})
    with pytest.raises(Locked):
        locks.break_lock(SCOPE, "job", by="me")
    assert not locks.breaks()
    storage.commit(Batch(SCOPE, (grant.guard,)))
    locks.break_lock(SCOPE, "job", by="me", force=True)
    with pytest.raises(Conflict):
        storage.commit(Batch(SCOPE, (grant.guard,)))
    with pytest.raises(Fenced):
        holder.renew(grant)
    holder.release(grant)
    assert locks.acquire(SCOPE, "job").epoch > grant.epoch


def test_another_programs_lock_is_listed_and_can_be_broken() -> None:
    """A resume lock that no lease explains has its holder's pid and host; a damaged one is broken by force."""
    storage, runtime = MemoryStorage(), fake_runtime()
    locks = one(storage, runtime, "b", {"4711": True})
    body = encode_resume_lock("job-of-another", Token("", 4711, "host"), 0)
    storage.commit(Batch(SCOPE, (Put(RESUME_LOCK, "session-9", body), Put(RESUME_LOCK, "job", b""))))
    damage: list[Damage] = []
    (listed,) = locks.list(damage.append)
    assert (listed.name, listed.owner, listed.epoch, listed.alive) == ("session-9", Token("", 4711, "host"), 0, True)
    assert [one.id for one in damage] == ["job"]
    with pytest.raises(Corrupt):
        locks.list()
    for name in ("session-9", "job"):
        with pytest.raises(Locked):
            locks.break_lock(SCOPE, name, by="me")
        locks.break_lock(SCOPE, name, by="me", force=True)
    assert [broken.owner for broken in locks.breaks()] == [Token("", 4711, "host"), None]
    assert not locks.list()


def test_a_damaged_lease_is_broken_by_force_and_can_be_taken_again() -> None:
    """What cannot be read may be held; the record says that its holder was not known."""
    storage, runtime = MemoryStorage(), fake_runtime()
    locks = one(storage, runtime, "b", {})
    kind = Kind(LEASE.name, lambda _: Index(0, {"held": "yes"}), LEASE.tags)
    storage.commit(Batch(SCOPE, (Put(kind, "job", b"{"),)))
    with pytest.raises(Locked):
        locks.break_lock(SCOPE, "job", by="me")
    assert locks.break_lock(SCOPE, "job", by="me", force=True).owner is None
    assert locks.acquire(SCOPE, "job").epoch
