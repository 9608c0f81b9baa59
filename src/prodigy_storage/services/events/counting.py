"""Statistics at the speed of a scan."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from prodigy_storage.codecs.projections import Sieve, Tally
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.times import read_time
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.event_stats import CountBy, EventStats
from prodigy_storage.model.events import canonical_type
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage, Storage
from prodigy_storage.services.events.reading import OnDamage, Origin, chunks, decode


class Count:
    """Counts the matching records of one scope after another.

    Args:
        storage: Where they are.
        codec: Reads the lines that a projection cannot.
        wanted: Which records.
        by: By what they are counted.
        times: Whether the first and the last time are wanted.
        on_damage: Takes what cannot be read.
    """

    def __init__(
        self,
        storage: Storage,
        codec: EventCodec,
        wanted: EventFilter,
        *,
        by: CountBy,
        times: bool,
        on_damage: OnDamage,
    ) -> None:
        self._storage = storage
        self._codec = codec
        self._wanted = wanted
        self._by: CountBy = by
        self._times = times
        self._on_damage = on_damage
        self._sieve = Sieve(wanted)
        self._counts: Counter[str] = Counter()
        self._size = 0
        self._jobs = 0
        self._damage = 0
        self._moments: list[datetime] = []

    def add(self, scope: Scope) -> None:
        """Count the records of a scope."""
        tally = Tally(self._by, times=self._times)
        for origin, data in chunks(self._storage, scope, self._note, verify=False):
            if not (self._wanted.is_open and self._add_chunk(tally, data)):
                self._add_lines(tally, data, origin)
            del data  # before the next one is read
        self._moments += [read_time(text) for text in (tally.first, tally.last) if text is not None]
        self._jobs += bool(tally.counts)
        for key, number in tally.counts.items():
            self._counts[self._named(key, scope)] += number

    def result(self) -> EventStats:
        """What was counted."""
        return EventStats(
            counts=dict(sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))),
            total=self._counts.total(),
            jobs=self._jobs,
            first=min(self._moments, default=None),
            last=max(self._moments, default=None),
            size=self._size,
            damage=self._damage,
        )

    def _note(self, damage: Damage) -> None:
        self._damage += 1
        self._on_damage(damage)

    def _named(self, key: str | None, scope: Scope) -> str:
        if self._by == "event_type":
            return canonical_type(key or "")
        if key is None and self._by == "job_id":
            return scope[-1] if scope else ""
        return key or ""

    def _add_chunk(self, tally: Tally, data: bytes) -> bool:
        """Count whole lines at once; False if one of them needs a closer look."""
        try:
            tally.add(data)
        except ValueError:
            return False
        self._size += len(data)
        return True

    def _add_lines(self, tally: Tally, data: bytes, origin: Origin) -> None:
        for offset, line, row in self._sieve.rows(data):
            if row is not None:
                self._add_line(tally, line, getattr(row.event, self._by), row.timestamp)
                continue
            record = decode(self._codec, origin, line, offset, self._note)
            if record is not None and self._wanted.matches(record):
                self._add_line(tally, line, getattr(record, self._by), record.timestamp)

    def _add_line(self, tally: Tally, line: bytes, key: str | None, moment: datetime) -> None:
        tally.counts[key] += 1
        self._size += len(line) + 1
        if self._times:
            self._keep(moment)

    def _keep(self, moment: datetime) -> None:
        """Remember the extremes only."""
        self._moments.append(moment)
        if len(self._moments) > 1000:
            self._moments = [min(self._moments), max(self._moments)]
