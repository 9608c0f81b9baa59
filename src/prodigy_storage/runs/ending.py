"""How a run ends: completed, paused, failed or cancelled."""

from __future__ import annotations

import contextlib

import attrs

from prodigy_storage.errors import Fenced, StorageError
from prodigy_storage.model.checkpoints import CheckpointReason
from prodigy_storage.model.events import JobCompleted, JobFailed, JobPaused
from prodigy_storage.model.requests import Wish
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.model.values import Duration
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.telling import Teller
from prodigy_storage.runs.view import View


@attrs.define(eq=False)
class Ending:
    """Ends one run; nothing is called twice."""

    _around: Surroundings
    _view: View
    _journal: Journal
    _teller: Teller
    _checkpointer: Checkpointer
    _ear: Ear

    def leave(self, error: BaseException | None) -> None:
        """Bring the session where it belongs, and give the lease back.

        Args:
            error: What the run was left by; None if it was left normally.
        """
        try:
            if isinstance(error, Fenced):
                self._teller.logger.discard()  # what it would write is the successor's to write
            elif error is not None:
                with contextlib.suppress(StorageError):  # the error that brought us here is the one to see
                    self._stop_by(error)
            elif self._view.done:
                self._finish()
            else:
                self._stop(self._asked())
        finally:
            self._release()

    def _asked(self) -> SessionStatus:
        return SessionStatus.CANCELLED if self._ear.wish is Wish.CANCEL else SessionStatus.PAUSED

    def _finish(self) -> None:
        state, teller = self._view.state, self._teller
        if teller.facts.completed_id not in teller.known:
            elapsed = self._around.runtime.clock.now() - self._view.setup.created_at
            duration = Duration.of(elapsed.total_seconds())
            event = JobCompleted(self._view.job_id, duration, len(state.done), len(state.dead))
            teller.logger.log(event, id=teller.facts.completed_id)
            self._checkpointer.take(CheckpointReason.PHASE_TRANSITION, final=True)
            teller.logger.flush()
        self._journal.session(state, Phase.COMPLETE, SessionStatus.COMPLETED)

    def _stop_by(self, error: BaseException) -> None:
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            text = f"{type(error).__name__}: {error}"
            self._teller.logger.log(JobFailed(self._view.job_id, text, len(self._view.state.done)))
            self._stop(SessionStatus.FAILED, text)
        else:
            self._stop(self._asked())

    def _stop(self, status: SessionStatus, error: str | None = None) -> None:
        self._checkpointer.take(CheckpointReason.BEFORE_SHUTDOWN)
        if status is SessionStatus.PAUSED:
            self._teller.logger.log(JobPaused(self._view.job_id, self._checkpointer.number))
        self._teller.logger.flush()
        if status is SessionStatus.CANCELLED:
            error = str(self._ear.stopped(Wish.CANCEL))
        self._journal.session(self._view.state, self._journal.phase, status, error=error)

    def _release(self) -> None:
        try:
            with contextlib.suppress(StorageError):  # it stays buffered, and the next resume writes what lacks
                self._teller.logger.close()
        finally:
            self._ear.forget()
            self._around.locks.release(self._journal.grant)
