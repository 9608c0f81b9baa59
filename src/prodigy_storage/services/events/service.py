"""Events: log, query, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Closed, InvalidValue, StorageError
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.event_stats import CountBy, EventStats
from prodigy_storage.model.events import Event, EventRecord
from prodigy_storage.ports.names import Scope, check_scope
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Damage, Durability, Storage, Stream
from prodigy_storage.services.events.counting import Count
from prodigy_storage.services.events.flusher import Flusher
from prodigy_storage.services.events.logger import EventLogger, LoggerSetup
from prodigy_storage.services.events.reading import FoundEvents, OnDamage, newest, records, scopes

_EVERYTHING = EventFilter()
_MAX_CACHED = 256


class Events:
    """The event log of a store.

    Args:
        storage: Where the events are kept.
        runtime: Clock, ids and background work.
        types: The event types that are known; the built-in ones if None.
    """

    def __init__(self, storage: Storage, runtime: Runtime, types: EventTypes | None = None) -> None:
        self.codec = EventCodec(types)
        self._storage = storage
        self._runtime = runtime
        self._mutex = runtime.background.mutex()
        self._loggers: list[EventLogger] = []
        self._cached: dict[Scope, EventLogger] = {}
        self._cancels: list[Callable[[], None]] = []
        self._flusher = Flusher(runtime.background, self._send)
        self._closed = False

    @property
    def stream(self) -> Stream:
        """The stream that holds the records."""
        return EVENTS

    # --- in

    def logger(
        self,
        repo: str,
        job: str,
        *,
        correlation_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        durability: Durability = Durability.GROUP,
        capacity: int = 1000,
        interval: float = 5.0,
    ) -> EventLogger:
        """A logger for the events of a job. Close it when it is done; `Events.close` closes the rest.

        Args:
            repo, job: Under which names the events are stored.
            correlation_id: The same for everything that belongs together; a fresh UUID if None.
            metadata: For every record, beside host, pid and thread.
            durability: What an acknowledged event survives.
            capacity: So many events make a flush. Ten times as many fit while the store takes nothing.
            interval: Seconds after which events are flushed at the latest. One thread serves all loggers of a
                store, so the shortest interval holds for all.

        Raises:
            InvalidName: a name is not storable.
            InvalidValue: the metadata is no JSON, or a number is not positive.
            Closed: the store was closed.
        """
        if capacity < 1 or interval <= 0:
            raise InvalidValue(f"capacity and interval must be positive, not {capacity} and {interval}")
        setup = LoggerSetup(
            scope=check_scope((repo, job)),
            correlation_id=correlation_id or self._runtime.ids.new(),
            metadata=dict(metadata or {}),
            durability=durability,
            capacity=capacity,
            interval=interval,
        )
        logger = EventLogger(
            self._storage, self._runtime, self.codec.types, setup, flusher=self._flusher, forget=self._forget
        )
        with self._mutex:
            self._check_open()
            self._hook()
            self._loggers.append(logger)
        return logger

    def log(
        self,
        repo: str,
        job: str,
        event: Event,
        *,
        id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> str:
        """Buffer an event with a logger that is kept for this job; see `EventLogger.log`.

        All events that are logged so for one job by one store have the same correlation id.
        """
        logger = self._cached.get((repo, job)) or self._cache((repo, job))
        return logger.log(event, id=id, metadata=metadata)

    def flush(self) -> None:
        """Flush every logger; see `EventLogger.flush`. Tries all of them, then raises the first error."""
        self._each(EventLogger.flush)

    def close(self) -> None:
        """Flush every logger, and log no more. If it raises, what was not stored is kept: call it again."""
        with self._mutex:
            self._closed = True
            cancels, self._cancels = self._cancels, []
        for cancel in cancels:
            cancel()
        self._flusher.stop()
        self._each(EventLogger.close)

    # --- out

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
        damage: list[Damage] = []
        found = self._records(wanted, on_damage or damage.append)
        return FoundEvents(found if wanted.limit is None else newest(found, wanted.limit), damage)

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

    # --- inside

    def _records(self, wanted: EventFilter, on_damage: OnDamage) -> Iterator[EventRecord]:
        where = scopes(self._storage, wanted)
        return chain.from_iterable(records(self._storage, self.codec, scope, wanted, on_damage) for scope in where)

    def _cache(self, scope: Scope) -> EventLogger:
        with self._mutex:
            if scope not in self._cached:
                if len(self._cached) >= _MAX_CACHED:
                    self._drop_idle()
                self._cached[scope] = self.logger(*scope)
            return self._cached[scope]

    def _drop_idle(self) -> None:
        for scope, logger in list(self._cached.items()):
            if not logger.pending:
                del self._cached[scope]
                self._forget(logger)

    def _forget(self, logger: EventLogger) -> None:
        with self._mutex:
            if logger in self._loggers:
                self._loggers.remove(logger)

    def _each(self, do: Callable[[EventLogger], None]) -> None:
        errors: list[StorageError] = []
        for logger in list(self._loggers):
            try:
                do(logger)
            except StorageError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _send(self) -> None:
        """What the background does. Its errors stay with the loggers, whose buffers keep what was not stored."""
        for logger in list(self._loggers):
            try:
                logger.send()
            except StorageError:
                continue

    def _hook(self) -> None:
        if not self._cancels:
            background = self._runtime.background
            self._cancels = [background.at_exit(self.flush), background.after_fork(self._renew)]

    def _renew(self) -> None:
        """Become the child after a fork: other locks, no thread, and buffers that hold nothing of the parent's."""
        self._mutex = self._runtime.background.mutex()
        self._flusher.renew()
        for logger in list(self._loggers):
            logger.renew()

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the event log was closed")
