"""When a run makes a checkpoint, and what goes into it."""

from __future__ import annotations

from contextlib import AbstractContextManager

import attrs

from prodigy_storage.model.checkpoints import CheckpointReason, CheckpointTrigger, MapCheckpoint
from prodigy_storage.model.events import CheckpointCreated
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.runs.journal import Journal, read_on
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.telling import Teller
from prodigy_storage.runs.view import View


@attrs.define(eq=False)
class Checkpointer:
    """Makes the checkpoints of one run, one at a time.

    Args:
        mutex: The run's; what is folded and what is in flight is read under it.
        number: The number of the last checkpoint of either phase.
        events: Cursor in the event stream, behind what is known to be stored.
        requested: Whether one is wanted soon. Setting it is all that a signal handler does.
    """

    _around: Surroundings
    _view: View
    _journal: Journal
    _teller: Teller
    _queue: Queue
    _trigger: CheckpointTrigger
    _mutex: AbstractContextManager[object]
    number: int
    events: str | None
    requested: bool = attrs.field(init=False, default=False)
    _busy: bool = False
    _settled: int = attrs.field(init=False)
    _at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._mark()

    def _mark(self) -> None:
        self._settled = self._view.settled
        self._at = self._around.runtime.clock.monotonic()

    def due(self, now: float) -> CheckpointReason | None:
        """Why one should be made; None if there is no reason. `now` in monotonic seconds."""
        if self.requested:
            return CheckpointReason.MANUAL
        due = self._trigger.due(settled=self._view.settled - self._settled, elapsed=now - self._at)
        return CheckpointReason.INTERVAL if due else None

    def phase_change(self) -> None:
        """Store a checkpoint because the map phase is over, if the trigger wants one."""
        if self._trigger.phase_change:
            self.take(CheckpointReason.PHASE_TRANSITION)

    def next_number(self) -> int:
        """A number that no checkpoint of the job has."""
        self.number += 1
        return self.number

    def take(self, reason: CheckpointReason, *, final: bool = False) -> None:
        """Store a checkpoint durably; does nothing while another thread is at it."""
        with self._mutex:
            if self._busy:
                return
            self._busy = True
        try:
            self._take(reason, final=final)
        finally:
            self._busy = False

    def _take(self, reason: CheckpointReason, *, final: bool) -> None:
        with self._mutex:
            checkpoint = self._snapshot(reason, final=final)
        self._journal.checkpoint(checkpoint)
        with self._mutex:
            event = CheckpointCreated(self._view.job_id, checkpoint.number, len(checkpoint.state.done))
            self._teller.logger.log(event)
        if not final:
            self._journal.session(checkpoint.state, self._journal.phase, SessionStatus.RUNNING)

    def _snapshot(self, reason: CheckpointReason, *, final: bool) -> MapCheckpoint:
        """The fold up to here, and what is in flight; every event logged before is flushed.

        Under the mutex, so that an attempt is either folded and its events flushed, or in flight.
        """
        self.requested = False
        journal, setup = self._journal, self._view.setup
        journal.fold(self._view.damage.append)
        self._teller.tell()
        self._teller.logger.flush()
        scope = (setup.repo, setup.job_id)
        for _, cursor in read_on(self._around.storage, scope, self._around.events.stream, self.events):
            self.events = cursor
        self._mark()
        return MapCheckpoint(
            job_id=setup.job_id,
            session_id=setup.session_id,
            number=self.next_number(),
            epoch=journal.grant.epoch,
            created_at=self._around.runtime.clock.now(),
            reason=reason,
            state=journal.folded.copy(),
            progress=journal.cursor,
            events=self.events,
            in_progress=dict(self._queue.active),
            final=final,
        )
