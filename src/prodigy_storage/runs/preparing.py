"""How a job begins: what it starts from is stored, at once or step by step in a setup phase."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast

import attrs

from prodigy_storage.errors import Fenced, InvalidTransition, StorageError
from prodigy_storage.model.events import JobFailed
from prodigy_storage.model.jobs import JobState, Setup, StepResult, WorkItem
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.requests import Wish
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.model.values import Json
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.names import check_name
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.steps import Steps
from prodigy_storage.runs.surroundings import Surroundings

Items: TypeAlias = Iterable[Json] | Mapping[str, Json]
"""JSON values, named `item_0`, `item_1`, … in their order; or a mapping from names to values."""

SetupPhase: TypeAlias = Callable[[Steps], Items]
"""A program's setup phase: does its steps, and gives the items."""


def work_items(items: Items) -> tuple[WorkItem, ...]:
    """The items with their names.

    Raises:
        InvalidName: a name is not storable.
    """
    if isinstance(items, Mapping):
        named = cast("Mapping[str, Json]", items)
        return tuple(WorkItem(check_name(id), data) for id, data in named.items())
    return tuple(WorkItem(f"item_{number}", data) for number, data in enumerate(items))


def store_setup(around: Surroundings, setup: Setup, grant: Grant) -> Setup:
    """Store what the job starts from, and give it back as a resumed run will see it."""
    around.checkpoints.save_setup(setup, guard=(grant.guard,))
    around.mappings.save(setup.repo, mapping_of(setup))
    return around.checkpoints.setup(setup.repo, setup.job_id)


def mapping_of(setup: Setup) -> SessionJobMapping:
    """Which session runs the job."""
    name = str(setup.metadata.get("workflow_name", ""))
    return SessionJobMapping(
        session_id=setup.session_id, job_id=setup.job_id, workflow_name=name, created_at=setup.created_at
    )


@attrs.define
class Preparation:
    """The setup phase of one job, under its lease.

    Args:
        setup: As far as it came.
        beat: Seconds between two signs of life.
    """

    _around: Surroundings
    _journal: Journal
    _ear: Ear
    setup: Setup
    _beat: float

    def run(self, phase: SetupPhase) -> Setup:
        """Do what is left of the phase, and store the items.

        Raises:
            StorageError: it could not be stored, or the run was asked to stop; the session is resumable.
            InvalidTransition: the steps are not those of an earlier time.
        """
        clock = self._around.runtime.clock
        steps = Steps("setup", self.setup.steps, dict(self.setup.variables), clock, self._check, self._save)
        self._journal.session(JobState(), Phase.SETUP, SessionStatus.RUNNING, started=True)
        with self._living(), self._ending():
            items = work_items(phase(steps))
            self._advance(attrs.evolve(self.setup, items=items, variables=dict(steps.variables), complete=True))
        self._journal.session(JobState(), Phase.SETUP, SessionStatus.RUNNING)
        return self._around.checkpoints.setup(self.setup.repo, self.setup.job_id)

    def _check(self) -> None:
        self._ear.check(self._around.runtime.clock.monotonic())

    def _save(self, completed: Sequence[StepResult], variables: Mapping[str, Json]) -> None:
        self._advance(attrs.evolve(self.setup, steps=tuple(completed), variables=variables))

    def _advance(self, setup: Setup) -> None:
        self._around.check(setup)
        self._journal.advance(setup)
        self.setup = setup

    @contextlib.contextmanager
    def _living(self) -> Iterator[None]:
        grant, locks = self._journal.grant, self._around.locks

        def renew() -> None:
            with contextlib.suppress(StorageError):  # whoever was fenced finds out when it writes
                locks.renew(grant)

        heart = self._around.runtime.background.every(self._beat, renew)
        try:
            yield
        finally:
            heart.stop()

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except Fenced:
            raise
        except BaseException as error:
            with contextlib.suppress(StorageError):  # the error that brought us here is the one to see
                self._stop(error)
            raise

    def _stop(self, error: BaseException) -> None:
        status, text = SessionStatus.PAUSED, None
        if isinstance(error, Exception) and not (
            isinstance(error, StorageError) and not isinstance(error, InvalidTransition | ValueError)
        ):
            status, text = SessionStatus.FAILED, f"{type(error).__name__}: {error}"
        if self._ear.wish is not None:
            cancelled = self._ear.wish is Wish.CANCEL
            status, text = (SessionStatus.CANCELLED, str(error)) if cancelled else (SessionStatus.PAUSED, None)
        if status is SessionStatus.FAILED and text is not None:
            setup = self.setup
            logger = self._around.events.logger(setup.repo, setup.job_id, correlation_id=setup.correlation_id)
            with logger:
                logger.log(JobFailed(setup.job_id, text, 0))
        self._journal.session(JobState(), Phase.SETUP, status, error=text)
        self._ear.forget()
