"""The storage port: documents and streams, one atomic write, four reads.

A backend sees names and bytes only. What a *kind* of document or a *stream* of records means comes in with
`Kind` and `Stream`, whose functions read a body that the backend never has to understand. The numbered clauses
(C1 to C20) that a backend promises are in the documentation under "contract".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NewType, Protocol, TypeAlias

import attrs

from prodigy_storage.errors import InvalidValue
from prodigy_storage.ports.names import Scope, check_name, check_scope

Version = NewType("Version", str)
"""Opaque; equal only for equal bodies of one document. Compare it, never order it."""

Cursor = NewType("Cursor", str)
"""Opaque place in a stream: everything before it was seen."""


class Expect(enum.Enum):
    """What a precondition can ask for besides a version."""

    ANY = "any"
    ABSENT = "absent"


Expectation: TypeAlias = Expect | Version


class Durability(enum.IntEnum):
    """What a returned commit means. A backend may do more than it was asked for, never less."""

    OS = 1
    """All bytes are with the operating system: survives the death of the process, not a power cut."""
    GROUP = 2
    """Covered by a sync that may be shared with other commits: survives a power cut."""
    FULL = 3
    """Synced by itself, names included: survives a power cut."""


class Capability(enum.Enum):
    """What a backend declares; nothing is guessed from its class."""

    DURABLE = "durable"
    """What was committed is there after `close()` and a new start."""
    MULTI_PROCESS = "multi-process"
    """Several processes of one machine may use the store at once."""
    MULTI_HOST = "multi-host"
    """Several machines may use the store at once."""
    PRESENCE = "presence"
    """The backend implements `Presence`."""
    MEASURING = "measuring"
    """The backend implements `Measuring`."""
    TRYING = "trying"
    """The backend implements `Trying`."""
    PRUNING = "pruning"
    """The backend implements `Pruning`."""


@attrs.frozen
class Index:
    """What a document is found by.

    Args:
        at: Microseconds since 1970-01-01 UTC; documents are ordered by it.
        tags: Values for equality filters; the keys are among the kind's declared `tags`.
        id: The id that the body itself names, if the kind has one there; it counts where another program stored the
            document under a name of its own. None: the name under which it is stored counts.
    """

    at: int
    tags: Mapping[str, str] = attrs.field(factory=dict)
    id: str | None = None


@attrs.frozen
class Kind:
    """A type of document.

    Args:
        name: Its name; two kinds are equal when their names are.
        index: Derives the `Index` from a body. Raises `Corrupt` for a body that is damaged.
        tags: Every tag that `index` may give, declared, so that a backend can index exactly these.
    """

    name: str
    index: Callable[[bytes], Index] = attrs.field(eq=False, repr=False)
    tags: tuple[str, ...] = attrs.field(default=(), eq=False)


@attrs.frozen
class Stream:
    """A type of record stream.

    Args:
        name: Its name; two streams are equal when their names are.
        at: Derives the time of a record, in microseconds since 1970-01-01 UTC, for trimming by time.
    """

    name: str
    at: Callable[[bytes], int] = attrs.field(eq=False, repr=False)


@attrs.frozen
class Put:
    """Write a document, if the precondition holds."""

    kind: Kind
    id: str
    body: bytes
    expect: Expectation = Expect.ANY


@attrs.frozen
class Delete:
    """Remove a document, if the precondition holds; absent with `ANY` is no error."""

    kind: Kind
    id: str
    expect: Expectation = Expect.ANY


@attrs.frozen
class Check:
    """A precondition without a change."""

    kind: Kind
    id: str
    expect: Expectation


@attrs.frozen
class Append:
    """Add whole records to a stream.

    Args:
        stream: Where.
        data: One or more lines, each one JSON object in compact form and a newline byte.
    """

    stream: Stream
    data: bytes


@attrs.frozen
class Trim:
    """Remove records from the front of a stream.

    Args:
        stream: Where.
        before: A cursor (what it has passed may go) or a time in microseconds (what is older may go).

    A backend may keep more than it was allowed to remove (what a live writer still writes), never less.
    """

    stream: Stream
    before: Cursor | int


Operation: TypeAlias = Put | Delete | Check | Append | Trim


@attrs.frozen
class Batch:
    """Operations that happen together or not at all, inside one scope.

    At most one operation for each document (a `Check` counts), and one for each stream.

    Raises:
        InvalidName: a name or the scope is not storable.
        InvalidValue: two operations for one document or stream, or records that are no whole lines.
    """

    scope: Scope
    operations: Sequence[Operation]
    durability: Durability = Durability.FULL

    def __attrs_post_init__(self) -> None:
        check_scope(self.scope)
        seen: set[str | tuple[str, str]] = set()
        for operation in self.operations:
            key: str | tuple[str, str]
            if isinstance(operation, _ON_STREAMS):
                key = operation.stream.name
                if isinstance(operation, Append):
                    _check_records(operation.data)
            else:
                key = (operation.kind.name, check_name(operation.id))
            if key in seen:
                raise InvalidValue(
                    f"a batch has at most one operation for {key if isinstance(key, str) else '/'.join(key)}"
                )
            seen.add(key)


_ON_STREAMS = (Append, Trim)
_RESERVED = re.compile(rb'\t"_seq":[0-9]+, *"_crc":[0-9]+\}\n')


def _check_records(data: bytes) -> None:
    if not data.endswith(b"}\n"):
        raise InvalidValue("the records of an append are JSON objects, each ending in a newline")
    if b"\t" in data and _RESERVED.search(data):
        raise InvalidValue("the members _seq and _crc behind a tab, at the end of a record, are reserved for the store")


@attrs.frozen
class Receipt:
    """What a commit reached.

    Args:
        versions: The new version of each document that was put, by (kind name, id).
        durability: The level that was reached, at least the one asked for.
    """

    versions: Mapping[tuple[str, str], Version]
    durability: Durability


@attrs.frozen
class Document:
    """A stored body with its version.

    `place` says where the body lies, for messages (a path for files); it may be empty.
    """

    scope: Scope
    kind: str
    id: str
    body: bytes
    version: Version
    place: str = ""


@attrs.frozen
class Damage:
    """Something that cannot be read, and where. The rest stays readable. `id` names a damaged document."""

    place: str
    offset: int | None
    reason: str
    id: str = ""


@attrs.frozen(order=True)
class Position:
    """The key by which a walk over documents is ordered."""

    at: int
    scope: Scope
    id: str


@attrs.frozen
class Query:
    """Which documents a walk gives. This language never grows.

    Args:
        kind: The kind.
        scope: A prefix: `()` all scopes, `(repo,)` that project and its jobs, `(repo, job)` that job.
        tags: Each must be equal.
        since, until: Half-open range of `Index.at`, microseconds: since <= at < until.
        limit: The size of a page at most; 1 or more.
    """

    kind: Kind
    scope: Scope = ()
    tags: Mapping[str, str] = attrs.field(factory=dict)
    since: int | None = None
    until: int | None = None
    limit: int = 100

    def __attrs_post_init__(self) -> None:
        check_scope(self.scope)
        if self.limit < 1:
            raise InvalidValue(f"a page has at least one document, not {self.limit}")


@attrs.frozen
class Page:
    """Some documents in the order of `Position`, and where the next page starts (None: there is none)."""

    documents: Sequence[Document]
    next: Position | None = None
    damage: Sequence[Damage] = ()


@attrs.frozen
class Part:
    """Where the bytes of a chunk come from, for reports: those from `start` on lie at an offset of a place."""

    start: int
    place: str
    offset: int


@attrs.frozen
class Chunk:
    """Some whole records in one buffer, and the cursor behind them. Empty `data` means: nothing more now.

    A backend may say in `parts`, in order, where bytes come from that it could not verify.
    """

    data: bytes
    cursor: Cursor
    damage: Sequence[Damage] = ()
    parts: Sequence[Part] = ()


class Storage(Protocol):
    """What a backend implements. All methods may be called from several threads."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this backend declares."""
        ...

    def commit(self, batch: Batch) -> Receipt:
        """Judge all preconditions on the state before the batch, then apply all of it or nothing.

        Raises:
            Conflict: a precondition did not hold; nothing happened.
            StorageFull, ReadOnly, Unavailable: nothing happened.
            DurabilityUnknown: the outcome is not known.
        """
        ...

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """The documents that exist among `ids`; `fresh` passes by every cache, for compare-and-set."""
        ...

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """A page ordered by (at, scope, id), strictly after `after`. A document untouched during a walk is seen."""
        ...

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """The next whole records after a cursor, as they were appended.

        The cursor sees every later record exactly once, also across reopening, rotation and trimming.
        `verify=False` allows a backend to skip checksums, for scans that only count.

        Raises:
            Rewound: the stream no longer holds what the cursor has seen.
        """
        ...

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """Every scope in which documents of that kind, or records of that stream, exist; sorted."""
        ...

    def close(self) -> None:
        """Release everything. May be called again; any other later call raises `Closed`."""
        ...
