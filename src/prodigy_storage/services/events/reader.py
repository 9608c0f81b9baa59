"""The event log as readers see it: query, search, count, follow, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.event_stats import CountBy, EventStats
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage, Storage, Stream
from prodigy_storage.services.events.counting import Count
from prodigy_storage.services.events.exporting import ExportFormat, exported
from prodigy_storage.services.events.following import Follower
from prodigy_storage.services.events.reading import FoundEvents, OnDamage, newest, records, scopes
from prodigy_storage.services.events.searching import Pattern

_EVERYTHING = EventFilter()


class EventReader:
    """Reads the events of a store, or of anything else that gives records as a store does.

    Args:
        storage: Where they are.
        codec: Reads lines.
        clock: Waits while the log is followed.
    """

    def __init__(self, storage: Storage, codec: EventCodec, clock: Clock) -> None:
        self.codec = codec
        self._storage = storage
        self._clock = clock

    @property
    def stream(self) -> Stream:
        """The stream that holds the records."""
        return EVENTS

    def query(self, wanted: EventFilter = _EVERYTHING, *, on_damage: OnDamage | None = None) -> FoundEvents:
        """Read the matching records, in constant memory unless there is a limit.

        The order is that of the streams, one job after another; with a limit it is that of time. A record that
        was stored twice, because its first flush ended in `DurabilityUnknown`, is shown once: an id that comes
        back within 16,384 matching records of the job is passed over.

        Args:
            wanted: Which records.
            on_damage: Called with each place that cannot be read; if None, they are collected in `damage` of the
                result. Damage is met in lines that have to be read; a filter passes over lines unread which
                cannot match, and what the backend verifies by itself it reports in any case.
        """
        return self._found(wanted, on_damage, None)

    def search(
        self,
        pattern: str,
        wanted: EventFilter = _EVERYTHING,
        *,
        fields: Sequence[str] = (),
        on_damage: OnDamage | None = None,
    ) -> FoundEvents:
        """Read the matching records in which a pattern is found; order, limit and damage are those of `query`.

        Args:
            pattern: A regular expression of RE2, so that no pattern takes more than linear time.
            wanted: Which records.
            fields: Where to look: dotted names of members of the record (`metadata.pid`) or of its event (`error`).
                Texts are searched as they are, other values as compact JSON. Empty: the whole stored line.
            on_damage: As for `query`; lines in which the pattern is not found are not read.

        Raises:
            InvalidValue: the pattern is no regular expression.
            Unsupported: the extra `search` is not installed.
        """
        return self._found(wanted, on_damage, Pattern(pattern, fields).matches)

    def follow(
        self, wanted: EventFilter = _EVERYTHING, *, poll: float = 0.25, on_damage: OnDamage | None = None
    ) -> Follower:
        """The matching records that exist, then each later one as it is stored, once, until `stop` is called.

        A record is given when it is whole and acknowledged by the backend; jobs that begin later are followed too.
        Those that exist come in the order of `query`, later ones in that of their streams.

        Args:
            wanted: Which records. Its limit is about those that exist: the newest so many, 0 for later ones alone.
            poll: Seconds between two looks.
            on_damage: Called with each place that cannot be read, and with each stream that was rewound (a restored
                backup, a lost tail): that one is read anew from its beginning, without what was given lately.

        Raises:
            InvalidValue: `poll` is not positive.
        """
        if poll <= 0:
            raise InvalidValue(f"poll must be positive, not {poll}")
        return Follower(
            self._storage, self.codec, wanted, clock=self._clock, poll=poll, on_damage=on_damage or (lambda _: None)
        )

    def export(
        self,
        form: ExportFormat = "jsonl",
        wanted: EventFilter = _EVERYTHING,
        *,
        on_damage: OnDamage | None = None,
    ) -> Iterator[str]:
        """The matching records as pieces of text, in the order of `query`.

        Args:
            form: `json` (one array) and `jsonl` have records as they are stored; `csv` and `markdown` have the
                columns timestamp, event_type, job_id, agent_id and details (JSON of the event's other members).
            wanted: Which records.
            on_damage: As for `query`.

        Raises:
            InvalidValue: there is no such format.
        """
        return exported(self.query(wanted, on_damage=on_damage), form)

    def stats(
        self,
        wanted: EventFilter = _EVERYTHING,
        *,
        by: CountBy = "event_type",
        times: bool = True,
        on_damage: OnDamage | None = None,
    ) -> EventStats:
        """Count the matching records; a limit plays no part.

        Checksums are not verified, and of each line only what is counted is read. A record that was stored
        twice counts twice.

        Args:
            wanted: Which records.
            by: By what they are counted.
            times: Whether `first` and `last` are wanted; without, a count takes about a fifth less time.
            on_damage: Called with each place that cannot be read; the result has their number in any case.
        """
        count = Count(self._storage, self.codec, wanted, by=by, times=times, on_damage=on_damage or (lambda _: None))
        for scope in scopes(self._storage, wanted):
            count.add(scope)
        return count.result()

    def jobs(self, wanted: EventFilter = _EVERYTHING) -> list[Scope]:
        """Where there are events: (repo, job) each, sorted; only the names in the filter play a part."""
        return [scope for scope in self._storage.scopes(EVENTS) if wanted.has_scope(scope)]

    def _found(
        self, wanted: EventFilter, on_damage: OnDamage | None, passes: Callable[[bytes], bool] | None
    ) -> FoundEvents:
        damage: list[Damage] = []
        tell = on_damage or damage.append
        where = scopes(self._storage, wanted)
        found = chain.from_iterable(
            records(self._storage, self.codec, scope, wanted, tell, passes=passes) for scope in where
        )
        return FoundEvents(found if wanted.limit is None else newest(found, wanted.limit), damage)
