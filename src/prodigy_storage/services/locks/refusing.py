"""What somebody is told who does not get a lock."""

from __future__ import annotations

from prodigy_storage.codecs.values import moment, time_text
from prodigy_storage.errors import Locked
from prodigy_storage.ports.locks import Lease
from prodigy_storage.ports.presence import Token


def locked(lease: Lease) -> Locked:
    """The error that names who holds a lock."""
    owner = lease.owner or Token("", 0, "")
    since = time_text(moment(lease.acquired_at))
    what = lease.purpose or lease.name
    return Locked(
        f"{what} is being run by pid {owner.pid} on {owner.host} since {since}"
        + (f" (epoch {lease.epoch})" if lease.epoch else ", in another program"),
        hint="Wait for it, or take it over with --force, which fences the holder."
        if lease.epoch
        else "Wait for it. If it has ended, take the lock over with --force; another program is not fenced by that.",
        name=lease.name,
        holder=owner.writer or what,
        pid=owner.pid,
        host=owner.host,
        since=since,
        epoch=lease.epoch,
    )


def unreadable(name: str, why: str, place: str = "") -> Locked:
    """The error for a lock of which nobody can say who holds it."""
    hint = f"If nothing runs it any more, take it over with --force; the lock is {place or name}."
    return Locked(f"{name} may be held: {why}", hint=hint, name=name)
