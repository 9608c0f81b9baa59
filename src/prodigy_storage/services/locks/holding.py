"""Which locks are held, by us and by other programs, and what takes one from its holder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from prodigy_storage.codecs.kinds import HEARTBEAT, LEASE, LOCK_BREAK, RESUME_LOCK
from prodigy_storage.codecs.leases import (
    decode_lease,
    decode_resume_lock,
    encode_break,
    encode_lease,
    encode_resume_lock,
)
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import Corrupt, NotFound
from prodigy_storage.ports.locks import Lease, LockBreak
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.runtime import Ids
from prodigy_storage.ports.storage import Damage, Delete, Document, Operation, Put, Query, Storage


@attrs.frozen
class Held:
    """A lock that somebody holds.

    Args:
        lease: As its holder left it; without an owner if that cannot be read.
        document: The lease as it is stored; None for a lock of another program.
        resume_lock: The lock that other programs see.
    """

    lease: Lease
    document: Document | None
    resume_lock: Document | None

    def breaking(self, broken: LockBreak, ids: Ids) -> list[Operation]:
        """The record of the break, and what frees the lock under a later epoch."""
        name = self.lease.name
        operations: list[Operation] = [Put(LOCK_BREAK, ids.new(), encode_break(broken)), Delete(HEARTBEAT, name)]
        if self.document is not None:
            free = attrs.evolve(self.lease, owner=None, epoch=max(self.lease.epoch + 1, broken.at))
            operations.append(Put(LEASE, name, encode_lease(free, ids.new()), self.document.version))
        if self.resume_lock is not None:
            operations.append(Delete(RESUME_LOCK, name, self.resume_lock.version))
        return operations


def read_held(storage: Storage, scope: Scope, name: str) -> Held:
    """The lock of that name.

    Raises:
        NotFound: nobody holds it.
    """
    ours = storage.fetch(scope, LEASE, [name], fresh=True).get(name)
    foreign = storage.fetch(scope, RESUME_LOCK, [name], fresh=True).get(name)
    nobody = Lease(scope, name, 0, None, "", 0)
    try:
        lease = decode_lease(ours) if ours else nobody
        if lease.owner is None and foreign is None:
            raise NotFound(f"nobody holds {name}")
        if lease.owner is None and foreign is not None:
            lease = attrs.evolve(decode_resume_lock(foreign, scope), name=name, epoch=lease.epoch)
    except Corrupt:
        lease = nobody
    return Held(lease, ours, foreign)


def held_locks(storage: Storage, on_damage: Callable[[Damage], None]) -> Iterator[Lease]:
    """Every lock that is held; those of other programs, which no lease explains, come last."""
    known = set()
    for page in walk(storage, Query(LEASE, tags={"held": "yes"})):
        for damage in page.damage:
            known.add(damage.id)
            on_damage(damage)
        for document in page.documents:
            known.add(document.id)
            yield decode_lease(document)
    for page in walk(storage, Query(RESUME_LOCK)):
        for document in page.documents:
            if document.id not in known:
                yield from _foreign(document, on_damage)


def _foreign(document: Document, on_damage: Callable[[Damage], None]) -> Iterator[Lease]:
    try:
        yield attrs.evolve(decode_resume_lock(document, document.scope), name=document.id)
    except Corrupt as error:
        on_damage(Damage(document.place, error.offset, error.reason, document.id))


def raising(damage: Damage) -> None:
    """What is told of damage when nobody else wants to know.

    Raises:
        Corrupt: always.
    """
    raise Corrupt(f"{damage.place}: {damage.reason}", place=damage.place, offset=damage.offset, reason=damage.reason)


def is_of(lock: Document, lease: Lease | None) -> bool:
    """Whether a resume lock is the one that came with a lease."""
    if lease is None or lease.owner is None:
        return False
    return lock.body == encode_resume_lock(lease.name, lease.owner, lease.acquired_at)


def known_lease(document: Document | None, *, force: bool) -> Lease | None:
    """The stored lease; a damaged one is no reason to stop whoever uses force."""
    try:
        return decode_lease(document) if document else None
    except Corrupt:
        if force:
            return None
        raise
