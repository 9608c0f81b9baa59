"""Worker processes: spawned, deaf to Ctrl-C, and gone when their pipe closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self, TypeAlias

import attrs

from prodigy_storage.codecs.dialects import Dialect
from prodigy_storage.codecs.event_ids import derived_id
from prodigy_storage.demo.sources import Counts, parse
from prodigy_storage.errors import StorageError
from prodigy_storage.model.events import AgentProgress
from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.model.values import Json
from prodigy_storage.opening import open as open_store
from prodigy_storage.ports.storage import Durability
from prodigy_storage.services.events import EventLogger
from prodigy_storage.store import Store

_CONTEXT = multiprocessing.get_context("spawn")


@attrs.frozen
class Assignment:
    """What a worker needs to know of the job."""

    store: str | StorageSettings
    dialect: Dialect
    input: Path
    repo: str
    job_id: str
    session_id: str
    correlation_id: str


@attrs.frozen
class Work:
    """One item for a worker."""

    item: str
    attempt: int
    data: Json


@attrs.frozen
class Died:
    """What a worker answers that does not live any more."""

    exit_code: int | None


Reply: TypeAlias = Counts | StorageError | str | Died
"""What became of an item: its counts, an error of the store, the text of an error, or the end of the worker."""


def _main(pipe: Connection, assignment: Assignment) -> None:
    with contextlib.suppress(EOFError, ConnectionError):
        try:
            with open_store(assignment.store, dialect=assignment.dialect) as store:
                _serve(pipe, assignment, store)
        except StorageError as error:  # of opening: whoever asks first learns it; of closing: nobody asks any more
            pipe.recv()
            pipe.send(error)


def _serve(pipe: Connection, assignment: Assignment, store: Store) -> None:
    logger = store.events.logger(
        assignment.repo, assignment.job_id, correlation_id=assignment.correlation_id, durability=Durability.OS
    )
    while True:
        pipe.send(_work(pipe.recv(), assignment, logger))


def _work(work: Work, assignment: Assignment, logger: EventLogger) -> Reply:
    """What became of one item. Its event is stored before the answer is sent, so no settled item lacks it."""
    answer: Reply
    try:
        answer = parse(assignment.input, work.data)
        step = "parsed"
    except Exception as error:  # noqa: BLE001  # whatever a file makes the parser raise is a failure of the item
        answer = f"{type(error).__name__}: {error}"
        step = "failed"
    event = AgentProgress(assignment.job_id, f"agent-{work.item}", step, 100.0)
    id = derived_id(assignment.session_id, work.item, work.attempt, event.event_type)
    try:
        logger.log(event, id=id, metadata={"item_id": work.item, "attempt": work.attempt})
        logger.flush()
    except StorageError as error:
        return error
    return answer


@attrs.define(eq=False)
class Worker:
    """One process and its pipe."""

    process: BaseProcess
    pipe: Connection

    @classmethod
    def start(cls, assignment: Assignment) -> Worker:
        """Spawn it. Ctrl-C and SIGTERM stay blocked in it from its first instruction on."""
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_main, args=(theirs, assignment), daemon=True)
        resource_tracker.ensure_running()  # its own start would unblock Ctrl-C again
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        theirs.close()
        return cls(process, ours)

    def kill(self) -> None:
        """End it at once."""
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)


@attrs.define
class Pool:
    """A fixed number of workers; one that dies is replaced."""

    assignment: Assignment
    size: int
    idle: list[Worker] = attrs.field(factory=list)
    busy: list[Worker] = attrs.field(factory=list)

    def __enter__(self) -> Self:
        self.idle = [Worker.start(self.assignment) for _ in range(self.size)]
        return self

    def __exit__(self, *_: object) -> None:
        workers = [*self.idle, *self.busy]
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join(timeout=10)
            worker.kill()

    def send(self, work: Work) -> Worker:
        """Give an idle worker something to do."""
        worker = self.idle.pop()
        with contextlib.suppress(ConnectionError):  # it died while idle; the answer will say so
            worker.pipe.send(work)
        self.busy.append(worker)
        return worker

    def answers(self, seconds: float) -> Iterator[tuple[Worker, Reply]]:
        """Whatever comes in within `seconds`; those who answered are idle again, the dead are replaced."""
        for worker in self._heard(seconds):
            self.busy.remove(worker)
            try:
                reply: Reply = worker.pipe.recv()
            except (EOFError, ConnectionError):
                reply = self._buried(worker)
                self.idle.append(Worker.start(self.assignment))
            else:
                self.idle.append(worker)
            yield worker, reply

    def _heard(self, seconds: float) -> list[Worker]:
        heard = wait([worker.pipe for worker in self.busy], timeout=seconds)
        return [worker for worker in self.busy if worker.pipe in heard]

    def _buried(self, worker: Worker) -> Died:
        worker.process.join(timeout=10)
        worker.pipe.close()
        return Died(worker.process.exitcode)

    def kill(self) -> None:
        """End every worker at once."""
        for worker in [*self.idle, *self.busy]:
            worker.kill()
