"""Every error that the library raises.

One base class, `StorageError`; each subclass is also the builtin that a caller would try first.
Errors carry fields, pickle, and say whether anything happened (`outcome`).
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import attrs


class Outcome(enum.Enum):
    """What is true of the store after an error."""

    NOTHING = "nothing"
    """Nothing was changed; the call may be made again."""
    UNKNOWN = "unknown"
    """The change may or may not have happened; read before you write again."""


@attrs.define(slots=False, eq=False, str=False)
class StorageError(Exception):
    """Base of all errors of this library.

    Args:
        message: What went wrong, and where.
        hint: What the reader can do about it; may be empty.
    """

    code: ClassVar[str] = "storage"
    outcome: ClassVar[Outcome] = Outcome.NOTHING

    message: str
    hint: str = attrs.field(default="", kw_only=True)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}))


def _rebuild(cls: type[StorageError], fields: dict[str, Any]) -> StorageError:
    return cls(**fields)


@attrs.define(slots=False, eq=False, str=False)
class NotFound(StorageError, LookupError):
    """The named thing does not exist."""

    code: ClassVar[str] = "not-found"
    candidates: tuple[str, ...] = attrs.field(default=(), kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class Ambiguous(StorageError, LookupError):
    """A name stands for several things; `candidates` lists them."""

    code: ClassVar[str] = "ambiguous"
    candidates: tuple[str, ...] = attrs.field(default=(), kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class Conflict(StorageError):
    """A precondition of a batch did not hold; nothing of the batch was applied.

    `operation` is the index of the operation in the batch, `actual` the version that was found (None: absent).
    """

    code: ClassVar[str] = "conflict"
    operation: int = attrs.field(default=-1, kw_only=True)
    kind: str = attrs.field(default="", kw_only=True)
    id: str = attrs.field(default="", kw_only=True)
    actual: str | None = attrs.field(default=None, kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class Fenced(Conflict):
    """The lease was lost to a later epoch; the former holder must write nothing more."""

    code: ClassVar[str] = "fenced"


@attrs.define(slots=False, eq=False, str=False)
class InvalidTransition(StorageError, ValueError):
    """A state does not allow the wanted change."""

    code: ClassVar[str] = "invalid-transition"


@attrs.define(slots=False, eq=False, str=False)
class Stopped(InvalidTransition):
    """The run was asked to pause, or was cancelled, so this is not done any more; what was acknowledged is kept."""

    code: ClassVar[str] = "stopped"


@attrs.define(slots=False, eq=False, str=False)
class Rewound(StorageError):
    """A stream no longer holds what a cursor has already seen (a lost tail, a restored backup)."""

    code: ClassVar[str] = "rewound"


@attrs.define(slots=False, eq=False, str=False)
class Locked(StorageError):
    """Somebody else holds the lock. The fields say who, where and since when (ISO 8601, UTC)."""

    code: ClassVar[str] = "locked"
    name: str = attrs.field(default="", kw_only=True)
    holder: str = attrs.field(default="", kw_only=True)
    pid: int = attrs.field(default=0, kw_only=True)
    host: str = attrs.field(default="", kw_only=True)
    since: str = attrs.field(default="", kw_only=True)
    epoch: int = attrs.field(default=0, kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class Corrupt(StorageError, ValueError):
    """Stored bytes are damaged. `place` is a path or another address, `offset` a byte position in it."""

    code: ClassVar[str] = "corrupt"
    place: str = attrs.field(default="", kw_only=True)
    offset: int | None = attrs.field(default=None, kw_only=True)
    reason: str = attrs.field(default="", kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class StorageFull(StorageError, OSError):
    """No space, no inode or no quota is left. What was acknowledged before stays."""

    code: ClassVar[str] = "storage-full"


@attrs.define(slots=False, eq=False, str=False)
class ReadOnly(StorageError, PermissionError):
    """The store cannot be written by this process."""

    code: ClassVar[str] = "read-only"


@attrs.define(slots=False, eq=False, str=False)
class Unsupported(StorageError, RuntimeError):
    """The backend does not declare what this call needs, or the store has a newer format."""

    code: ClassVar[str] = "unsupported"


@attrs.define(slots=False, eq=False, str=False)
class TooLarge(StorageError, ValueError):
    """A body, a record or a batch is above a limit."""

    code: ClassVar[str] = "too-large"


@attrs.define(slots=False, eq=False, str=False)
class InvalidName(StorageError, ValueError):
    """A name from outside is not storable; nothing was written."""

    code: ClassVar[str] = "invalid-name"


@attrs.define(slots=False, eq=False, str=False)
class InvalidValue(StorageError, ValueError):
    """A value from outside is not storable (no JSON, not finite, a reserved member); nothing was written."""

    code: ClassVar[str] = "invalid-value"


@attrs.define(slots=False, eq=False, str=False)
class InvalidFilter(InvalidValue):
    """A filter cannot be parsed, or cannot be applied to `item` (if that is named); nothing was selected."""

    code: ClassVar[str] = "invalid-filter"
    item: str = attrs.field(default="", kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class QueueFull(StorageError):
    """A job has as many dead letters as it may; nothing was added. `limit` says how many that is."""

    code: ClassVar[str] = "queue-full"
    limit: int = attrs.field(default=0, kw_only=True)


@attrs.define(slots=False, eq=False, str=False)
class WorkAtRisk(StorageError):
    """A working copy holds work that nothing else has, and was left as it is."""

    code: ClassVar[str] = "work-at-risk"


@attrs.define(slots=False, eq=False, str=False)
class CheckoutFailed(StorageError, OSError):
    """A working copy could not be made or removed; the message has what the version control system said."""

    code: ClassVar[str] = "checkout-failed"


@attrs.define(slots=False, eq=False, str=False)
class Unavailable(StorageError, ConnectionError):
    """A passing fault; the same call may succeed later. The retry policy retries these and nothing else."""

    code: ClassVar[str] = "unavailable"


@attrs.define(slots=False, eq=False, str=False)
class Timeout(Unavailable, TimeoutError):
    """A wait reached its deadline, mostly for a lock that another process keeps."""

    code: ClassVar[str] = "timeout"


@attrs.define(slots=False, eq=False, str=False)
class DurabilityUnknown(StorageError, OSError):
    """A write may or may not survive: a sync failed, or a batch broke off half-way and will be redone."""

    code: ClassVar[str] = "durability-unknown"
    outcome: ClassVar[Outcome] = Outcome.UNKNOWN


@attrs.define(slots=False, eq=False, str=False)
class Closed(StorageError, ValueError):
    """The store was closed before this call."""

    code: ClassVar[str] = "closed"


@attrs.define(slots=False, eq=False, str=False)
class ConfigError(StorageError, ValueError):
    """A setting is unknown or has a bad value; the message names where it came from and what is allowed."""

    code: ClassVar[str] = "config"
