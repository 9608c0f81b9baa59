"""The coordinator: claims items, hands them to workers, settles what comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from prodigy_storage.demo.sources import Counts, find, package
from prodigy_storage.demo.workers import Assignment, Died, Pool, Reply, Work, Worker
from prodigy_storage.errors import StorageError
from prodigy_storage.model.checkpoints import ResumeStrategy
from prodigy_storage.model.jobs import Backoff, WorkItem
from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.model.values import Json
from prodigy_storage.opening import repo_name
from prodigy_storage.runs import Attempt, Run
from prodigy_storage.store import Store

WORKFLOW = "demo"
_RETRIES = 2
_BACKOFF = Backoff(initial=0.1, multiplier=2.0, maximum=2.0)
_TICK = 0.05


@attrs.frozen(kw_only=True)
class Result:
    """What the job gave.

    Args:
        dead_letters: The paths that could not be parsed, relative to the input, sorted.
        totals: Counts by top-level package, sorted by name.
    """

    session_id: str
    job_id: str
    items: int
    completed: int
    dead_letters: tuple[str, ...]
    totals: dict[str, Counts]


@attrs.define
class Demo:
    """One process that works on the job.

    Args:
        store: Where everything is kept.
        opens: What a worker opens to reach the same store: a place, or settings.
        workers: How many processes parse.
        crash_after: Kill the workers and this process once so many items are settled here; never if None.
        on_progress: Called with the run whenever an item was settled.
        stopping: Set it to let nothing more be claimed.
    """

    store: Store
    opens: str | StorageSettings
    workers: int
    crash_after: int | None = None
    on_progress: Callable[[Run], None] = lambda _: None
    stopping: bool = False
    _settled: int = 0

    def start(self, directory: Path, items: dict[str, Json] | None = None) -> Run:
        """Begin a new job on `directory`.

        Args:
            directory: Absolute, so that it can be resumed from anywhere.
            items: What `find` gave for it, if it was asked already.

        Raises:
            OSError: a folder cannot be read.
        """
        repo = repo_name(directory)
        self.store.projects.claim(repo, os.path.realpath(directory))
        return self.store.runs.start(
            repo,
            items=find(directory) if items is None else items,
            max_retries=_RETRIES,
            backoff=_BACKOFF,
            workflow_name=WORKFLOW,
            metadata={"input": os.fspath(directory)},
        )

    def resume(self, id: str, *, force: bool = False, strategy: ResumeStrategy = ResumeStrategy.CONTINUE) -> Run:
        """Go on with a job, by session id or job id."""
        return self.store.runs.resume(id, force=force, strategy=strategy)

    def work(self, run: Run) -> Result | None:
        """Settle what is left and add up; None if it was stopped before the end, here or by another process."""
        with run:
            if not run.done:
                self._map(run)
            return _result(run, run.reduce(_totals)) if run.done else None

    def _map(self, run: Run) -> None:
        assignment = Assignment(
            self.opens,
            self.store.dialect,
            Path(str(run.setup.metadata["input"])),
            run.setup.repo,
            run.job_id,
            run.session_id,
            run.setup.correlation_id,
        )
        flying: dict[Worker, Attempt] = {}
        with Pool(assignment, self.workers) as pool:
            try:
                while not (run.done or self.stopping or run.stopping):
                    self._hand_out(run, pool, flying)
                    for worker, reply in pool.answers(_TICK):
                        self._settle(run, flying.pop(worker), reply)
                        self._maybe_crash(pool)
            finally:
                for attempt in flying.values():
                    run.give_back(attempt)

    def _hand_out(self, run: Run, pool: Pool, flying: dict[Worker, Attempt]) -> None:
        while pool.idle:
            attempt = run.claim()
            if attempt is None:
                return
            flying[pool.send(Work(attempt.item_id, attempt.number, attempt.item))] = attempt

    def _settle(self, run: Run, attempt: Attempt, reply: Reply) -> None:
        before = run.settled
        if isinstance(reply, Counts):
            run.complete(attempt, attrs.asdict(reply))
        elif isinstance(reply, StorageError):
            run.give_back(attempt)
            raise reply
        elif isinstance(reply, Died):
            run.fail(attempt, f"WorkerDied: the worker process ended with exit code {reply.exit_code}")
        else:
            run.fail(attempt, reply)
        self._settled += run.settled - before
        self.on_progress(run)

    def _maybe_crash(self, pool: Pool) -> None:
        if self.crash_after is not None and self._settled >= self.crash_after:
            pool.kill()
            os.kill(os.getpid(), signal.SIGKILL)


def _totals(results: Iterator[tuple[WorkItem, Json]]) -> Json:
    totals: dict[str, Counts] = {}
    for item, result in results:
        name = package(_path(item.data))
        totals[name] = totals.get(name, Counts(0, 0, 0, 0)) + Counts.of(result)
    return {name: attrs.asdict(totals[name]) for name in sorted(totals)}


def _path(data: Json) -> str:
    assert isinstance(data, dict)
    return str(data["path"])


def _result(run: Run, totals: Json) -> Result:
    assert isinstance(totals, dict)
    dead = set(run.dead_letters)
    return Result(
        session_id=run.session_id,
        job_id=run.job_id,
        items=run.total,
        completed=run.completed,
        dead_letters=tuple(sorted(_path(item.data) for item in run.setup.items if item.id in dead)),
        totals={name: Counts.of(counts) for name, counts in totals.items()},
    )
