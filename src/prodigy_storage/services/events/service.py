"""Events: log and read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.errors import Closed, InvalidValue, StorageError
from prodigy_storage.model.event_cleaning import CleanedEvents, EventLimits
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import Event
from prodigy_storage.ports.event_archives import EventArchive
from prodigy_storage.ports.locks import Locks
from prodigy_storage.ports.names import Scope, check_scope
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Durability, Storage
from prodigy_storage.services.events.cleaning import Cleaning
from prodigy_storage.services.events.flusher import Flusher
from prodigy_storage.services.events.logger import EventLogger, LoggerSetup
from prodigy_storage.services.events.reader import EventReader
from prodigy_storage.services.events.reading import OnDamage

_MAX_CACHED = 256
_JOB = 2
"""The names in the scope of a job; archives of other programs belong to none."""


class Events(EventReader):
    """The event log of a store.

    Args:
        storage: Where the events are kept.
        runtime: Clock, ids and background work.
        types: The event types that are known; the built-in ones if None.
        locks: What keeps two cleanings of one job apart; if None, the caller does.
    """

    def __init__(
        self, storage: Storage, runtime: Runtime, types: EventTypes | None = None, locks: Locks | None = None
    ) -> None:
        super().__init__(storage, EventCodec(types), runtime.clock)
        self._runtime = runtime
        self._locks = locks
        self._mutex = runtime.background.mutex()
        self._loggers: list[EventLogger] = []
        self._cached: dict[Scope, EventLogger] = {}
        self._cancels: list[Callable[[], None]] = []
        self._flusher = Flusher(runtime.background, self._send)
        self._closed = False

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

    # --- away

    def clean(
        self,
        limits: EventLimits,
        *,
        repo: str | None = None,
        job: str | Iterable[str] | None = None,
        archive: EventArchive | None = None,
        dry_run: bool = False,
        on_damage: OnDamage | None = None,
    ) -> list[CleanedEvents]:
        """Remove the oldest events of each job that passes a limit; the newest stay.

        Only what nobody appends to any more is touched: the last segment of a living writer stays whole, and an event
        that a limit names stays as long as a newer one lies before it in its segment. So more may stay than was asked
        for, never less. With an archive, what goes is written there and read back before anything is removed; a
        cleaning that was killed is finished by the next one, which archives nothing twice.

        Args:
            limits: What each job may keep.
            repo: Of one project.
            job: Of one job, or of several; None: all.
            archive: Where removed events are kept; None: nowhere.
            dry_run: Only say what would go.
            on_damage: Called with each place at the front that cannot be read and goes with the rest.

        Returns:
            What went, for each job that had to give anything.

        Raises:
            Locked: another cleaning of a job is under way.
            StorageError: the archive cannot be written; nothing of that job was removed.
        """
        cleaning = Cleaning(
            storage=self._storage,
            locks=self._locks,
            clock=self._clock,
            limits=limits,
            archive=archive,
            on_damage=on_damage or (lambda _: None),
        )
        work = cleaning.survey if dry_run else cleaning.run
        jobs = [scope for scope in self.jobs(EventFilter(repo=repo, job=job)) if len(scope) == _JOB]
        done = [work(scope) for scope in jobs]
        return [one for one in done if one.removed or one.spared]

    # --- inside

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
