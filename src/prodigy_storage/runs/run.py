"""The live object that drives a job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import attrs

from prodigy_storage.codecs.values import decode_value, encode_value, micros
from prodigy_storage.errors import Fenced, InvalidTransition, StorageError
from prodigy_storage.model.checkpoints import CheckpointReason, ReduceCheckpoint
from prodigy_storage.model.events import Event, JobCompleted, JobFailed, JobPaused
from prodigy_storage.model.jobs import Outcome, Progress, WorkItem
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.model.values import Duration, Json
from prodigy_storage.ports.runtime import Handle
from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.failures import buried
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.telling import Teller
from prodigy_storage.runs.view import View

_POLL = 0.02


@attrs.define(eq=False)
class Run(View):
    """Drives one job under its lease. Made by `store.runs.start` and `store.runs.resume`; a context manager.

    An attempt is *acknowledged* when `complete()` or `fail()` has returned, or its `with` block was left: from then
    on it survives `kill -9` (and a power cut, with durability `GROUP` or `FULL`). Every method may be called from
    several threads.
    """

    _around: Surroundings
    _journal: Journal
    _teller: Teller
    _queue: Queue
    _checkpointer: Checkpointer
    _mutex: contextlib.AbstractContextManager[object]
    _open: bool
    _heart: Handle | None = attrs.field(init=False, default=None)
    _lost: Fenced | None = attrs.field(init=False, default=None)
    _paused: bool = attrs.field(init=False, default=False)

    def begin(self, beat: float) -> None:
        """Renew the lease every `beat` seconds from now on. Called by whoever made the run."""
        self._heart = self._around.runtime.background.every(beat, self._beat)

    # --- driving it

    def attempts(self) -> Iterator[Attempt]:
        """Items to try, until every one is settled; waits for backoffs and for items that other threads hold."""
        while not self.done and not self._paused:
            attempt = self.claim()
            if attempt is not None:
                yield attempt
            elif not self.done:
                self._around.runtime.clock.sleep(_POLL)

    def claim(self) -> Attempt | None:
        """The next item that may be tried now; None if there is none at the moment.

        Raises:
            Fenced: the lease was lost.
        """
        clock = self._around.runtime.clock
        with self._mutex:
            self._check()
            self._teller.tell()
            item = None if self._paused else self._queue.take(micros(clock.now()))
            if item is None:
                return None
            number = self.state.attempts(item) + 1
            self._queue.active[item] = number
            self._teller.started(item, number)
            return Attempt(self.items[item].data, item, number, clock.monotonic(), self)

    def complete(self, attempt: Attempt, result: Json = None) -> None:
        """Settle an item: acknowledged when this returns.

        Raises:
            InvalidValue: the result is no JSON; the item was given back.
            Fenced: the lease was lost.
            StorageError: it could not be stored; the item was given back.
        """
        self._check_attempt(attempt)
        try:
            encoded = encode_value(result, f"the result of {attempt.item_id}")
            progress = self._progress(attempt, Outcome.DONE, result=encoded)
            self._journal.settle(progress)
        except BaseException:
            self.give_back(attempt)
            raise
        self._settled(progress)

    def fail(self, attempt: Attempt, error: BaseException | str) -> None:
        """An attempt failed: another one follows after a backoff, or the item becomes a dead letter.

        Raises:
            Fenced: the lease was lost.
            StorageError: it could not be stored; the item was given back.
        """
        self._check_attempt(attempt)
        try:
            progress = self._failed(attempt, error)
        except BaseException:
            self.give_back(attempt)
            raise
        self._settled(progress)

    def _failed(self, attempt: Attempt, error: BaseException | str) -> Progress:
        settings = self.setup.settings
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        text = text.encode(errors="backslashreplace").decode()
        if attempt.number <= settings.max_retries:
            wait = round(settings.backoff.seconds(attempt.number) * 1_000_000)
            progress = self._progress(attempt, Outcome.FAILED, error=text, wait=wait)
            self._journal.settle(progress)
            return progress
        progress = self._progress(attempt, Outcome.DEAD, error=text)
        earlier = self.state.failed.get(attempt.item_id, ())
        letter = buried(self.items[attempt.item_id], self.session_id, (*earlier, progress), error)
        self._journal.bury(progress, letter)
        return progress

    def give_back(self, attempt: Attempt) -> None:
        """The attempt did not happen: the item is next again, and no retry is spent."""
        with self._mutex:
            if self._queue.active.get(attempt.item_id) == attempt.number:
                self._queue.give_back(attempt.item_id)

    def log(self, event: Event, **metadata: Json) -> None:
        """Log an event of the embedder's own with the correlation id of the run."""
        self._teller.logger.log(event, metadata=metadata or None)

    def pause(self) -> None:
        """Let nothing more be claimed; leaving the run then pauses the session."""
        self._paused = True

    def checkpoint(self) -> None:
        """Store a checkpoint durably. Does nothing while another thread is at it."""
        with self._mutex:
            self._check()
        self._checkpointer.take(CheckpointReason.MANUAL)

    def reduce(self, function: Callable[[Iterator[tuple[WorkItem, Json]]], Json]) -> Json:
        """The result of the reduce phase: computed once all items are settled, stored, and the same ever after.

        Args:
            function: From the completed items and their results to one JSON value; pure, since a death during it
                lets it run again.

        Raises:
            InvalidTransition: items are still pending.
            InvalidValue: the result is no JSON.
        """
        if not self.done:
            raise InvalidTransition(f"{self.total - self.settled} items of {self.job_id} are not settled yet")
        stored = self._around.checkpoints.reduced(self.setup.repo, self.job_id)
        if stored is not None:
            return stored.result
        result = decode_value(encode_value(function(self.results()), "the result of the reduce phase"))
        if self._open:
            self._journal.session(self.state, Phase.REDUCE, SessionStatus.RUNNING)
            self._journal.reduce(
                ReduceCheckpoint(
                    job_id=self.job_id,
                    session_id=self.session_id,
                    number=self._checkpointer.next_number(),
                    epoch=self._journal.grant.epoch,
                    created_at=self._around.runtime.clock.now(),
                    result=result,
                )
            )
        return result

    # --- its end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._open:
            return
        self._open = False
        try:
            if isinstance(error, Fenced):
                self._teller.logger.discard()  # what it would write is the successor's to write
            elif error is not None:
                with contextlib.suppress(StorageError):  # the error that brought us here is the one to see
                    self._stop_by(error)
            elif self.done:
                self._finish()
            else:
                self._stop(SessionStatus.PAUSED)
        finally:
            self._release()

    def _finish(self) -> None:
        if self._teller.facts.completed_id not in self._teller.known:
            elapsed = self._around.runtime.clock.now() - self.setup.created_at
            duration = Duration.of(elapsed.total_seconds())
            event = JobCompleted(self.job_id, duration, len(self.state.done), len(self.state.dead))
            self._teller.logger.log(event, id=self._teller.facts.completed_id)
            self._checkpointer.take(CheckpointReason.PHASE_TRANSITION, final=True)
            self._teller.logger.flush()
        self._journal.session(self.state, Phase.COMPLETE, SessionStatus.COMPLETED)

    def _stop_by(self, error: BaseException) -> None:
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            text = f"{type(error).__name__}: {error}"
            self._teller.logger.log(JobFailed(self.job_id, text, len(self.state.done)))
            self._stop(SessionStatus.FAILED, text)
        else:
            self._stop(SessionStatus.PAUSED)

    def _stop(self, status: SessionStatus, error: str | None = None) -> None:
        self._checkpointer.take(CheckpointReason.BEFORE_SHUTDOWN)
        if status is SessionStatus.PAUSED:
            self._teller.logger.log(JobPaused(self.job_id, self._checkpointer.number))
        self._teller.logger.flush()
        self._journal.session(self.state, Phase.MAP, status, error=error)

    def _release(self) -> None:
        if self._heart is not None:
            self._heart.stop()
        try:
            with contextlib.suppress(StorageError):  # it stays buffered, and the next resume writes what lacks
                self._teller.logger.close()
        finally:
            self._around.locks.release(self._journal.grant)

    def _beat(self) -> None:
        try:
            with self._mutex:
                self._teller.tell()
            self._around.locks.renew(self._journal.grant)
        except Fenced as error:
            self._lost = error
        except StorageError:
            return  # a missed beat harms nobody; the next one follows

    # --- how an attempt is settled

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost
        if not self._open:
            raise InvalidTransition(f"the run of {self.job_id} has ended")

    def _check_attempt(self, attempt: Attempt) -> None:
        with self._mutex:
            self._check()
            if self._queue.active.get(attempt.item_id) != attempt.number:
                raise InvalidTransition(f"attempt {attempt.number} of {attempt.item_id} is over already")

    def _progress(
        self,
        attempt: Attempt,
        outcome: Outcome,
        *,
        result: bytes | None = None,
        error: str | None = None,
        wait: int = 0,
    ) -> Progress:
        clock = self._around.runtime.clock
        at = micros(clock.now())
        ms = round((clock.monotonic() - attempt.started) * 1000)
        return Progress(attempt.item_id, outcome, attempt.number, at, ms, result, error, at + wait if wait else 0)

    def _settled(self, progress: Progress) -> None:
        with self._mutex:
            self.state.fold(progress)
            self._queue.active.pop(progress.item, None)
            if progress.outcome is Outcome.FAILED:
                self._queue.put(progress.item, progress.not_before)
            self._teller.settled(progress)
            due = self._checkpointer.due(self._around.runtime.clock.monotonic())
        if due:
            self._checkpointer.take(CheckpointReason.INTERVAL)
