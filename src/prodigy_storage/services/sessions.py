"""Sessions: create, read, change by compare-and-set under the transition table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import SESSIONS, Listing, Loaded
from prodigy_storage.codecs.kinds import QUARANTINE, SESSION
from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Conflict, Fenced, InvalidTransition, NotFound
from prodigy_storage.model.sessions import Session, SessionCheckpoint, SessionStatus, SessionType, WorkflowData
from prodigy_storage.model.values import Json
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.runtime import Ids
from prodigy_storage.ports.storage import Batch, Delete, Put, Storage


class Sessions:
    """`store.sessions`. Concurrent updates lose nothing; a lower epoch never overwrites a higher one."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids) -> None:
        self._sessions = Collection(storage, SESSION, SESSIONS)
        self._clock = clock
        self._ids = ids

    def create(self, session: Session) -> Session:
        """Store a new session.

        Raises:
            Conflict: there is one of this id already.
        """

        def new(known: Session | None) -> Session:
            if known is not None:
                raise Conflict(f"there is a session {session.id} already", kind=SESSION.name, id=session.id)
            return session

        self._sessions.change((), session.id, new)
        return session

    def start_workflow(
        self,
        name: str,
        *,
        repo: str,
        total_steps: int = 0,
        variables: Mapping[str, str] | None = None,
        metadata: Mapping[str, Json] | None = None,
        worktree: str | None = None,
    ) -> Session:
        """Store the session of a workflow that begins now: Running, before its first step.

        Args:
            name: What runs, for people.
            repo: The project that it belongs to.
            total_steps: How many steps it has; 0 if that is not known yet.
            variables: What its steps start from.
            metadata: Anything else, kept with it.
            worktree: The worktree that it works in.
        """
        now, unique = self._clock.now(), self._ids.new()
        data = WorkflowData(
            workflow_id=f"workflow-{unique}",
            workflow_name=name,
            total_steps=total_steps,
            variables=dict(variables or {}),
            worktree_name=worktree,
        )
        return self.create(
            Session(
                id=f"session-{unique}",
                session_type=SessionType.WORKFLOW,
                status=SessionStatus.RUNNING,
                started_at=now,
                updated_at=now,
                metadata=dict(metadata or {}),
                workflow_data=data,
                repo=repo,
            )
        )

    def complete_step(
        self,
        id: str,
        index: int,
        *,
        name: str = "",
        seconds: float = 0.0,
        variables: Mapping[str, str] | None = None,
    ) -> Session:
        """A step of a workflow was completed: acknowledged when this returns.

        Args:
            id: The session.
            index: Which step, from 0.
            name: What its time is shown under; without one it is not kept.
            seconds: How long it took.
            variables: What it has captured, for the steps that follow.

        Raises:
            NotFound: there is no such session.
            InvalidTransition: it is no workflow session, or it does not run.
        """

        def change(known: Session) -> Session:
            stepped = _running(known).stepped(index, variables=variables)
            return stepped.timed(name, seconds) if name else stepped

        return self.update(id, change)

    def complete_iteration(self, id: str, *, files_changed: int = 0) -> Session:
        """An iteration of a workflow was completed; the next one begins with the first step.

        Raises:
            NotFound: there is no such session.
            InvalidTransition: it is no workflow session, or it does not run.
        """
        return self.update(id, lambda known: _running(known).iterated(files_changed=files_changed))

    def add_timing(self, id: str, name: str, seconds: float) -> Session:
        """Add a length of time to what a session has spent on something.

        Raises:
            NotFound: there is no such session.
        """
        return self.update(id, lambda known: known.timed(name, seconds))

    def add_checkpoint(
        self, id: str, state: Json, *, metadata: Mapping[str, Json] | None = None, keep: int = 10
    ) -> SessionCheckpoint:
        """Keep a state with a session, for whoever resumes it.

        Args:
            id: The session.
            state: Any JSON.
            metadata: Anything about it.
            keep: How many of them stay, the newest; at least 1.

        Raises:
            NotFound: there is no such session.
            InvalidValue: the state is no JSON.
        """
        made = SessionCheckpoint(
            id=f"checkpoint-{self._ids.new()}",
            created_at=self._clock.now(),
            state=state,
            metadata=dict(metadata or {}),
        )
        self.update(id, lambda known: attrs.evolve(known, checkpoints=(*known.checkpoints, made)[-max(1, keep) :]))
        return made

    def remove(self, id: str) -> None:
        """Remove a session that is over, damaged or not there any more; its job's records are not touched.

        Raises:
            InvalidTransition: it can still go on.
        """

        def take(known: Session | None) -> None:
            if known is not None and not known.ended:
                raise InvalidTransition(f"{id} is {known.status.value} and can go on; cancel it first")

        self._sessions.change((), id, take)

    def get(self, id: str) -> Session:
        """One session.

        Raises:
            NotFound: there is none.
            Corrupt: its document is damaged.
        """
        return self.load(id).value

    def load(self, id: str) -> Loaded[Session]:
        """One session with the document that it is stored in."""
        return self._sessions.load((), id)

    def find(self, id: str) -> Session | None:
        """One session, or None if there is none."""
        found = self._sessions.find((), id)
        return found.value if found else None

    def set_aside(self, id: str) -> None:
        """Move the document of a damaged session to quarantine, so that a sound one can take its place."""
        found = self._sessions.storage.fetch((), SESSION, [id], fresh=True)
        if id in found:
            quarantined = Put(QUARANTINE, id, found[id].body)
            self._sessions.storage.commit(Batch((), (quarantined, Delete(SESSION, id, found[id].version))))

    def update(self, id: str, change: Callable[[Session], Session], *, epoch: int | None = None) -> Session:
        """Change a session; `change` is pure and may be called several times.

        Args:
            id: Which session.
            change: From the session as it is to the wanted one. `updated_at` is set here.
            epoch: The caller's lease; None for a caller without one.

        Returns:
            The session as it is stored now.

        Raises:
            NotFound: there is none.
            InvalidTransition: the table does not allow the wanted status.
            Fenced: the session was written under a later epoch.
        """

        def decide(known: Session | None) -> Session:
            if known is None:
                raise NotFound(f"there is no session {id}")
            if epoch is not None and known.epoch > epoch:
                raise Fenced(f"{id} was taken over: its epoch is {known.epoch}, ours is {epoch}")
            now = self._clock.now()
            wanted = change(known)
            if wanted == known:
                return known
            known.moved(wanted.status, at=now)
            return attrs.evolve(wanted, updated_at=now, epoch=known.epoch if epoch is None else epoch)

        stored = self._sessions.change((), id, decide)
        assert stored is not None  # decide never removes
        return stored

    def move(self, id: str, status: SessionStatus, *, error: str | None = None, epoch: int | None = None) -> Session:
        """Bring a session into another status; see `update` for the errors."""
        return self.update(id, lambda known: known.moved(status, at=self._clock.now(), error=error), epoch=epoch)

    def list(
        self,
        *,
        status: SessionStatus | None = None,
        type: SessionType | None = None,
        repo: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Listing[Session]:
        """Sessions ordered by their start; damaged documents are listed apart.

        Args:
            status, type, repo: Only those.
            since, until: Only those that started then or later, and before then; aware.
        """
        wanted = {"status": status and status.value, "type": type and type.value, "repo": repo}
        return self._sessions.list(
            tags={name: value for name, value in wanted.items() if value is not None},
            since=None if since is None else micros(since),
            until=None if until is None else micros(until),
        )


def _running(session: Session) -> Session:
    if session.status is not SessionStatus.RUNNING:
        raise InvalidTransition(f"{session.id} is {session.status.value}; only a running workflow makes progress")
    return session
