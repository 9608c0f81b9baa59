"""The store: what users hold."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast
from warnings import warn

from prodigy_storage.adapters.runtime import AnyPath, canonical, in_threads, system_runtime
from prodigy_storage.codecs.dialects import Dialect, event_types_of, redacting, speaking
from prodigy_storage.errors import NotFound
from prodigy_storage.model.events import Event
from prodigy_storage.ports.names import scope_of
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Capability, Storage
from prodigy_storage.services.events import Events
from prodigy_storage.services.locks import Locks

if TYPE_CHECKING:
    from prodigy_storage.codecs.telling import Teller
    from prodigy_storage.doctor import Doctor
    from prodigy_storage.model.dead_letters_limits import DeadLetterLimits
    from prodigy_storage.model.redaction import Redaction
    from prodigy_storage.ports.checkouts import Checkouts
    from prodigy_storage.redrive import Redrives
    from prodigy_storage.retention import Retention
    from prodigy_storage.runs.service import Runs
    from prodigy_storage.services.catalog import Repo
    from prodigy_storage.services.checkpoints import Checkpoints
    from prodigy_storage.services.dead_letters import DeadLetters
    from prodigy_storage.services.foreign_checkpoints import ForeignCheckpoints
    from prodigy_storage.services.health import Health
    from prodigy_storage.services.job_states import JobStates
    from prodigy_storage.services.logs import Logs
    from prodigy_storage.services.mappings import Mappings
    from prodigy_storage.services.projects import Projects
    from prodigy_storage.services.sessions import Sessions
    from prodigy_storage.services.usage import Usage
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
        redaction: What is masked in everything before it is stored.
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
        redaction: Redaction | None = None,
        checkouts: Checkouts | None = None,
    ) -> None:
        self.dialect: Dialect = Dialect.of(dialect)
        self.storage: Storage = redacting(speaking(storage, self.dialect), redaction)
        around = runtime or system_runtime()
        self._runtime = around
        self._limits = dlq_limits
        self._locking = locking
        self._checkouts = checkouts
        presence = Capability.PRESENCE in storage.capabilities
        self._presence = cast("Presence", self.storage) if presence else None
        self.locks: Locks = Locks(self.storage, around, self._presence, exclusive=locking)
        self.events: Events = Events(self.storage, around, event_types_of(self.dialect, event_types), self.locks)

    # What follows is made, and its modules are loaded, when it is first used: each takes its part of a second.

    @cached_property
    def _teller(self) -> Teller:
        from prodigy_storage.codecs.telling import Teller

        return Teller(self.events.codec, self._runtime)

    @cached_property
    def dlq(self) -> DeadLetters:
        """The dead letters."""
        from prodigy_storage.services.dead_letters import DeadLetters

        return DeadLetters(self.storage, teller=self._teller, clock=self._runtime.clock, limits=self._limits)

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions."""
        from prodigy_storage.services.sessions import Sessions

        return Sessions(self.storage, self._runtime.clock, self._runtime.ids)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of jobs."""
        from prodigy_storage.services.checkpoints import Checkpoints

        return Checkpoints(self.storage, self._runtime.clock)

    @cached_property
    def mappings(self) -> Mappings:
        """Which session belongs to which job."""
        from prodigy_storage.services.mappings import Mappings

        return Mappings(self.storage)

    @cached_property
    def projects(self) -> Projects:
        """The directories of projects."""
        from prodigy_storage.services.projects import Projects

        return Projects(self.storage, self._runtime.clock)

    @cached_property
    def job_states(self) -> JobStates:
        """The states of jobs that Prodigy ran."""
        from prodigy_storage.services.job_states import JobStates

        return JobStates(self.storage)

    @cached_property
    def foreign_checkpoints(self) -> ForeignCheckpoints:
        """What Prodigy calls checkpoints."""
        from prodigy_storage.services.foreign_checkpoints import ForeignCheckpoints

        return ForeignCheckpoints(self.storage)

    @cached_property
    def logs(self) -> Logs:
        """What orchestrators said."""
        from prodigy_storage.services.logs import Logs

        return Logs(self.storage, self._runtime.clock)

    @cached_property
    def worktrees(self) -> Worktrees:
        """The worktrees of sessions."""
        from prodigy_storage.services.worktrees import Worktrees

        return Worktrees(self.storage, self._runtime.clock, self._checkouts, self._is_run)

    @cached_property
    def transfers(self) -> Transfers:
        """Copies, backups and migrations."""
        from prodigy_storage.adapters.archives import CompressedFiles
        from prodigy_storage.transfer.service import Transfers

        return Transfers(self.storage, self._runtime.clock, CompressedFiles(), self.events.flush)

    @cached_property
    def runs(self) -> Runs:
        """The runs of jobs."""
        from prodigy_storage.runs.service import Runs
        from prodigy_storage.runs.surroundings import Surroundings
        from prodigy_storage.services.dead_letters import DeadLetters
        from prodigy_storage.services.job_state_writer import JobStateWriter

        return Runs(
            Surroundings(
                storage=self.storage,
                runtime=self._runtime,
                locks=self.locks,
                events=self.events,
                dlq=DeadLetters(self.storage, teller=self._teller, limits=self._limits, tells_additions=False),
                sessions=self.sessions,
                checkpoints=self.checkpoints,
                mappings=self.mappings,
                state_writer=JobStateWriter(self.storage) if self.dialect is Dialect.PRODIGY_0_4 else None,
            )
        )

    @cached_property
    def redrives(self) -> Redrives:
        """Dead letters that are run again."""
        from prodigy_storage.redrive import Redrives
        from prodigy_storage.redrive.surroundings import Surroundings

        return Redrives(
            Surroundings(
                storage=self.storage,
                runtime=self._runtime,
                presence=self._presence,
                dlq=self.dlq,
                teller=self._teller,
                in_threads=in_threads,
            )
        )

    @cached_property
    def retention(self) -> Retention:
        """Cleaning by kind and age."""
        from prodigy_storage.retention import Retention, RetentionSurroundings

        return Retention(
            RetentionSurroundings(
                clock=self._runtime.clock,
                locks=self.locks,
                events=self.events,
                dlq=self.dlq,
                checkpoints=self.checkpoints,
                worktrees=self.worktrees,
                logs=self.logs,
                runs=self.runs,
            )
        )

    @cached_property
    def doctor(self) -> Doctor:
        """What is wrong with the store, and how it is repaired."""
        from prodigy_storage.doctor import Doctor, DoctorSurroundings

        return Doctor(
            DoctorSurroundings(
                storage=self.storage,
                locks=self.locks,
                sessions=self.sessions,
                checkpoints=self.checkpoints,
                mappings=self.mappings,
                worktrees=self.worktrees,
                runs=self.runs,
                redrives=self.redrives,
                checkouts=self._checkouts,
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
        from prodigy_storage.services.usage import measure

        return measure(self.storage, scope_of(repo, job))

    def repo(self, project: AnyPath, *, name: str | None = None) -> str:
        """The name under which a project's data is kept, which is remembered with its directory.

        Another directory of the same name is warned of: the two would share their data. Give one of them another
        `name`; `prodigy-storage repos` shows all that were opened.

        Args:
            project: The directory; links are followed.
            name: Another name than its last component.

        Raises:
            ConfigError: it is the root of the file system, and there is no `name`.
        """
        from prodigy_storage.model.projects import name_of

        path = canonical(project)
        repo = name or name_of(path)
        others = self.projects.claim(repo, path)
        if others:
            warn(f"{repo} is the name of {path} and of {', '.join(others)}: they share their data", stacklevel=2)
        return repo

    def repos(self) -> list[Repo]:
        """Every project that has data, with its jobs."""
        from prodigy_storage.services.catalog import repos

        return repos(self.storage)

    def health(self) -> Health:
        """Try the store out: write, sync, read back, lock. Leaves nothing behind."""
        from prodigy_storage.services.health import examine

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
