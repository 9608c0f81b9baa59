"""The store: what users hold."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self, cast

from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.model.events import Event
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Capability, Storage
from prodigy_storage.runs.service import Runs
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.services.catalog import Repo, repos
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.dead_letters import DeadLetters
from prodigy_storage.services.events import Events
from prodigy_storage.services.health import Health, examine
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.mappings import Mappings
from prodigy_storage.services.sessions import Sessions


class Store:
    """The durable memory of a job orchestrator, over any backend.

    Args:
        storage: The backend: anything with the six methods of `ports.storage.Storage`.
        runtime: Clock, ids and background work; those of the system if None.
        event_types: Event classes of your own, beside the 27 built-in ones.
    """

    def __init__(
        self, storage: Storage, *, runtime: Runtime | None = None, event_types: Iterable[type[Event]] = ()
    ) -> None:
        around = runtime or system_runtime()
        self.storage: Storage = storage
        self._runtime = around
        presence = cast("Presence", storage) if Capability.PRESENCE in storage.capabilities else None
        self.locks: Locks = Locks(storage, around, presence)
        self.events: Events = Events(storage, around, EventTypes(event_types))
        self.dlq: DeadLetters = DeadLetters(storage)
        self.sessions: Sessions = Sessions(storage, around.clock, around.ids)
        self.checkpoints: Checkpoints = Checkpoints(storage, around.clock)
        self.mappings: Mappings = Mappings(storage)
        self.runs: Runs = Runs(
            Surroundings(
                storage=storage,
                runtime=around,
                locks=self.locks,
                events=self.events,
                dlq=self.dlq,
                sessions=self.sessions,
                checkpoints=self.checkpoints,
                mappings=self.mappings,
            )
        )

    def repos(self) -> list[Repo]:
        """Every project that has data, with its jobs."""
        return repos(self.storage)

    def health(self) -> Health:
        """Try the store out: write, sync, read back, lock. Leaves nothing behind."""
        return examine(self.storage, self.locks, self._runtime)

    def close(self) -> None:
        """Flush what is buffered and release everything. May be called again."""
        try:
            self.events.close()
        finally:
            self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
