"""The reduce phase of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from prodigy_storage.codecs.values import decode_value, encode_value
from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.checkpoints import ReduceCheckpoint
from prodigy_storage.model.jobs import StepResult, WorkItem
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.model.values import Json
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.steps import Steps
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.view import View


@attrs.define(eq=False)
class Reduction:
    """Computes one value from all results, once.

    Args:
        live: Whether it may write; a job that is over only shows what is stored.
    """

    _around: Surroundings
    _view: View
    _journal: Journal
    _checkpointer: Checkpointer
    _ear: Ear
    live: bool
    _steps: Steps | None = None
    _result: ReduceCheckpoint | None = None

    def steps(self) -> Steps:
        """See `Run.steps`."""
        if self._steps is None:
            self._begin()
        assert self._steps is not None  # just made
        return self._steps

    def reduce(self, function: Callable[[Iterator[tuple[WorkItem, Json]]], Json]) -> Json:
        """See `Run.reduce`."""
        steps = self.steps()
        if self._result is None:
            result = decode_value(encode_value(function(self._view.results()), "the result of the reduce phase"))
            self._result = self._checkpoint(steps.completed, steps.variables, result=result, complete=True)
            if self.live:
                self._journal.reduce(self._result)
        return self._result.result

    def _begin(self) -> None:
        view = self._view
        if not view.done:
            self._ear.check(self._around.runtime.clock.monotonic())
            raise InvalidTransition(f"{view.total - view.settled} items of {view.job_id} are not settled yet")
        stored = self._around.checkpoints.reduced(view.setup.repo, view.job_id)
        self._result = stored if stored and stored.complete else None
        if self.live and self._result is None:
            self._checkpointer.phase_change()
            self._journal.session(view.state, Phase.REDUCE, SessionStatus.RUNNING)
        completed, variables = (stored.steps, stored.variables) if stored else ((), {})
        self._steps = Steps("reduce", completed, dict(variables), self._around.runtime.clock, self._check, self._save)

    def _check(self) -> None:
        if not self.live:
            raise InvalidTransition(f"{self._view.job_id} is over; nothing more is done")
        self._ear.check(self._around.runtime.clock.monotonic())

    def _save(self, completed: Sequence[StepResult], variables: Mapping[str, Json]) -> None:
        self._journal.reduce(self._checkpoint(completed, variables, complete=False))

    def _checkpoint(
        self,
        completed: Sequence[StepResult],
        variables: Mapping[str, Json],
        *,
        result: Json = None,
        complete: bool,
    ) -> ReduceCheckpoint:
        return ReduceCheckpoint(
            job_id=self._view.job_id,
            session_id=self._view.session_id,
            number=self._checkpointer.next_number(),
            epoch=self._journal.grant.epoch,
            created_at=self._around.runtime.clock.now(),
            result=result,
            steps=tuple(completed),
            variables=variables,
            complete=complete,
        )
