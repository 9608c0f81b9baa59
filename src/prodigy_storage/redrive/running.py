"""The live object that drives a redrive."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import attrs

from prodigy_storage.errors import Corrupt, Fenced, InvalidTransition, Locked, NotFound, StorageError
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.redrives import ItemOutcome, Redrive, RedriveState, TrialOutcome
from prodigy_storage.model.values import Json
from prodigy_storage.ports.runtime import Handle
from prodigy_storage.ports.storage import Damage
from prodigy_storage.redrive.claims import Claims
from prodigy_storage.redrive.journal import Journal
from prodigy_storage.redrive.outcomes import described, skipped, tried
from prodigy_storage.redrive.schedule import Schedule
from prodigy_storage.redrive.surroundings import Surroundings
from prodigy_storage.redrive.trial import Trial

_POLL = 0.02
Work = Callable[[DeadLetter], Json]


@attrs.define(eq=False)
class RunningRedrive:
    """Tries dead letters again. Made by `store.redrives.start` and `resume`; a context manager.

    An outcome is *acknowledged* when `succeed()` or `fail()` has returned, or the `with` block of a trial was left:
    from then on it survives `kill -9` and a power cut. Every method may be called from several threads.

    Args:
        redrive: What is stored of it.
        state: What became of each item.
        damage: What could not be read.
        on_outcome: Called after each acknowledged outcome, in the thread that made it.
    """

    redrive: Redrive
    state: RedriveState
    damage: Sequence[Damage]
    _around: Surroundings
    _journal: Journal
    _claims: Claims
    _mutex: contextlib.AbstractContextManager[object]
    _schedule: Schedule
    _trials: dict[str, Trial] = attrs.field(init=False, factory=dict)
    _settled_before: int = attrs.field(init=False)
    on_outcome: Callable[[ItemOutcome], None] = attrs.field(init=False, default=lambda _: None)
    _open: bool = attrs.field(init=False, default=True)
    _heart: Handle | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._settled_before = self.state.settled_count

    # --- how it stands

    @property
    def id(self) -> str:
        """The redrive's id; `store.redrives.resume` takes it."""
        return self.redrive.id

    @property
    def counts(self) -> Mapping[str, int]:
        """How many items are `done`, `failed`, `skipped` and `pending`."""
        with self._mutex:
            return self.state.counts(self.redrive.items)

    @property
    def finished(self) -> bool:
        """Whether no further item will be tried: all are settled or skipped, or the canary failed."""
        return self._schedule.finished

    @property
    def note(self) -> str:
        """Why it stopped early; empty if it did not."""
        return self._schedule.note

    # --- driving it

    def drive(self, work: Work, *, parallel: int = 1) -> Mapping[str, int]:
        """Try every item: `work` gets the whole dead letter; what it returns is kept, what it raises is a failure.

        Args:
            work: Called from several threads if `parallel` is more than 1.
            parallel: How many at once.

        Returns:
            `counts`.
        """
        self._around.in_threads(lambda: self._loop(work), parallel, self.stop)
        return self.counts

    def _loop(self, work: Work) -> None:
        for trial in self.trials():
            with contextlib.suppress(Fenced), trial:  # a refused result is noted as skipped
                trial.result = work(trial.letter)

    def trials(self) -> Iterator[Trial]:
        """Items to try, until the redrive is finished or stopped; waits for backoffs and for other threads."""
        while not self.finished:
            trial = self.claim()
            if trial is not None:
                yield trial
            elif not self.finished:
                self._around.runtime.clock.sleep(_POLL)

    def claim(self) -> Trial | None:
        """The next item that may be tried now, claimed; None if there is none at the moment.

        An item that somebody else retries, that is gone or damaged, is skipped.
        """
        clock = self._around.runtime.clock
        while True:
            with self._mutex:
                self._check()
                item = self._schedule.take(clock.monotonic())
            if item is None:
                return None
            try:
                letter = self._claims.take(item)
            except (Locked, NotFound, Corrupt) as error:
                self._skip(item, error.message)
                continue
            except BaseException:
                with self._mutex:
                    self._schedule.put(item)
                raise
            with self._mutex:
                trial = Trial(letter, self.state.tries.get(item, 0) + 1, clock.monotonic(), self)
                self._trials[item] = trial
            return trial

    def succeed(self, trial: Trial, result: Json = None) -> None:
        """The item works: its outcome is kept and its letter removed, together.

        Raises:
            InvalidValue: the result is no JSON; the item was given back.
            Fenced: the claim was lost; the result is refused.
            StorageError: it could not be stored; the item was given back.
        """
        with self._settling(trial):
            outcome = tried(self.id, trial, TrialOutcome.DONE, self._around.runtime.clock, result=result)
            self._claims.remove(trial.letter, self._journal.noting(outcome))
        self._fold(outcome)

    def fail(self, trial: Trial, error: BaseException | str) -> None:
        """The item failed again: its history grows; another try follows after a backoff if one is left.

        Raises:
            Fenced: the claim was lost; the result is refused.
            StorageError: it could not be stored; the item was given back.
        """
        last = trial.number >= self.redrive.settings.max_retries
        with self._settling(trial):
            kind = TrialOutcome.FAILED if last else TrialOutcome.RETRYING
            outcome = tried(self.id, trial, kind, self._around.runtime.clock)
            failure = described(error, trial, outcome)
            outcome = attrs.evolve(outcome, error=failure.error_message)
            self._claims.accumulate(trial.letter, failure, self._journal.noting(outcome))
        self._fold(outcome)

    def give_back(self, trial: Trial) -> None:
        """The try did not happen: the item is free again, and no retry is spent."""
        with self._mutex:
            if self._trials.get(trial.item_id) is not trial:
                return
            del self._trials[trial.item_id]
            self._schedule.put(trial.item_id)
        self._claims.give_back(trial.letter)

    def stop(self, note: str = "") -> None:
        """Let nothing more be claimed; what is being tried may still be settled."""
        with self._mutex:
            self._schedule.stop(note)

    # --- its life

    def begin(self, beat: float) -> None:
        """Renew the claims every `beat` seconds from now on. Called by whoever made the redrive."""
        self._heart = self._around.runtime.background.every(beat, self._beat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._open:
            return
        self.stop()
        self._open = False
        if self._heart is not None:
            self._heart.stop()
        try:
            self._end()
        except StorageError:
            if error is None:  # else the error that brought us here is the one to see
                raise

    def _end(self) -> None:
        for trial in list(self._trials.values()):
            self.give_back(trial)
        self._journal.move(
            self._schedule.status, note=self.note, reprocessed=self.state.settled_count - self._settled_before
        )

    def _beat(self) -> None:
        with self._mutex:
            trials = list(self._trials.values())
        for trial in trials:
            with contextlib.suppress(StorageError):  # a lost claim shows when its result comes
                self._claims.renew(trial.letter)

    def _check(self) -> None:
        if not self._open:
            raise InvalidTransition(f"the redrive {self.id} was left; go on with store.redrives.resume")

    # --- how a try is settled

    @contextlib.contextmanager
    def _settling(self, trial: Trial) -> Iterator[None]:
        with self._mutex:
            self._check()
            if self._trials.get(trial.item_id) is not trial:
                raise InvalidTransition(f"try {trial.number} at {trial.item_id} is over already")
        try:
            yield
        except Fenced as error:
            with self._mutex:
                del self._trials[trial.item_id]
            self._skip(trial.item_id, error.message)
            raise
        except BaseException:
            with contextlib.suppress(StorageError):  # the claim ends by itself
                self.give_back(trial)
            raise

    def _skip(self, item: str, reason: str) -> None:
        outcome = skipped(self.id, item, reason, self._around.runtime.clock.now())
        self._journal.note(outcome)
        self._fold(outcome)

    def _fold(self, outcome: ItemOutcome) -> None:
        with self._mutex:
            self._trials.pop(outcome.item, None)
            self._schedule.fold(outcome, self._around.runtime.clock.monotonic())
        self.on_outcome(outcome)
