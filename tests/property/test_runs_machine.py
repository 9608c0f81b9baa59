"""Runs against a naive model: whatever happens to a job, what was acknowledged counts once, and wishes are obeyed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.checkpoints import CheckpointInfo, CheckpointRetention, CheckpointTrigger, ResumeStrategy
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime

ITEMS = [f"item_{n}" for n in range(6)]
RETRIES = 1
NOW = datetime(2025, 1, 1, tzinfo=UTC)
S = SessionStatus
OUTCOMES = st.lists(st.booleans(), min_size=1, max_size=5)


class Mortal(MemoryStorage):
    """A store whose processes live or are gone as the test says."""

    living = True

    def alive(self, _token):
        return self.living


class Machine(RuleBasedStateMachine):
    """One job, driven, stopped, killed and resumed. `run` is None while nobody runs it."""

    @initialize()
    def open(self):
        """A store, and its first job."""
        self.clock, self.storage, self.background = FakeClock(), Mortal(), FakeBackground()
        self.store = Store(self.storage, runtime=fake_runtime(clock=self.clock, background=self.background))
        self.trigger = CheckpointTrigger(items=2)
        self.start()

    def start(self):
        """A job begins."""
        self.run = self.store.runs.start(
            "repo",
            items=dict.fromkeys(ITEMS, 1),
            max_retries=RETRIES,
            backoff=Backoff(initial=0.0),
            trigger=self.trigger,
        )
        self.id = self.run.session_id
        self.done, self.dead = set(), set()
        self.failed = dict.fromkeys(ITEMS, 0)
        self.wish = None
        self.status = S.RUNNING

    def held(self):
        return self.run is not None

    def over(self):
        return self.status in (S.COMPLETED, S.CANCELLED)

    def settled(self):
        return self.done | self.dead

    @precondition(held)
    @rule(outcomes=OUTCOMES)
    def settle(self, outcomes):
        """The next items are tried."""
        for succeeds in outcomes:
            self.settle_one(succeeds)

    def settle_one(self, succeeds):
        """One item; none is given out once a wish was heard."""
        self.clock.advance(1)
        attempt = self.run.claim()
        if self.wish or len(self.settled()) == len(ITEMS):
            assert attempt is None
            return
        assert attempt.item_id not in self.settled()
        if succeeds:
            self.run.complete(attempt, attempt.number)
            self.done.add(attempt.item_id)
            return
        self.run.fail(attempt, "no")
        self.failed[attempt.item_id] += 1
        if self.failed[attempt.item_id] > RETRIES:
            self.dead.add(attempt.item_id)

    @precondition(held)
    @rule()
    def live(self):
        """Signs of life, requested checkpoints."""
        self.clock.advance(5)
        self.run.request_checkpoint()
        self.background.tick()

    @precondition(held)
    @rule(wish=st.sampled_from(["pause", "cancel"]), here=st.booleans())
    def ask(self, wish, here):
        """Somebody wants it to stop, in the process or from outside; to cancel beats to pause."""
        if here:
            getattr(self.run, wish)()
        else:
            assert getattr(self.store.runs, wish)(self.id, by="me").asked
        self.wish = "cancel" if "cancel" in (wish, self.wish) else wish

    @precondition(held)
    @rule(raises=st.booleans())
    def leave(self, raises):
        """The run is left, normally or by an error of the program."""
        error = ValueError("mine") if raises else None
        self.clock.advance(1)
        self.run.stopping  # noqa: B018  # a program looks before it leaves
        self.run.__exit__(type(error) if error else None, error, None)
        if raises:
            self.status = S.FAILED
        elif len(self.settled()) == len(ITEMS):
            self.status = S.COMPLETED
        else:
            self.status = S.CANCELLED if self.wish == "cancel" else S.PAUSED
        self.run = self.wish = None

    @precondition(held)
    @rule()
    def die(self):
        """The process is gone; its lease stays behind."""
        self.storage.living = False
        for handle in self.background.handles:
            handle.stop()
        self.run = self.wish = None

    @precondition(lambda self: not self.held() and not self.over())
    @rule(strategy=st.sampled_from(ResumeStrategy), outcomes=OUTCOMES)
    def resume(self, strategy, outcomes):
        """Another process goes on, or begins again, and tries some items."""
        run = self.store.runs.resume(self.id, strategy=strategy, trigger=self.trigger)
        self.storage.living = True
        self.run, self.status = run, S.RUNNING
        if strategy is ResumeStrategy.RESTART_FROM_MAP or (
            strategy is ResumeStrategy.RESTART_PHASE and len(self.settled()) < len(ITEMS)
        ):
            self.done, self.dead, self.failed = set(), set(), dict.fromkeys(ITEMS, 0)
        self.settle(outcomes)

    @precondition(lambda self: not self.held())
    @rule(wish=st.sampled_from(["pause", "pause", "pause", "cancel"]))
    def change(self, wish):
        """The session of a job that nobody runs is changed at once, where the table allows it."""
        wanted = S.PAUSED if wish == "pause" else S.CANCELLED
        allowed = self.status is wanted or not (self.over() or (self.status is S.FAILED and wish == "pause"))
        with contextlib.suppress(InvalidTransition):
            stopping = getattr(self.store.runs, wish)(self.id, by="me")
            assert allowed
            assert (stopping.asked, stopping.session.status) == (None, wanted)
            self.status = wanted
            self.storage.living = True
            return
        assert not allowed

    @precondition(held)
    @rule(keep=st.integers(0, 2), final=st.booleans())
    def clean(self, keep, final):
        """Somebody cleans checkpoints while the job runs."""
        self.store.checkpoints.clean(retention=CheckpointRetention(keep=keep, keep_final=final))

    @precondition(lambda self: self.over() and not self.held())
    @rule()
    def over_for_good(self):
        """What is over cannot be restarted, and is cleaned; then the next job begins."""
        with contextlib.suppress(InvalidTransition):
            self.store.runs.resume(self.id, strategy=ResumeStrategy.RESTART_FROM_MAP)
            raise AssertionError("it was restarted")
        (found,) = self.store.runs.cleanable(older_than=timedelta(0))
        assert found.session.id == self.id
        self.store.runs.remove(found)
        self.start()

    @invariant()
    def what_was_acknowledged_counts_once(self):
        """The store says what the model says, seen from outside."""
        state = self.store.runs.look(self.store.runs.find(self.id)).state
        assert (set(state.done), set(state.dead)) == (self.done, self.dead)
        pending = {item: count for item, count in self.failed.items() if item not in self.settled() and count}
        assert {item: len(many) for item, many in state.failed.items()} == pending

    @invariant()
    def the_session_is_where_it_should_be(self):
        """A death leaves it at Running; only what is over can be cleaned."""
        assert self.store.sessions.get(self.id).status is self.status
        if not self.over():
            assert not self.store.runs.cleanable(older_than=timedelta(0))

    @invariant()
    def every_checkpoint_is_sound(self):
        """Also after restarts and cleaning."""
        assert all(verdict.sound for verdict in self.store.checkpoints.validate())


TestRuns = Machine.TestCase
TestRuns.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


INFOS = st.lists(
    st.builds(
        CheckpointInfo,
        id=st.uuids().map(str),
        job_id=st.just("job"),
        number=st.integers(1, 50),
        phase=st.sampled_from([Phase.SETUP, Phase.MAP, Phase.REDUCE]),
        created_at=st.integers(0, 20).map(lambda days: NOW - timedelta(days=days)),
        final=st.booleans(),
    ),
    unique_by=lambda info: info.number,
)
RULES = st.builds(
    CheckpointRetention,
    keep=st.integers(0, 5),
    max_age=st.integers(0, 20).map(lambda days: timedelta(days=days)),
    keep_final=st.booleans(),
)


@given(INFOS, RULES)
def test_retention_keeps_what_a_job_needs(infos, retention):
    """The newest of each phase, setups, and final ones if asked; of the others only the newest young ones."""
    pruned = retention.pruned(infos, now=NOW)
    kept = [info for info in infos if info not in pruned]
    for phase in (Phase.MAP, Phase.REDUCE):
        ours = sorted((i for i in infos if i.phase is phase), key=lambda i: i.number)
        assert ours[-1:] == sorted((i for i in kept if i.phase is phase), key=lambda i: i.number)[-1:]
        for info in (i for i in kept if i.phase is phase and i is not ours[-1]):
            young = (
                info in ours[-retention.keep :] and retention.keep > 0 and NOW - info.created_at <= retention.max_age
            )
            assert young or (info.final and retention.keep_final)
    assert not any(info.phase is Phase.SETUP or (info.final and retention.keep_final) for info in pruned)
    assert not retention.pruned(kept, now=NOW)
