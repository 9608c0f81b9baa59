"""`store.runs`: start a job, or go on with one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import attrs

from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.checkpoints import CheckpointRetention, CheckpointTrigger, ResumeStrategy
from prodigy_storage.model.events import CheckpointLoaded, JobResumed, JobStarted, MapReduceConfig
from prodigy_storage.model.jobs import Backoff, JobSettings, JobState, Setup
from prodigy_storage.model.sessions import Phase, Session, SessionStatus
from prodigy_storage.model.values import Json
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.names import check_name
from prodigy_storage.ports.storage import Damage, Durability
from prodigy_storage.runs.adopting import adopt
from prodigy_storage.runs.finding import readable_session
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.making import Maker, Manner, beat, ended
from prodigy_storage.runs.overseeing import Overseeing
from prodigy_storage.runs.preparing import Items, Preparation, SetupPhase, mapping_of, store_setup, work_items
from prodigy_storage.runs.recovery import Recovered, known_events, recover
from prodigy_storage.runs.restarting import forget_end, restart, validate
from prodigy_storage.runs.run import Run


class Runs(Overseeing):
    """`store.runs`."""

    def start(
        self,
        repo: str,
        *,
        items: Items | SetupPhase,
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
            items: JSON values, named `item_0`, `item_1`, … in their order; or a mapping from names to values; or the
                setup phase: a function that does its steps with the `Steps` that it is given, and gives the items.
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
        phase = items if callable(items) else None
        setup = Setup(
            repo=check_name(repo),
            job_id=f"mapreduce-{now:%Y%m%d_%H%M%S}-{unique[-12:]}",
            session_id=f"session-{unique}",
            created_at=now,
            items=() if callable(items) else work_items(items),
            settings=JobSettings(max_retries=max_retries, backoff=backoff or Backoff()),
            correlation_id=around.runtime.ids.new(),
            metadata={"workflow_name": workflow_name, **(metadata or {})},
            complete=phase is None,
        )
        around.check(setup)
        manner = Manner.of(durability, trigger, retention)
        with self._leased(setup) as grant:
            return self._begin(store_setup(around, setup, grant), grant, manner, phase)

    def resume(
        self,
        id: str,
        *,
        repo: str | None = None,
        force: bool = False,
        strategy: ResumeStrategy = ResumeStrategy.CONTINUE,
        items: SetupPhase | None = None,
        durability: Durability = Durability.OS,
        trigger: CheckpointTrigger | None = None,
        retention: CheckpointRetention | None = None,
    ) -> Run:
        """Go on with a job. What was acknowledged is not done again; what was in flight is.

        A job that Prodigy began goes on from its newest state: our first checkpoint says what that does, and its own
        files stay as they are. Its items are tried as often as Prodigy's `resume-job` would, twice after a failure.

        A completed job gives a run with nothing to do, which writes nothing.

        Args:
            id: The session's id or the job's.
            repo: Where, if several projects have a job of that id.
            force: Take the lease from a living holder, who is fenced.
            strategy: From where it goes on. A restart puts attempts behind, with their results; dead letters stay in
                the queue, and those items are tried again.
            items: The setup phase of a job that died in it; what it gave is never asked for again.
            durability, trigger, retention: As in `start`.

        Raises:
            NotFound: there is no such session or job.
            Ambiguous: several projects have one; the candidates are listed.
            InvalidTransition: the session was cancelled, or it is over and cannot be restarted, or it is in its
                setup phase and `items` was not given.
            Corrupt: what the strategy validates is not sound.
            Locked: somebody living runs it.
        """
        setup = self.find(id, repo=repo)
        damage: list[Damage] = []
        session = readable_session(self._around, setup.session_id, damage.append)
        if strategy is ResumeStrategy.VALIDATE:
            validate(self._around, setup)
        if session is not None and session.ended:
            return self._over(setup, session, strategy)
        if not setup.complete and items is None:
            raise InvalidTransition(
                f"{setup.job_id} is in its setup phase", hint="Resume it with items=, the function that it began with."
            )
        manner = Manner.of(durability, trigger, retention)
        with self._leased(setup, force=force, above=self._epoch(setup, session)) as grant:
            setup = adopt(self._around, setup, grant)
            if damage:
                self._around.sessions.set_aside(setup.session_id)
            if not setup.complete:
                return self._begin(self._setup_again(setup, grant, strategy), grant, manner, items)
            return self._go_on(setup, grant, manner, strategy, damage)

    def _begin(self, setup: Setup, grant: Grant, manner: Manner, phase: SetupPhase | None) -> Run:
        around = self._around
        ear = Ear(around.storage, grant)
        if not setup.complete and phase is not None:
            journal = Journal(around, setup, grant, manner.durability, manner.retention)
            setup = Preparation(around, journal, ear, setup, beat(self._ttl)).run(phase)
        maker = Maker(around, setup, manner, ear)
        journal = maker.journal(grant, Recovered())
        journal.session(JobState(), Phase.MAP, SessionStatus.RUNNING, started=True)
        run = maker.run(journal, Recovered(), set())
        run.begin(beat(self._ttl))
        config = MapReduceConfig(input=str(setup.metadata["workflow_name"]), continue_on_failure=True)
        run.log(JobStarted(setup.job_id, config, run.total, setup.created_at))
        return run

    def _setup_again(self, setup: Setup, grant: Grant, strategy: ResumeStrategy) -> Setup:
        """The setup as far as it came, or from its start if the strategy asks for that."""
        if strategy is not ResumeStrategy.RESTART_PHASE:
            return setup
        begun = attrs.evolve(setup, steps=(), variables={})
        self._around.checkpoints.advance_setup(begun, guard=(grant.guard,))
        return begun

    def _go_on(
        self, setup: Setup, grant: Grant, manner: Manner, strategy: ResumeStrategy, damage: Sequence[Damage]
    ) -> Run:
        around = self._around
        found = recover(around, setup)
        found.damage += damage
        around.mappings.keep(setup.repo, mapping_of(setup))
        known = known_events(around, setup, found)
        if strategy not in (ResumeStrategy.CONTINUE, ResumeStrategy.VALIDATE):
            found = restart(around, setup, grant, found, strategy)
            forget_end(setup, known)
        maker = Maker(around, setup, manner, Ear(around.storage, grant))
        journal = maker.journal(grant, found)
        journal.session(found.state, Phase.MAP, SessionStatus.RUNNING, started=True)
        run = maker.run(journal, found, known)
        run.begin(beat(self._ttl))
        run.log(CheckpointLoaded(setup.job_id, found.number))
        run.log(JobResumed(setup.job_id, found.number, run.total - run.settled))
        return run

    def _over(self, setup: Setup, session: Session, strategy: ResumeStrategy) -> Run:
        if session.status is SessionStatus.CANCELLED:
            raise InvalidTransition(f"{setup.session_id} was cancelled and cannot be resumed")
        if strategy not in (ResumeStrategy.CONTINUE, ResumeStrategy.VALIDATE):
            raise InvalidTransition(f"{setup.session_id} is completed and cannot be restarted; start a new one")
        return ended(self._around, setup)

    def _epoch(self, setup: Setup, session: Session | None) -> int:
        """The highest epoch that anything of the job was written under."""
        listed = self._around.checkpoints.list(setup.repo, setup.job_id).checkpoints
        return max([info.epoch for info in listed] + [session.epoch if session else 0])

    @contextlib.contextmanager
    def _leased(self, setup: Setup, *, force: bool = False, above: int = 0) -> Iterator[Grant]:
        """The lease of a job; given back if the run does not come about."""
        locks, scope = self._around.locks, (setup.repo, setup.job_id)
        if not force:
            locks.respect(scope, setup.session_id)  # Prodigy resumes by the session's id too
        grant = locks.acquire(scope, setup.job_id, purpose=setup.session_id, ttl=self._ttl, force=force, above=above)
        try:
            yield grant
        except BaseException:
            locks.release(grant)
            raise
