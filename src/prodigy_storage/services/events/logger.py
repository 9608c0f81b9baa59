"""The way in: one logger for each user of a job's event stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import attrs

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.records import Line, Packed, extend_metadata, line_time, pack_metadata
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Closed, StorageError
from prodigy_storage.model.events import Event
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Append, Batch, Durability, Storage
from prodigy_storage.services.events.buffer import Buffer
from prodigy_storage.services.events.flusher import Flusher

_URGENT = ("job_", "checkpoint_")


@attrs.frozen(kw_only=True)
class LoggerSetup:
    """What a logger is made with; see `Events.logger`."""

    scope: Scope
    correlation_id: str
    metadata: Mapping[str, object]
    durability: Durability
    capacity: int
    interval: float


class EventLogger:
    """Logs the events of one job. Made by `Events.logger`; its methods may be called from several threads.

    `log` only buffers: an event is acknowledged when a later `flush` or `close` has returned, or the interpreter
    ended in order without an error. `kill -9` loses what was not flushed.

    After a fork the parent keeps what was buffered; the child goes on with an empty buffer.
    """

    def __init__(
        self,
        storage: Storage,
        runtime: Runtime,
        types: EventTypes,
        setup: LoggerSetup,
        *,
        flusher: Flusher,
        forget: Callable[[EventLogger], None],
    ) -> None:
        self.setup = setup
        self._storage = storage
        self._background = runtime.background
        self._now = runtime.clock.now
        self._new_id = runtime.ids.new
        self._preparations = types.preparations
        self._plain: set[type[Event]] = set()
        self._urgent = frozenset(tag for tag in types.classes if tag.startswith(_URGENT))
        self._correlation_id = setup.correlation_id
        self._flusher = flusher
        self._forget = forget
        self._own_names = frozenset({"host", "pid", "thread", *setup.metadata})
        self._closed = False
        pack_metadata(setup.metadata)
        self.renew()

    def renew(self) -> None:
        """Start with an empty buffer, as another process: called at the start and in the child after a fork."""
        self._buffer = Buffer(self._commit, self._background.mutex(), self.setup.capacity)
        self._waiting = self._buffer.waiting
        self._local = self._background.local()
        self._asked = False
        self._threshold = 0  # so that the first event in this process starts the background

    def log(self, event: Event, *, id: str | None = None, metadata: Mapping[str, object] | None = None) -> str:
        """Buffer an event. Lifecycle events (`job_…`, `checkpoint_…`) ask for a flush in the background.

        The fields of built-in events are trusted to have their declared types; floats, times and free-form
        values are checked here. A value that no JSON can hold is otherwise found when the buffer is flushed.

        Args:
            event: What happened.
            id: The identity of the record, if it may be logged again; a fresh UUID if None.
            metadata: For this record, over that of the logger.

        Returns:
            The id of the record. It is not acknowledged yet.

        Raises:
            InvalidValue: a value is no JSON; the event was not buffered.
            StorageError: the store takes nothing and the buffer is full; the event was not buffered.
            Closed: the logger was closed.
        """
        plain = event.__class__ in self._plain
        body = event if plain else self._prepared(event)
        if len(self._waiting) >= self._threshold:
            self._crowded()
        now = self._now()
        try:
            packed = self._local.packed
        except AttributeError:
            packed = self._pack_thread()
        if metadata is not None:
            packed = self._pack_more(packed, metadata)
        name = id or self._new_id()
        stamp = now if now.microsecond else line_time(now)
        self._waiting.append(Line(name, stamp, self._correlation_id, body, packed))
        if not plain and event.event_type in self._urgent:
            self._ask()
        return name

    def send(self) -> None:
        """Flush without a word about events that were left out; the next `flush` says it. For the background."""
        self._asked = False
        self._buffer.send()

    def flush(self) -> None:
        """Store every event that was logged before this call; when it returns, they are acknowledged.

        Raises:
            InvalidValue, TooLarge: an event that no store can take was left out; all others are stored.
            DurabilityUnknown: the events may be stored or not. They stay in the buffer and are sent again under
                the same ids, so that a reader may meet them twice; `Events.query` shows them once.
            StorageError: nothing is lost, what was not stored stays in the buffer in its order; call again.
        """
        self._asked = False
        self._buffer.flush()

    @property
    def pending(self) -> int:
        """How many events are not stored yet."""
        return self._buffer.size

    @property
    def error(self) -> StorageError | None:
        """Why the last flush failed, in the background or not; None if it did not."""
        return self._buffer.error

    def close(self) -> None:
        """Flush, and log no more. If it raises, the events are still there: call it again. May be called again."""
        self._closed = True
        self._threshold = 0
        self.flush()
        self._forget(self)

    def discard(self) -> None:
        """Forget every event that is not stored, and log no more: for a run that may write nothing any longer.

        A commit that is under way is waited for; it may have stored some of the events. May be called again, and
        `close` may follow.
        """
        self._closed = True
        self._threshold = 0
        self._buffer.discard()
        self._forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _commit(self, data: bytes) -> None:
        self._storage.commit(Batch(self.setup.scope, (Append(EVENTS, data),), self.setup.durability))

    def _crowded(self) -> None:
        """The buffer has reached the threshold: ask for a flush; with no room left, flush here and now."""
        if self._closed:
            raise Closed(f"the event logger of {'/'.join(self.setup.scope)} was closed")
        if self._threshold == 0:
            self._threshold = self.setup.capacity
            self._flusher.start(self.setup.interval)
        if len(self._waiting) >= self._buffer.room:
            self.send()
        elif len(self._waiting) >= self._threshold and not self._asked and self._buffer.error is None:
            self._ask()

    def _ask(self) -> None:
        self._asked = True
        self._flusher.wake()

    def _prepared(self, event: Event) -> object:
        """The event as it goes to the encoder; classes that need nothing of this are remembered."""
        prepare = self._preparations[event.__class__]
        if prepare is not None:
            return prepare(event)
        if event.event_type not in self._urgent:
            self._plain.add(event.__class__)
        return event

    def _pack_thread(self) -> Packed:
        """Metadata without any of the caller's, encoded once for each thread."""
        packed: Packed = pack_metadata(self._own_metadata())
        self._local.packed = packed
        return packed

    def _pack_more(self, packed: Packed, metadata: Mapping[str, object]) -> Packed:
        """Metadata with some of the caller's, which goes over that of the logger."""
        extended = extend_metadata(packed, self._own_names, metadata)
        return pack_metadata({**self._own_metadata(), **metadata}) if extended is None else extended

    def _own_metadata(self) -> dict[str, object]:
        token, thread = self._background.identity(), self._background.thread_name()
        named = {"thread": thread} if thread else {}
        return {"host": token.host, "pid": token.pid, **named, **self.setup.metadata}
