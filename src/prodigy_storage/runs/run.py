"""The live object that drives a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import attrs

from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Fenced, InvalidTransition, StorageError
from prodigy_storage.model.checkpoints import CheckpointReason
from prodigy_storage.model.events import Event
from prodigy_storage.model.jobs import Outcome, Progress, WorkItem
from prodigy_storage.model.requests import Wish
from prodigy_storage.model.values import Json
from prodigy_storage.ports.runtime import Handle
from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.ending import Ending
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.reducing import Reduction
from prodigy_storage.runs.settling import Settler
from prodigy_storage.runs.steps import Steps
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
    _settler: Settler
    _ear: Ear
    _reduction: Reduction
    _mutex: AbstractContextManager[object]
    _open: bool
    _heart: Handle | None = attrs.field(init=False, default=None)
    _lost: Fenced | None = attrs.field(init=False, default=None)

    def begin(self, beat: float) -> None:
        """Renew the lease every `beat` seconds from now on. Called by whoever made the run."""
        self._heart = self._around.runtime.background.every(beat, self._beat)

    # --- driving it

    def attempts(self) -> Iterator[Attempt]:
        """Items to try, until every one is settled; waits for backoffs and for items that other threads hold.

        It ends earlier when the run is asked to pause or to cancel.
        """
        while not self.done and not self._ear.wish:
            attempt = self.claim()
            if attempt is not None:
                yield attempt
            elif not (self.done or self._ear.wish):
                self._around.runtime.clock.sleep(_POLL)

    def claim(self) -> Attempt | None:
        """The next item that may be tried now; None if there is none at the moment, or the run is `stopping`.

        Raises:
            Fenced: the lease was lost.
        """
        clock = self._around.runtime.clock
        now = clock.monotonic()
        stopping = self._ear.listen(now) is not None
        with self._mutex:
            self._check()
            self._teller.tell()
            item = None if stopping else self._queue.take(micros(clock.now()))
            if item is None:
                return None
            number = self.state.next_attempt(item)
            self._queue.active[item] = number
            self._teller.started(item, number)
            return Attempt(self.items[item].data, item, number, now, self)

    def complete(self, attempt: Attempt, result: Json = None) -> None:
        """Settle an item: acknowledged when this returns.

        Raises:
            InvalidValue: the result is no JSON; the item was given back.
            Fenced: the lease was lost.
            StorageError: it could not be stored; the item was given back.
        """
        self._check_attempt(attempt)
        try:
            progress = self._settler.done(attempt, result)
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
            progress = self._settler.failed(attempt, error)
        except BaseException:
            self.give_back(attempt)
            raise
        self._settled(progress)

    def give_back(self, attempt: Attempt) -> None:
        """The attempt did not happen: the item is next again, and no retry is spent."""
        with self._mutex:
            if self._queue.active.get(attempt.item_id) == attempt.number:
                self._queue.give_back(attempt.item_id)

    def log(self, event: Event, **metadata: Json) -> None:
        """Log an event of the embedder's own with the correlation id of the run."""
        self._teller.logger.log(event, metadata=metadata or None)

    def pause(self) -> None:
        """Let nothing more be claimed; leaving the run then pauses the session. May be called by a signal handler."""
        self._ear.wish = self._ear.wish or Wish.PAUSE

    def cancel(self) -> None:
        """Let nothing more be claimed; leaving the run then cancels the session, unless everything is settled.

        May be called by a signal handler.
        """
        self._ear.wish = Wish.CANCEL

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to pause or to cancel, here or by another process: nothing more is claimed."""
        return self._ear.listen(self._around.runtime.clock.monotonic()) is not None

    def checkpoint(self) -> None:
        """Store a checkpoint durably. Does nothing while another thread is at it."""
        with self._mutex:
            self._check()
        self._checkpointer.take(CheckpointReason.MANUAL)

    def request_checkpoint(self) -> None:
        """Let a checkpoint be made when the next item is settled, or with the next sign of life, whichever is first.

        May be called by a signal handler: it only leaves a note.
        """
        self._checkpointer.requested = True

    def steps(self) -> Steps:
        """The steps of the reduce phase, once all items are settled: each is done once and its output is stored.

        Raises:
            InvalidTransition: items are still pending.
            Stopped: they are, because the run was asked to pause or to cancel.
        """
        return self._reduction.steps()

    def reduce(self, function: Callable[[Iterator[tuple[WorkItem, Json]]], Json]) -> Json:
        """The result of the reduce phase: computed once all items are settled, stored, and the same ever after.

        Args:
            function: From the completed items and their results to one JSON value; a death during it lets it run
                again. What it does in `steps` is not done again.

        Raises:
            InvalidTransition: items are still pending.
            Stopped: they are, because the run was asked to pause or to cancel.
            InvalidValue: the result is no JSON.
        """
        return self._reduction.reduce(function)

    # --- its end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._open:
            return
        self._open = self._reduction.live = False
        if self._heart is not None:
            self._heart.stop()  # a checkpoint that it is at keeps the last one from being made
        Ending(self._around, self, self._journal, self._teller, self._checkpointer, self._ear).leave(error)

    def _beat(self) -> None:
        now = self._around.runtime.clock.monotonic()
        try:
            with self._mutex:
                self._teller.tell()
            self._around.locks.renew(self._journal.grant)
            self._ear.listen(now)
            reason = self._checkpointer.due(now)
            if reason is not None:
                self._checkpointer.take(reason)
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

    def _settled(self, progress: Progress) -> None:
        with self._mutex:
            self.state.fold(progress)
            self._queue.active.pop(progress.item, None)
            if progress.outcome is Outcome.FAILED:
                self._queue.put(progress.item, progress.not_before)
            self._teller.settled(progress)
            reason = self._checkpointer.due(self._around.runtime.clock.monotonic())
        if reason is not None:
            self._checkpointer.take(reason)
