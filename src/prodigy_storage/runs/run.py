"""The live object that drives a job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import attrs

from prodigy_storage.codecs.values import decode_value, encode_value, micros
from prodigy_storage.errors import Fenced, InvalidTransition, StorageError
from prodigy_storage.model.checkpoints import CheckpointReason, CheckpointTrigger, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.events import CheckpointCreated, Event, JobCompleted, JobFailed, JobPaused
from prodigy_storage.model.jobs import JobState, Outcome, Progress, Setup, WorkItem
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.model.values import Duration, Json
from prodigy_storage.ports.runtime import Handle
from prodigy_storage.ports.storage import Damage
from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.facts import Fact, Facts
from prodigy_storage.runs.failures import buried
from prodigy_storage.runs.journal import Journal, read_on
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.services.events import EventLogger

_POLL = 0.02


@attrs.define(eq=False)
class Run:
    """Drives one job under its lease. Made by `store.runs.start` and `store.runs.resume`; a context manager.

    An attempt is *acknowledged* when `complete()` or `fail()` has returned, or its `with` block was left: from then
    on it survives `kill -9` (and a power cut, with durability `GROUP` or `FULL`). Every method may be called from
    several threads.
    """

    setup: Setup
    damage: list[Damage]
    _around: Surroundings
    _journal: Journal
    _logger: EventLogger
    _state: JobState
    _queue: Queue
    _trigger: CheckpointTrigger
    _number: int
    _known: set[str]
    _events: str | None = None
    _open: bool = True
    _items: dict[str, WorkItem] = attrs.field(init=False)
    _facts: Facts = attrs.field(init=False)
    _mutex: contextlib.AbstractContextManager[object] = attrs.field(init=False)
    _checkpointing: bool = attrs.field(init=False, default=False)
    _since: tuple[int, float] = attrs.field(init=False)
    _heart: Handle | None = attrs.field(init=False, default=None)
    _lost: Fenced | None = attrs.field(init=False, default=None)
    _paused: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._items = {item.id: item for item in self.setup.items}
        self._facts = Facts(self.setup.job_id, self.setup.session_id)
        self._mutex = self._around.runtime.background.mutex()
        self._since = (self.settled, self._around.runtime.clock.monotonic())

    # --- what it is

    @property
    def session_id(self) -> str:
        """The session; `store.runs.resume` takes it."""
        return self.setup.session_id

    @property
    def job_id(self) -> str:
        """The job; `store.runs.resume` takes it too."""
        return self.setup.job_id

    @property
    def state(self) -> JobState:
        """What is known of each item."""
        return self._state

    @property
    def total(self) -> int:
        """How many items there are."""
        return len(self._items)

    @property
    def completed(self) -> int:
        """How many items succeeded."""
        return len(self._state.done)

    @property
    def dead_letters(self) -> Sequence[str]:
        """The ids of the items that failed for good, sorted."""
        return sorted(self._state.dead)

    @property
    def settled(self) -> int:
        """How many items are completed or dead."""
        return len(self._state.done) + len(self._state.dead)

    @property
    def done(self) -> bool:
        """Whether every item is settled."""
        return self.settled == self.total

    def results(self) -> Iterator[tuple[WorkItem, Json]]:
        """Each completed item with its result, in the order of the items."""
        for item in self.setup.items:
            progress = self._state.done.get(item.id)
            if progress is not None and progress.result is not None:
                yield item, decode_value(progress.result)

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
            item = None if self._paused else self._queue.take(micros(clock.now()))
            if item is None:
                return None
            number = self._state.attempts(item) + 1
            self._queue.active[item] = number
            self._log(self._facts.started(item, number))
            return Attempt(self._items[item].data, item, number, clock.monotonic(), self)

    def complete(self, attempt: Attempt, result: Json = None) -> None:
        """Settle an item: acknowledged when this returns.

        Raises:
            InvalidValue: the result is no JSON; the item was given back.
            Fenced: the lease was lost.
            StorageError: it could not be stored; the item was given back.
        """
        with self._returning(attempt):
            encoded = encode_value(result, f"the result of {attempt.item_id}")
            progress = self._progress(attempt, Outcome.DONE, result=encoded)
            self._journal.settle(progress)
        self._settled(progress)

    def fail(self, attempt: Attempt, error: BaseException | str) -> None:
        """An attempt failed: another one follows after a backoff, or the item becomes a dead letter.

        Raises:
            Fenced: the lease was lost.
            StorageError: it could not be stored; the item was given back.
        """
        settings = self.setup.settings
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        with self._returning(attempt):
            if attempt.number <= settings.max_retries:
                wait = round(settings.backoff.seconds(attempt.number) * 1_000_000)
                progress = self._progress(attempt, Outcome.FAILED, error=text, wait=wait)
                self._journal.settle(progress)
            else:
                progress = self._progress(attempt, Outcome.DEAD, error=text)
                earlier = self._state.failed.get(attempt.item_id, ())
                letter = buried(self._items[attempt.item_id], self.session_id, (*earlier, progress), error)
                self._journal.bury(progress, letter)
        self._settled(progress)

    def give_back(self, attempt: Attempt) -> None:
        """The attempt did not happen: the item is next again, and no retry is spent."""
        with self._mutex:
            if self._queue.active.get(attempt.item_id) == attempt.number:
                self._queue.give_back(attempt.item_id)

    def log(self, event: Event, **metadata: Json) -> None:
        """Log an event of the embedder's own with the correlation id of the run."""
        self._logger.log(event, metadata=metadata)

    def pause(self) -> None:
        """Let nothing more be claimed; leaving the run then pauses the session."""
        self._paused = True

    def checkpoint(self, reason: CheckpointReason = CheckpointReason.MANUAL) -> None:
        """Store a checkpoint durably. Does nothing while another thread is at it."""
        with self._mutex:
            self._check()
            if self._checkpointing:
                return
            self._checkpointing = True
        try:
            self._checkpoint(reason)
        finally:
            self._checkpointing = False

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
        result = function(self.results())
        if self._open:
            self._journal.session(self._state, Phase.REDUCE, SessionStatus.RUNNING)
            self._number += 1
            self._journal.reduce(
                ReduceCheckpoint(
                    job_id=self.job_id,
                    session_id=self.session_id,
                    number=self._number,
                    epoch=self._journal.grant.epoch,
                    created_at=self._around.runtime.clock.now(),
                    result=result,
                )
            )
        return decode_value(encode_value(result, "the result of the reduce phase"))

    # --- its life

    def restore(self, facts: Sequence[Fact]) -> None:
        """Log events of acknowledged attempts that died with an earlier process."""
        for fact in facts:
            self._log(fact)

    def begin(self, beat: float) -> None:
        """Renew the lease in the background, every `beat` seconds. Called by whoever made the run."""
        self._heart = self._around.runtime.background.every(beat, self._renew)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._open:
            return
        self._open = False
        try:
            if error is None:
                self._finish() if self.done else self._stop(SessionStatus.PAUSED)
            elif not isinstance(error, Fenced):
                with contextlib.suppress(StorageError):  # the error that brought us here is the one to see
                    self._stop_by(error)
        finally:
            self._release()

    def _finish(self) -> None:
        elapsed = self._around.runtime.clock.now() - self.setup.created_at
        event = JobCompleted(
            self.job_id, Duration.of(elapsed.total_seconds()), len(self._state.done), len(self._state.dead)
        )
        if self._facts.completed_id not in self._known:
            self._logger.log(event, id=self._facts.completed_id)
            self._checkpoint(CheckpointReason.PHASE_TRANSITION, final=True)
            self._logger.flush()
        self._journal.session(self._state, Phase.COMPLETE, SessionStatus.COMPLETED)

    def _stop_by(self, error: BaseException) -> None:
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            text = f"{type(error).__name__}: {error}"
            self._logger.log(JobFailed(self.job_id, text, len(self._state.done)))
            self._stop(SessionStatus.FAILED, text)
        else:
            self._stop(SessionStatus.PAUSED)

    def _stop(self, status: SessionStatus, error: str | None = None) -> None:
        self._checkpoint(CheckpointReason.BEFORE_SHUTDOWN)
        if status is SessionStatus.PAUSED:
            self._logger.log(JobPaused(self.job_id, self._number))
        self._logger.flush()
        self._journal.session(self._state, Phase.MAP, status, error=error)

    def _release(self) -> None:
        if self._heart is not None:
            self._heart.stop()
        try:
            with contextlib.suppress(StorageError):  # it stays buffered, and the next resume writes what lacks
                self._logger.close()
        finally:
            self._around.locks.release(self._journal.grant)

    def _renew(self) -> None:
        try:
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

    @contextlib.contextmanager
    def _returning(self, attempt: Attempt) -> Iterator[None]:
        with self._mutex:
            self._check()
            if self._queue.active.get(attempt.item_id) != attempt.number:
                raise InvalidTransition(f"attempt {attempt.number} of {attempt.item_id} is over already")
        try:
            yield
        except BaseException:
            self.give_back(attempt)
            raise

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
            self._state.fold(progress)
            self._queue.active.pop(progress.item, None)
            if progress.outcome is Outcome.FAILED:
                self._queue.put(progress.item, progress.not_before)
            for fact in self._facts.settled(progress):
                self._log(fact)
            elapsed = self._around.runtime.clock.monotonic() - self._since[1]
            due = self._trigger.due(settled=self.settled - self._since[0], elapsed=elapsed)
        if due:
            self.checkpoint(CheckpointReason.INTERVAL)

    def _log(self, fact: Fact) -> None:
        if fact.id not in self._known:
            self._logger.log(fact.event, id=fact.id, metadata={"item_id": fact.item, "attempt": fact.attempt})

    def _checkpoint(self, reason: CheckpointReason, *, final: bool = False) -> None:
        with self._mutex:
            checkpoint = self._snapshot(reason, final=final)
        self._journal.checkpoint(checkpoint)
        with self._mutex:
            self._logger.log(CheckpointCreated(self.job_id, checkpoint.number, len(checkpoint.state.done)))
        if not final:
            self._journal.session(checkpoint.state, Phase.MAP, SessionStatus.RUNNING)

    def _snapshot(self, reason: CheckpointReason, *, final: bool) -> MapCheckpoint:
        """The fold up to here, and what is in flight; every event logged before is flushed.

        Under the mutex, so that an attempt is either folded and its events flushed, or in flight.
        """
        clock = self._around.runtime.clock
        self._journal.fold(self.damage.append)
        self._logger.flush()
        scope = (self.setup.repo, self.job_id)
        for _, cursor in read_on(self._around.storage, scope, self._around.events.stream, self._events):
            self._events = cursor
        self._number += 1
        self._since = (self.settled, clock.monotonic())
        return MapCheckpoint(
            job_id=self.job_id,
            session_id=self.session_id,
            number=self._number,
            epoch=self._journal.grant.epoch,
            created_at=clock.now(),
            reason=reason,
            state=self._journal.folded.copy(),
            progress=self._journal.cursor,
            events=self._events,
            in_progress=dict(self._queue.active),
            final=final,
        )
