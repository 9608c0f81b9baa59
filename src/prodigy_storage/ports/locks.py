"""The lock port: leases with an epoch, so that a stale holder can never write over its successor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Check, Damage


@attrs.frozen
class Lease:
    """A lock as it is stored.

    Args:
        scope, name: What is locked.
        epoch: Grows with every change of holder, never comes back.
        owner: Who holds it; None when it is free.
        purpose: What for, in the holder's words (a session id).
        acquired_at: Microseconds since 1970-01-01 UTC.
        alive: Whether the owner lives; None if only the expiry of its heartbeat can tell.
    """

    scope: Scope
    name: str
    epoch: int
    owner: Token | None
    purpose: str
    acquired_at: int
    alive: bool | None = None


@attrs.frozen
class LockBreak:
    """That a lock was taken from its holder by hand; stored for good, so that it is never done silently.

    Args:
        scope, name: What was locked.
        epoch: Of the lease that ended; 0 for a lock of another program.
        owner: Who held it; None if that could not be read.
        purpose: What for, in the holder's words.
        alive: Whether the holder lived; None if that could not be known.
        at: When it was broken, microseconds since 1970-01-01 UTC.
        by: Who broke it.
        reason: Why.
    """

    scope: Scope
    name: str
    epoch: int
    owner: Token | None
    purpose: str
    alive: bool | None
    at: int
    by: str
    reason: str


@attrs.frozen
class Grant:
    """The right to write under a lock. Put `guard` into every batch: "still mine" is one more precondition."""

    scope: Scope
    name: str
    epoch: int
    guard: Check


class Locks(Protocol):
    """Exclusive locks that outlive no process.

    A lock is taken over from an owner that is known to be dead. One that cannot be judged from here is held
    until its heartbeat is older than its time to live.
    """

    def acquire(
        self, scope: Scope, name: str, *, purpose: str = "", ttl: float = 60.0, force: bool = False, above: int = 0
    ) -> Grant:
        """Take the lock at once or raise.

        Args:
            scope, name: What to lock.
            purpose: Shown to whoever finds it locked.
            ttl: Seconds after which a silent holder on another machine counts as dead.
            force: Take it from a living holder too; that one is fenced.
            above: The new epoch is greater than this.

        Raises:
            Locked: somebody living holds it; the error says who.
        """
        ...

    def renew(self, grant: Grant) -> None:
        """Say that the holder lives. Never fences its own holder.

        Raises:
            Fenced: the lock belongs to a later epoch.
        """
        ...

    def release(self, grant: Grant) -> None:
        """Give the lock back; does nothing when it is no longer ours."""
        ...

    def inspect(self, scope: Scope, name: str) -> Lease | None:
        """The lock as it is now; None if it was never taken."""
        ...

    def list(self, on_damage: Callable[[Damage], None] | None = None) -> Sequence[Lease]:
        """Every lock that is held now, dead holders included.

        Args:
            on_damage: Told of each lock that cannot be read; without it the first one raises `Corrupt`.
        """
        ...
