"""The way out: records of one scope, of several, and the newest of all."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

import attrs

from prodigy_storage.codecs.projections import Sieve
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Corrupt
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import EventRecord
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Cursor, Damage, Part, Storage

OnDamage = Callable[[Damage], None]
WINDOW = 16_384
"""An id that comes back within so many matching records of a scope is the same record."""


class FoundEvents(Iterator[EventRecord]):
    """Records that match a filter, read while they are asked for.

    `damage` lists what could not be read so far, unless a callback takes it.
    """

    def __init__(self, records: Iterator[EventRecord], damage: Sequence[Damage]) -> None:
        self._records = records
        self.damage = damage

    def __next__(self) -> EventRecord:
        return next(self._records)


class Recent:
    """Remembers the last ids: at least `window`, at most twice as many."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._young: set[str] = set()
        self._old: set[str] = set()

    def repeats(self, id: str) -> bool:
        """Whether this id came already; remembers it."""
        if id in self._young or id in self._old:
            return True
        if len(self._young) >= self._window:
            self._young, self._old = set(), self._young
        self._young.add(id)
        return False


def scopes(storage: Storage, wanted: EventFilter) -> Sequence[Scope]:
    """The scopes in which the records that are asked for can lie."""
    if wanted.repo is not None and wanted.job is not None:
        return [(wanted.repo, job) for job in sorted(wanted.job)]
    return [scope for scope in storage.scopes(EVENTS) if wanted.has_scope(scope)]


@attrs.frozen
class Origin:
    """Where a chunk comes from.

    Args:
        scope: Whose events they are.
        offset: The position of the chunk in the stream as it is read here.
        parts: What the backend says of where the bytes lie.
    """

    scope: Scope
    offset: int = 0
    parts: Sequence[Part] = ()

    def damage(self, position: int, reason: str) -> Damage:
        """The report of a line that begins at a position of the chunk."""
        index = bisect.bisect_right(self.parts, position, key=lambda part: part.start) - 1
        if index >= 0:
            part = self.parts[index]
            return Damage(part.place, part.offset + position - part.start, reason)
        return Damage("/".join((EVENTS.name, *self.scope)), self.offset + position, reason)


def chunks(storage: Storage, scope: Scope, on_damage: OnDamage, *, verify: bool) -> Iterator[tuple[Origin, bytes]]:
    """Every chunk of a scope's events, each with where it comes from.

    Nothing is held here while the next one is read, so that its bytes can lie where those of the last one lay.
    """
    cursor: Cursor | None = None
    offset = 0
    while True:
        chunk = storage.records(scope, EVENTS, cursor, verify=verify)
        for damage in chunk.damage:
            on_damage(damage)
        if not chunk.data:
            return
        taken = [(Origin(scope, offset, chunk.parts), chunk.data)]
        offset += len(chunk.data)
        cursor = chunk.cursor
        del chunk
        yield taken.pop()


def decode(codec: EventCodec, origin: Origin, line: bytes, position: int, on_damage: OnDamage) -> EventRecord | None:
    """One line, which begins at a position of its chunk; None if it is blank or damaged."""
    try:
        return codec.decode(line)
    except Corrupt as error:
        if line.strip():
            on_damage(origin.damage(position, error.reason))
        return None


def records(
    storage: Storage,
    codec: EventCodec,
    scope: Scope,
    wanted: EventFilter,
    on_damage: OnDamage,
    *,
    passes: Callable[[bytes], bool] | None = None,
) -> Iterator[EventRecord]:
    """The matching records of one scope, in the order of the stream, each id once within the window.

    `passes` says of a line whether it is worth reading.
    """
    sieve = Sieve(wanted)
    recent = Recent()
    for origin, data in chunks(storage, scope, on_damage, verify=True):
        for offset, line in sieve.lines(data):
            if passes is not None and not passes(line):
                continue
            record = decode(codec, origin, line, offset, on_damage)
            if record is not None and wanted.matches(record) and not recent.repeats(record.id):
                yield record


def newest(found: Iterable[EventRecord], limit: int) -> Iterator[EventRecord]:
    """The latest `limit` records in the order of time; what is equally late keeps its order."""
    numbers = count()
    latest = heapq.nlargest(limit, ((record.timestamp, next(numbers), record) for record in found))
    yield from (record for _, _, record in reversed(latest))
