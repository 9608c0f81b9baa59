"""`store.sessions`: sessions, and the progress of workflows."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.sessions import Session, SessionCheckpoint, SessionStatus, SessionType, WorkflowData
from prodigy_storage.model.values import Json
from prodigy_storage.services.sessions.keeping import Keeping


class Sessions(Keeping):
    """`store.sessions`. Concurrent updates lose nothing; a lower epoch never overwrites a higher one."""

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


def _running(session: Session) -> Session:
    if session.status is not SessionStatus.RUNNING:
        raise InvalidTransition(f"{session.id} is {session.status.value}; only a running workflow makes progress")
    return session
