"""The standard locks, written over the storage port alone, so that every backend has them.

A lease is a document that changes only with its holder; its version is the guard, so fencing is one more
precondition of a batch. Renewing writes another document, so it never fences its own holder. `Presence` says who
lives; without it only the expiry of the heartbeat counts. Times are those of this process's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from prodigy_storage.codecs.kinds import HEARTBEAT, LEASE, LOCK_BREAK, RESUME_LOCK
from prodigy_storage.codecs.leases import (
    decode_break,
    decode_heartbeat,
    decode_lease,
    decode_resume_lock,
    encode_heartbeat,
    encode_lease,
    encode_resume_lock,
)
from prodigy_storage.codecs.values import micros
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import Conflict, Corrupt, Fenced
from prodigy_storage.ports.locks import Grant, Lease, LockBreak
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Presence, Token
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import (
    Batch,
    Check,
    Damage,
    Delete,
    Document,
    Durability,
    Expect,
    Put,
    Query,
    Storage,
    Version,
)
from prodigy_storage.services.locks.holding import held_locks, is_of, known_lease, raising, read_held
from prodigy_storage.services.locks.refusing import locked, unreadable

_SECOND = 1_000_000


class Locks:
    """`store.locks`; implements `ports.locks.Locks`.

    Args:
        storage: Where the leases are.
        runtime: Clock, ids and the identity of this process.
        presence: Who tells whether a holder lives; None if nobody can.
        exclusive: Whether a living holder keeps others out. If not, whoever comes takes the lock over and fences the
            former holder, as with `force`: it is still written to by one at a time.
    """

    def __init__(
        self, storage: Storage, runtime: Runtime, presence: Presence | None = None, *, exclusive: bool = True
    ) -> None:
        self._storage = storage
        self._runtime = runtime
        self._presence = presence
        self._exclusive = exclusive
        self._ttls: dict[tuple[Scope, str], float] = {}

    def acquire(
        self, scope: Scope, name: str, *, purpose: str = "", ttl: float = 60.0, force: bool = False, above: int = 0
    ) -> Grant:
        """Take the lock at once or raise `Locked`; see the port."""
        document = self._storage.fetch(scope, LEASE, [name], fresh=True).get(name)
        lock = self._storage.fetch(scope, RESUME_LOCK, [name], fresh=True).get(name)
        known = known_lease(document, force=force)
        if not force and self._exclusive:
            holder = self._holder(known, lock)
            if holder is not None:
                raise locked(holder)
        now = micros(self._runtime.clock.now())
        lease = Lease(scope, name, max(above + 1, now, known.epoch + 1 if known else 0), self._me(), purpose, now)
        try:
            version = self._take(lease, document, lock, ttl)
        except Conflict as error:
            raise locked(self._faster(lease)) from error
        self._ttls[scope, name] = ttl
        return Grant(scope, name, lease.epoch, Check(LEASE, name, version))

    def _me(self) -> Token:
        return self._presence.me() if self._presence else self._runtime.background.identity()

    def _faster(self, lease: Lease) -> Lease:
        """Who took the lock before us, if that can be said."""
        scope, name = lease.scope, lease.name
        lock = self._storage.fetch(scope, RESUME_LOCK, [name], fresh=True).get(name)
        ours = self.inspect(scope, name)
        return (ours if ours and ours.owner else lock and self._foreign(scope, lock)) or ours or lease

    def respect(self, scope: Scope, name: str) -> None:
        """Refuse to go on while another program holds a lock of that name, which we do not take ourselves.

        Raises:
            Locked: it does, or may.
        """
        lock = self._storage.fetch(scope, RESUME_LOCK, [name], fresh=True).get(name)
        known = known_lease(self._storage.fetch(scope, LEASE, [name], fresh=True).get(name), force=True)
        holder = self._foreign(scope, lock) if lock and not is_of(lock, known) else None
        if holder is not None:
            raise locked(holder)

    def _take(self, lease: Lease, seen: Document | None, lock: Document | None, ttl: float) -> Version:
        owner = self._me()
        expires = lease.acquired_at + round(ttl * _SECOND)
        body = encode_lease(lease, self._runtime.ids.new())
        receipt = self._storage.commit(
            Batch(
                lease.scope,
                (
                    Put(LEASE, lease.name, body, seen.version if seen else Expect.ABSENT),
                    Put(HEARTBEAT, lease.name, encode_heartbeat(lease.epoch, expires)),
                    Put(
                        RESUME_LOCK,
                        lease.name,
                        encode_resume_lock(lease.name, owner, lease.acquired_at),
                        lock.version if lock else Expect.ABSENT,
                    ),
                ),
            )
        )
        return receipt.versions[LEASE.name, lease.name]

    def _holder(self, known: Lease | None, lock: Document | None) -> Lease | None:
        """Whoever holds the lock and lives, or may live."""
        if known is not None and known.owner is not None:
            alive = self._presence.alive(known.owner) if self._presence else None
            if alive is None:
                alive = self._beats(known)
            if alive:
                return attrs.evolve(known, alive=True)
        return self._foreign(lock.scope, lock) if lock and not is_of(lock, known) else None

    def _beats(self, lease: Lease) -> bool:
        found = self._storage.fetch(lease.scope, HEARTBEAT, [lease.name], fresh=True).get(lease.name)
        if found is None:
            return False
        epoch, expires_at = decode_heartbeat(found)
        return epoch == lease.epoch and expires_at > micros(self._runtime.clock.now())

    def _foreign(self, scope: Scope, lock: Document) -> Lease | None:
        """Who holds a resume lock that no lease explains: another program made it."""
        try:
            lease = attrs.evolve(decode_resume_lock(lock, scope), name=lock.id)
        except Corrupt as error:
            raise unreadable(lock.id, f"its lock cannot be read ({error.reason})", lock.place) from error
        assert lease.owner is not None  # a resume lock always names one
        alive = self._presence.alive(lease.owner) if self._presence else None
        return None if alive is False else lease

    def renew(self, grant: Grant) -> None:
        """Say that the holder lives; see the port."""
        ttl = self._ttls.get((grant.scope, grant.name), 60.0)
        expires = micros(self._runtime.clock.now()) + round(ttl * _SECOND)
        beat = Put(HEARTBEAT, grant.name, encode_heartbeat(grant.epoch, expires))
        try:
            self._storage.commit(Batch(grant.scope, (grant.guard, beat), Durability.OS))
        except Conflict as error:
            raise Fenced(f"{grant.name} was taken over; epoch {grant.epoch} is over", kind=LEASE.name) from error

    def release(self, grant: Grant) -> None:
        """Give the lock back; does nothing when it is no longer ours."""
        found = self._storage.fetch(grant.scope, LEASE, [grant.name], fresh=True).get(grant.name)
        if found is None or found.version != grant.guard.expect:
            return
        free = attrs.evolve(decode_lease(found), owner=None)
        put = Put(LEASE, grant.name, encode_lease(free, self._runtime.ids.new()), found.version)
        try:
            self._storage.commit(
                Batch(grant.scope, (put, Delete(HEARTBEAT, grant.name), Delete(RESUME_LOCK, grant.name)))
            )
        except Conflict:
            return
        self._ttls.pop((grant.scope, grant.name), None)

    def break_lock(self, scope: Scope, name: str, *, by: str, reason: str = "", force: bool = False) -> LockBreak:
        """Take a lock from its holder, who is fenced, and give it to nobody. Who did it and why is stored with it.

        Args:
            scope, name: Which lock.
            by: Who breaks it, for the record.
            reason: Why, for the record.
            force: Break it although its holder lives, or may live.

        Raises:
            NotFound: nobody holds it.
            Locked: its holder lives, or may live, and `force` was not given.
            Conflict: it changed its holder meanwhile.
        """
        held = read_held(self._storage, scope, name)
        if not force:
            living = self._living(held.lease)
            if living is not None:
                raise locked(living) if living.owner else unreadable(name, "its lock cannot be read")
        now = micros(self._runtime.clock.now())
        ended = self._judged(held.lease)
        broken = LockBreak(scope, name, ended.epoch, ended.owner, ended.purpose, ended.alive, now, by, reason)
        self._storage.commit(Batch(scope, held.breaking(broken, self._runtime.ids)))
        return broken

    def _living(self, held: Lease) -> Lease | None:
        """The lock if its holder lives, or may live."""
        if held.owner is None:
            return held  # what cannot be read may be held
        alive = self._presence.alive(held.owner) if self._presence else None
        if alive is None and held.epoch:
            alive = self._beats(held)
        return None if alive is False else attrs.evolve(held, alive=alive)

    def breaks(
        self, scope: Scope = (), name: str | None = None, on_damage: Callable[[Damage], None] | None = None
    ) -> Sequence[LockBreak]:
        """Every lock below a scope that was broken by hand, the oldest first.

        Args:
            scope: A prefix; all scopes if it is empty.
            name: Of one lock only.
            on_damage: Told of each record that cannot be read; without it the first one raises `Corrupt`.
        """
        tags = {} if name is None else {"name": name}
        found, damage = gather(self._storage, Query(LOCK_BREAK, scope, tags), decode_break)
        for one in damage:
            (on_damage or raising)(one)
        return found

    def inspect(self, scope: Scope, name: str) -> Lease | None:
        """The lock as it is now; None if it was never taken."""
        found = self._storage.fetch(scope, LEASE, [name], fresh=True).get(name)
        return self._judged(decode_lease(found)) if found else None

    def list(self, on_damage: Callable[[Damage], None] | None = None) -> Sequence[Lease]:
        """Every lock that is held now, dead holders included; see the port."""
        return [self._judged(lease) for lease in held_locks(self._storage, on_damage or raising)]

    def _judged(self, lease: Lease) -> Lease:
        if lease.owner is None or self._presence is None:
            return lease
        return attrs.evolve(lease, alive=self._presence.alive(lease.owner))
