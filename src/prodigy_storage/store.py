"""The store: what users hold."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self, cast
from warnings import warn

from prodigy_storage.adapters.archives import CompressedFiles
from prodigy_storage.adapters.runtime import PathLike, canonical, in_threads, system_runtime
from prodigy_storage.codecs.dialects import Dialect, event_types_of, speaking
from prodigy_storage.codecs.telling import Teller
from prodigy_storage.errors import NotFound
from prodigy_storage.model.dead_letters_limits import DeadLetterLimits
from prodigy_storage.model.events import Event
from prodigy_storage.ports.checkouts import Checkouts
from prodigy_storage.ports.names import scope_of
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Capability, Storage
from prodigy_storage.redrive import Redrives
from prodigy_storage.redrive.surroundings import Surroundings as RedriveSurroundings
from prodigy_storage.retention import Retention, RetentionSurroundings
from prodigy_storage.runs.service import Runs
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.services.catalog import Repo, repos
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.dead_letters import DeadLetters
from prodigy_storage.services.events import Events
from prodigy_storage.services.health import Health, examine
from prodigy_storage.services.job_state_writer import JobStateWriter
from prodigy_storage.services.job_states import JobStates
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.logs import Logs
from prodigy_storage.services.mappings import Mappings
from prodigy_storage.services.projects import Projects, name_of
from prodigy_storage.services.sessions import Sessions
from prodigy_storage.services.usage import Usage, measure
from prodigy_storage.services.worktrees import Worktrees
from prodigy_storage.transfer.service import Transfers


class Store:
    """The durable memory of a job orchestrator, over any backend.

    Args:
        storage: The backend: anything with the six methods of `ports.storage.Storage`.
        runtime: Clock, ids and background work; those of the system if None.
        event_types: Event classes of your own, beside the 27 built-in ones.
        dlq_limits: How many dead letters a job may have, and how long they are kept; no limits if None.
        locking: Whether a job that somebody living runs is refused; if not, it is taken over and its runner fenced.
        dialect: How to write: in the documented forms, or `prodigy-0.4`, so that Prodigy reads it all. A store reads
            both, whatever its own is.
        checkouts: What makes and removes the worktrees of sessions; None: their records are kept alone.

    Raises:
        ConfigError: there is no such dialect.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        runtime: Runtime | None = None,
        event_types: Iterable[type[Event]] = (),
        dlq_limits: DeadLetterLimits | None = None,
        locking: bool = True,
        dialect: Dialect | str = Dialect.DOCUMENTED,
        checkouts: Checkouts | None = None,
    ) -> None:
        around = runtime or system_runtime()
        self.dialect: Dialect = Dialect.of(dialect)
        storage = speaking(storage, self.dialect)
        self.storage: Storage = storage
        self._runtime = around
        self._locking = locking
        presence = cast("Presence", storage) if Capability.PRESENCE in storage.capabilities else None
        self.locks: Locks = Locks(storage, around, presence, exclusive=locking)
        self.events: Events = Events(storage, around, event_types_of(self.dialect, event_types), self.locks)
        teller = Teller(self.events.codec, around)
        self.dlq: DeadLetters = DeadLetters(storage, teller=teller, clock=around.clock, limits=dlq_limits)
        self.sessions: Sessions = Sessions(storage, around.clock, around.ids)
        self.checkpoints: Checkpoints = Checkpoints(storage, around.clock)
        self.mappings: Mappings = Mappings(storage)
        self.projects: Projects = Projects(storage, around.clock)
        self.job_states: JobStates = JobStates(storage)
        self.logs: Logs = Logs(storage, around.clock)
        self.worktrees: Worktrees = Worktrees(storage, around.clock, checkouts, self._is_run)
        self.transfers: Transfers = Transfers(storage, around.clock, CompressedFiles(), self.events.flush)
        self.runs: Runs = Runs(
            Surroundings(
                storage=storage,
                runtime=around,
                locks=self.locks,
                events=self.events,
                dlq=DeadLetters(storage, teller=teller, limits=dlq_limits, tells_additions=False),
                sessions=self.sessions,
                checkpoints=self.checkpoints,
                mappings=self.mappings,
                state_writer=JobStateWriter(storage) if self.dialect is Dialect.PRODIGY_0_4 else None,
            )
        )
        self.redrives: Redrives = Redrives(
            RedriveSurroundings(
                storage=storage,
                runtime=around,
                presence=presence,
                dlq=self.dlq,
                teller=teller,
                in_threads=in_threads,
            )
        )

        self.retention: Retention = Retention(
            RetentionSurroundings(
                clock=around.clock,
                locks=self.locks,
                events=self.events,
                dlq=self.dlq,
                checkpoints=self.checkpoints,
                worktrees=self.worktrees,
                logs=self.logs,
                runs=self.runs,
            )
        )

    def _is_run(self, session_id: str) -> bool:
        """Whether somebody runs the job of a session."""
        try:
            setup = self.runs.find(session_id)
        except NotFound:
            return False
        lease = self.locks.inspect((setup.repo, setup.job_id), setup.job_id)
        return lease is not None and lease.owner is not None and lease.alive is not False

    def usage(self, *, repo: str | None = None, job: str | None = None) -> Usage:
        """How much is stored by everything, by a project, or by a job of a project."""
        return measure(self.storage, scope_of(repo, job))

    def repo(self, project: str | PathLike[str], *, name: str | None = None) -> str:
        """The name under which a project's data is kept, which is remembered with its directory.

        Another directory of the same name is warned of: the two would share their data. Give one of them another
        `name`; `prodigy-storage repos` shows all that were opened.

        Args:
            project: The directory; links are followed.
            name: Another name than its last component.

        Raises:
            ConfigError: it is the root of the file system, and there is no `name`.
        """
        path = canonical(project)
        repo = name or name_of(path)
        others = self.projects.claim(repo, path)
        if others:
            warn(f"{repo} is the name of {path} and of {', '.join(others)}: they share their data", stacklevel=2)
        return repo

    def repos(self) -> list[Repo]:
        """Every project that has data, with its jobs."""
        return repos(self.storage)

    def health(self) -> Health:
        """Try the store out: write, sync, read back, lock. Leaves nothing behind."""
        return examine(self.storage, self.locks, self._runtime, locking=self._locking)

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
