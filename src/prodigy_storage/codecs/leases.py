"""Leases, their heartbeats, and the resume locks that Prodigy and people see."""

from __future__ import annotations

import json
from typing import TypeVar

import attrs
import msgspec

from prodigy_storage.codecs.trees import damaged, seal, undecodable, verify
from prodigy_storage.codecs.values import micros, moment, parse_time, time_text
from prodigy_storage.ports.locks import Lease, LockBreak
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Document

S = TypeVar("S", bound=msgspec.Struct)


class _Lease(msgspec.Struct):
    scope: list[str]
    name: str
    epoch: int
    nonce: str
    owner: Token | None
    purpose: str
    acquired_at: int


class _Heartbeat(msgspec.Struct):
    epoch: int
    expires_at: int


class _Break(msgspec.Struct):
    scope: list[str]
    name: str
    epoch: int
    owner: Token | None
    purpose: str
    alive: bool | None
    at: int
    by: str
    reason: str


class _ResumeLock(msgspec.Struct):
    job_id: str
    process_id: int
    hostname: str
    acquired_at: str


def encode_lease(lease: Lease, nonce: str) -> bytes:
    """The body of a lease; `nonce` makes it unlike every other one."""
    stored = _Lease(list(lease.scope), lease.name, lease.epoch, nonce, lease.owner, lease.purpose, lease.acquired_at)
    return seal(msgspec.json.encode(stored), pretty=False)


def decode_lease(document: Document) -> Lease:
    """The inverse of `encode_lease`.

    Raises:
        Corrupt: the document is damaged.
    """
    stored = _decode(_Lease, document)
    return Lease(tuple(stored.scope), stored.name, stored.epoch, stored.owner, stored.purpose, stored.acquired_at)


def encode_heartbeat(epoch: int, expires_at: int) -> bytes:
    """The body of a heartbeat: until when the holder of that epoch counts as alive, microseconds."""
    return seal(msgspec.json.encode(_Heartbeat(epoch, expires_at)), pretty=False)


def decode_heartbeat(document: Document) -> tuple[int, int]:
    """(epoch, expires_at).

    Raises:
        Corrupt: the document is damaged.
    """
    stored = _decode(_Heartbeat, document)
    return stored.epoch, stored.expires_at


def encode_resume_lock(name: str, owner: Token, acquired_at: int) -> bytes:
    """Prodigy's resume lock: pretty JSON, complete at once."""
    lock = {
        "job_id": name,
        "process_id": owner.pid,
        "hostname": owner.host,
        "acquired_at": time_text(moment(acquired_at)),
    }
    return json.dumps(lock, ensure_ascii=False, indent=2).encode()


def decode_resume_lock(document: Document, scope: Scope) -> Lease:
    """A resume lock as a lease of epoch 0, whose owner has no writer id: another program's.

    Raises:
        Corrupt: the document is damaged, or empty as Prodigy leaves it when it ends at once.
    """
    if not document.body.strip():
        raise damaged(document.place, 0, "the lock is empty: Prodigy was writing it, or ended before it had")
    stored = _decode(_ResumeLock, document)
    owner = Token("", stored.process_id, stored.hostname)
    return Lease(scope, stored.job_id, 0, owner, "", micros(parse_time(stored.acquired_at)))


def encode_break(broken: LockBreak) -> bytes:
    """The body of the record that a lock was broken."""
    members = {member.name: getattr(broken, member.name) for member in attrs.fields(LockBreak)}
    stored = _Break(**{**members, "scope": list(broken.scope)})
    return seal(msgspec.json.encode(stored), pretty=False)


def decode_break(document: Document) -> LockBreak:
    """The inverse of `encode_break`.

    Raises:
        Corrupt: the document is damaged.
    """
    members = msgspec.structs.asdict(_decode(_Break, document))
    return LockBreak(**{**members, "scope": tuple(members["scope"])})


def _decode(cls: type[S], document: Document) -> S:
    try:
        return msgspec.json.decode(verify(document.body, document.place), type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = f"it is no {document.kind.replace('_', ' ')}: "
        raise undecodable(document.body, error, document.place, what) from error
