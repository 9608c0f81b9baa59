"""Following the log: every event once, from now on."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.projections import Sieve
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Rewound
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import EventRecord
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Chunk, Cursor, Damage, Storage
from prodigy_storage.services.events.reading import OnDamage, Origin, Recent, decode, newest, scopes


@attrs.define(eq=False)
class _Place:
    """How far one stream was read, and what was shown of it lately."""

    cursor: Cursor | None = None
    recent: Recent = attrs.field(factory=Recent)


class Follower(Iterator[EventRecord]):
    """Matching records as they are stored, each once; made by `Events.follow`.

    `next` waits until there is one. It ends after `stop`, which any thread may call.

    Args:
        storage: Where they are.
        codec: Reads lines.
        wanted: Which records; its limit is about those that exist already.
        clock: Waits.
        poll: Seconds between two looks.
        on_damage: Takes what cannot be read, and streams that were rewound.
    """

    def __init__(
        self,
        storage: Storage,
        codec: EventCodec,
        wanted: EventFilter,
        *,
        clock: Clock,
        poll: float,
        on_damage: OnDamage,
    ) -> None:
        self._storage = storage
        self._codec = codec
        self._wanted = wanted
        self._clock = clock
        self._poll = poll
        self._on_damage = on_damage
        self._sieve = Sieve(wanted)
        self._places: dict[Scope, _Place] = {}
        self._stopped = False
        self._records = self._run()

    def __next__(self) -> EventRecord:
        if self._stopped:
            raise StopIteration
        return next(self._records)

    def stop(self) -> None:
        """End, after the wait that may be under way; what was read and not given yet is not given any more."""
        self._stopped = True

    def _run(self) -> Iterator[EventRecord]:
        limit = self._wanted.limit
        if limit == 0:
            self._skip()
        else:
            yield from self._news() if limit is None else newest(self._news(), limit)
        while not self._stopped:
            seen = False
            for record in self._news():
                seen = True
                yield record
            if not seen and not self._stopped:
                self._clock.sleep(self._poll)

    def _skip(self) -> None:
        """Pass over what exists, without reading it."""
        for scope in scopes(self._storage, self._wanted):
            place = self._places.setdefault(scope, _Place())
            while (chunk := self._storage.records(scope, EVENTS, place.cursor, verify=False)).data:
                place.cursor = chunk.cursor
            place.cursor = chunk.cursor

    def _news(self) -> Iterator[EventRecord]:
        """What every stream has now behind its cursor."""
        for scope in scopes(self._storage, self._wanted):
            place = self._places.setdefault(scope, _Place())
            while not self._stopped:
                chunk = self._chunk(scope, place)
                place.cursor = chunk.cursor
                for damage in chunk.damage:
                    self._on_damage(damage)
                if not chunk.data:
                    break
                yield from self._matching(Origin(scope, parts=chunk.parts), place, chunk.data)

    def _chunk(self, scope: Scope, place: _Place) -> Chunk:
        """The next chunk; a stream that was rewound is reported and read anew."""
        try:
            return self._storage.records(scope, EVENTS, place.cursor)
        except Rewound as error:
            reason = f"{error}; what the stream holds now is read from its beginning, so some may come again"
            self._on_damage(Damage("/".join((EVENTS.name, *scope)), None, reason))
            return self._storage.records(scope, EVENTS)

    def _matching(self, origin: Origin, place: _Place, data: bytes) -> Iterator[EventRecord]:
        for offset, line in self._sieve.lines(data):
            record = decode(self._codec, origin, line, offset, self._on_damage)
            if record is not None and self._wanted.matches(record) and not place.recent.repeats(record.id):
                yield record
