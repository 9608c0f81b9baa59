"""`store.runs`: start a job, or go on with one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from prodigy_storage.codecs.checkpoints import encode_setup
from prodigy_storage.codecs.kinds import LEASE
from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.checkpoints import CheckpointRetention, CheckpointTrigger
from prodigy_storage.model.events import CheckpointLoaded, JobResumed, JobStarted, MapReduceConfig
from prodigy_storage.model.jobs import Backoff, JobSettings, JobState, Setup, WorkItem
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.sessions import Phase, Session, SessionStatus
from prodigy_storage.model.values import Json
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.names import check_name
from prodigy_storage.ports.storage import Check, Damage, Durability, Version
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.facts import Facts
from prodigy_storage.runs.finding import find, newest_unfinished, readable_session
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.recovery import Recovered, expected_events, known_events, look, recover
from prodigy_storage.runs.run import Run
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.telling import Teller
from prodigy_storage.runs.view import View

_BEAT = 5.0
"""Seconds between two signs of life: the lease is renewed, and what was acknowledged last is told."""


class Runs:
    """`store.runs`."""

    def __init__(self, around: Surroundings, *, ttl: float = 60.0) -> None:
        self._around = around
        self._ttl = ttl

    def start(
        self,
        repo: str,
        *,
        items: Iterable[Json] | Mapping[str, Json],
        max_retries: int = 0,
        backoff: Backoff | None = None,
        workflow_name: str = "run",
        metadata: Mapping[str, Json] | None = None,
        durability: Durability = Durability.OS,
        trigger: CheckpointTrigger | None = None,
        retention: CheckpointRetention | None = None,
    ) -> Run:
        """Begin a job: its items are durable when this returns.

        Args:
            repo: The project that the job belongs to.
            items: JSON values, named `item_0`, `item_1`, … in their order; or a mapping from names to values.
            max_retries: How often a failed item is tried again.
            backoff: How long it waits before that.
            workflow_name: What runs, for people.
            metadata: Kept with the job and shown in its session.
            durability: What an acknowledged item survives: `OS` the death of the process, `GROUP` or `FULL` a power
                cut too.
            trigger: When to make checkpoints; every 100 items or 5 minutes if None.
            retention: Which checkpoints stay; 10, for 7 days, and the final one if None.

        Raises:
            InvalidName: a repo or item has no storable name.
            InvalidValue: an item is no JSON.
            StorageError: it could not be stored.
        """
        around, now = self._around, self._around.runtime.clock.now()
        unique = around.runtime.ids.new()
        setup = Setup(
            repo=check_name(repo),
            job_id=f"mapreduce-{now:%Y%m%d_%H%M%S}-{unique[-12:]}",
            session_id=f"session-{unique}",
            created_at=now,
            items=tuple(_work(items)),
            settings=JobSettings(max_retries=max_retries, backoff=backoff or Backoff()),
            correlation_id=around.runtime.ids.new(),
            metadata={"workflow_name": workflow_name, **(metadata or {})},
        )
        encode_setup(setup)
        with self._leased(setup) as grant:
            setup = self._set_up(setup, grant)
            journal = Journal(around, setup, grant, durability, retention or CheckpointRetention())
            journal.session(JobState(), Phase.MAP, SessionStatus.RUNNING, started=True)
            run = self._run(setup, journal, Recovered(), set(), trigger)
            config = MapReduceConfig(input=workflow_name, continue_on_failure=True)
            run.log(JobStarted(setup.job_id, config, run.total, now))
            return run

    def _set_up(self, setup: Setup, grant: Grant) -> Setup:
        """Store what the job starts from, and give it back as a resumed run will see it."""
        self._around.checkpoints.save_setup(setup, guard=(grant.guard,))
        name = str(setup.metadata["workflow_name"])
        mapping = SessionJobMapping(
            session_id=setup.session_id, job_id=setup.job_id, workflow_name=name, created_at=setup.created_at
        )
        self._around.mappings.save(setup.repo, mapping)
        return self._around.checkpoints.setup(setup.repo, setup.job_id)

    def resume(
        self,
        id: str,
        *,
        repo: str | None = None,
        force: bool = False,
        durability: Durability = Durability.OS,
        trigger: CheckpointTrigger | None = None,
        retention: CheckpointRetention | None = None,
    ) -> Run:
        """Go on with a job. What was acknowledged is not done again; what was in flight is.

        A completed job gives a run with nothing to do, which writes nothing.

        Args:
            id: The session's id or the job's.
            repo: Where, if several projects have a job of that id.
            force: Take the lease from a living holder, who is fenced.
            durability, trigger, retention: As in `start`.

        Raises:
            NotFound: there is no such session or job.
            Ambiguous: several projects have one; the candidates are listed.
            InvalidTransition: the session was cancelled.
            Locked: somebody living runs it.
        """
        setup = self.find(id, repo=repo)
        damage: list[Damage] = []
        session = readable_session(self._around, setup.session_id, damage.append)
        if session is not None and session.status is SessionStatus.CANCELLED:
            raise InvalidTransition(f"{setup.session_id} was cancelled and cannot be resumed")
        if session is not None and session.status is SessionStatus.COMPLETED:
            return self._ended(setup)
        with self._leased(setup, force=force, above=self._epoch(setup, session)) as grant:
            found = recover(self._around, setup)
            if damage:
                found.damage += damage
                self._around.sessions.set_aside(setup.session_id)
            known = known_events(self._around, setup, found)
            retention = retention or CheckpointRetention()
            journal = Journal(self._around, setup, grant, durability, retention, found.state.copy(), found.cursor)
            journal.session(found.state, Phase.MAP, SessionStatus.RUNNING, started=True)
            run = self._run(setup, journal, found, known, trigger)
            run.log(CheckpointLoaded(setup.job_id, found.number))
            run.log(JobResumed(setup.job_id, found.number, run.total - run.settled))
            return run

    def _ended(self, setup: Setup) -> Run:
        """A run that is over: its guard never holds, so it cannot write."""
        grant = Grant((setup.repo, setup.job_id), setup.job_id, 0, Check(LEASE, setup.job_id, Version("ended")))
        journal = Journal(self._around, setup, grant, Durability.OS, CheckpointRetention())
        return self._run(setup, journal, look(self._around, setup), set(), None, live=False)

    def find(self, id: str, *, repo: str | None = None) -> Setup:
        """What a session id or a job id stands for.

        Raises:
            NotFound: there is nothing of that id.
            Ambiguous: several projects have a job of that id.
            Corrupt: the job's setup is damaged.
        """
        return find(self._around, id, repo)

    def look(self, setup: Setup) -> Recovered:
        """Where a job stands, to the last acknowledged attempt, whoever runs it. Writes nothing.

        Args:
            setup: What `find` gave.
        """
        return look(self._around, setup)

    def newest_unfinished(self, workflow_name: str) -> Session | None:
        """The session of that workflow which was started last and can be resumed; None if there is none."""
        return newest_unfinished(self._around, workflow_name)

    def _epoch(self, setup: Setup, session: Session | None) -> int:
        """The highest epoch that anything of the job was written under."""
        listed = self._around.checkpoints.list(setup.repo, setup.job_id).checkpoints
        return max([info.epoch for info in listed] + [session.epoch if session else 0])

    @contextlib.contextmanager
    def _leased(self, setup: Setup, *, force: bool = False, above: int = 0) -> Iterator[Grant]:
        """The lease of a job; given back if the run does not come about."""
        locks, scope = self._around.locks, (setup.repo, setup.job_id)
        grant = locks.acquire(scope, setup.job_id, purpose=setup.session_id, ttl=self._ttl, force=force, above=above)
        try:
            yield grant
        except BaseException:
            locks.release(grant)
            raise

    def _run(
        self,
        setup: Setup,
        journal: Journal,
        found: Recovered,
        known: set[str],
        trigger: CheckpointTrigger | None,
        *,
        live: bool = True,
    ) -> Run:
        state = found.state
        pending = (item.id for item in setup.items if not state.settled(item.id))
        waiting = ((id, max((p.not_before for p in state.failed.get(id, ())), default=0)) for id in pending)
        mutex = self._around.runtime.background.mutex()
        queue = Queue.of(waiting)
        logger = self._around.events.logger(setup.repo, setup.job_id, correlation_id=setup.correlation_id)
        events = found.checkpoint.events if found.checkpoint else None
        teller = Teller(Facts(setup.job_id, setup.session_id), logger, known)
        checkpointer = Checkpointer(
            self._around,
            View(setup, state, found.damage),
            journal,
            teller,
            queue,
            trigger or CheckpointTrigger(),
            mutex,
            found.number,
            events,
        )
        run = Run(setup, state, found.damage, self._around, journal, teller, queue, checkpointer, mutex, live)
        if live:
            teller.expect(expected_events(setup, found))
            run.begin(min(_BEAT, self._ttl / 3))
        return run


def _work(items: Iterable[Json] | Mapping[str, Json]) -> Iterable[WorkItem]:
    if isinstance(items, Mapping):
        named = cast("Mapping[str, Json]", items)
        return (WorkItem(check_name(id), data) for id, data in named.items())
    return (WorkItem(f"item_{number}", data) for number, data in enumerate(items))
