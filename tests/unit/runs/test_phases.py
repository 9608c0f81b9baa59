"""The setup and reduce phases: their steps are done once, whatever dies in between."""

from __future__ import annotations

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.errors import InvalidTransition, InvalidValue, Stopped
from prodigy_storage.model.checkpoints import CheckpointTrigger, ResumeStrategy
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.ports.storage import Batch, Delete
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeClock, fake_runtime


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def store(storage, clock):
    with Store(storage, runtime=fake_runtime(clock=clock)) as opened:
        yield opened


class Program:
    """A program with a setup phase of two steps that dies in a chosen one; `done` counts what it really did."""

    def __init__(self, dies_in=None):
        self.dies_in = dies_in
        self.done = []

    def work(self, name, output):
        def function():
            if name == self.dies_in:
                raise self.error
            self.done.append(name)
            return output

        return function

    error = Died()

    def setup(self, steps):
        steps.step("clone", self.work("clone", "abc123"))
        steps.variables["branch"] = "main"
        files = steps.step("list", self.work("list", ["a", "b"]))
        steps.step("check", self.work("check", None))
        return {name: {"file": name, "branch": steps.variables["branch"]} for name in files}


def settle(run):
    for attempt in run.attempts():
        with attempt:
            attempt.result = attempt.item_id


def test_a_setup_phase_gives_the_items_and_keeps_its_outputs(store):
    """The steps with their outputs and variables are there for the rest of the run, and later."""
    program = Program()
    with store.runs.start("repo", items=program.setup) as run:
        assert [(step.name, step.output) for step in run.setup.steps] == [
            ("clone", "abc123"),
            ("list", ["a", "b"]),
            ("check", None),
        ]
        assert run.setup.variables == {"branch": "main"}
        settle(run)
    again = store.runs.find(run.session_id)
    assert again == run.setup
    assert again.items[1].data == {"file": "b", "branch": "main"}
    assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED


@pytest.mark.parametrize("dies_in", ["clone", "list", "check"])
def test_a_setup_phase_that_died_goes_on_with_its_next_step(store, dies_in):
    """What was completed is not done again, by session id; the variables are as they were."""
    first, second = Program(dies_in), Program()
    with pytest.raises(Died):
        store.runs.start("repo", items=first.setup)
    (found,) = store.runs.resumable()
    assert found.session.status is SessionStatus.PAUSED
    assert found.session.mapreduce_data.phase is Phase.SETUP
    with pytest.raises(InvalidTransition, match="setup phase"):
        store.runs.resume(found.session.id)
    with store.runs.resume(found.session.id, items=second.setup) as run:
        settle(run)
    assert first.done + second.done == ["clone", "list", "check"]
    assert [item.data["branch"] for item, _ in run.results()] == ["main", "main"]


def test_a_setup_phase_that_raised_is_failed_and_can_go_on(store):
    """The session says what went wrong; nothing of the job is locked."""
    program = Program("list")
    program.error = ValueError("no such branch")
    with pytest.raises(ValueError, match="no such branch"):
        store.runs.start("repo", items=program.setup)
    (found,) = store.runs.resumable()
    assert (found.session.status, found.session.error) == (SessionStatus.FAILED, "ValueError: no such branch")
    assert found.holder is None
    with store.runs.resume(found.session.id, items=Program().setup) as run:
        settle(run)
        assert run.done


def test_items_that_are_no_json_fail_the_setup_and_leave_its_steps(store):
    """The typed error comes out, and a mended program goes on behind the steps."""
    done = []

    def broken(steps):
        steps.step("one", lambda: done.append(1))
        return [{1, 2}]

    with pytest.raises(InvalidValue):
        store.runs.start("repo", items=broken)
    (found,) = store.runs.resumable()

    def mended(steps):
        steps.step("one", lambda: done.append(1))
        return [1, 2]

    with store.runs.resume(found.session.id, items=mended) as run:
        settle(run)
    assert done == [1]


def test_a_program_that_names_other_steps_is_told_so(store):
    """The error names both steps; the strategy restart-phase begins the setup again."""
    with pytest.raises(Died):
        store.runs.start("repo", items=Program("check").setup)
    (found,) = store.runs.resumable()

    def other(steps):
        return steps.step("fetch", lambda: ["x"])

    with pytest.raises(InvalidTransition, match="step 1 of the setup phase was 'clone' and is 'fetch' now"):
        store.runs.resume(found.session.id, items=other)
    with store.runs.resume(found.session.id, items=other, strategy=ResumeStrategy.RESTART_PHASE) as run:
        settle(run)
    assert [step.name for step in run.setup.steps] == ["fetch"]


def reducing(run, done, dies_in=None):
    steps = run.steps()
    for name in ("merge", "rank", "report"):

        def work(name=name):
            if name == dies_in:
                raise Died
            done.append(name)
            return {"step": name}

        steps.step(name, work)
        steps.variables[name] = len(done)
    return run.reduce(lambda results: [steps.variables, [value for _, value in results]])


@pytest.mark.parametrize("dies_in", ["merge", "rank", "report"])
def test_a_reduce_phase_that_died_goes_on_with_its_next_step(store, dies_in):
    """Every step is done once, the session knows the phase, and the result is stored once and for all."""
    done = []
    with pytest.raises(Died), store.runs.start("repo", items=["a", "b"]) as run:
        settle(run)
        reducing(run, done, dies_in)
    session = store.sessions.get(run.session_id)
    assert (session.status, session.mapreduce_data.phase) == (SessionStatus.PAUSED, Phase.REDUCE)
    with store.runs.resume(run.job_id) as run:
        result = reducing(run, done)
    assert done == ["merge", "rank", "report"]
    assert result[1] == ["item_0", "item_1"]
    assert run.reduce(lambda _: "another") == result
    with store.runs.resume(run.job_id) as over:
        assert over.reduce(lambda _: "another") == result
        assert [step.name for step in over.steps().completed] == ["merge", "rank", "report"]


def test_a_damaged_checkpoint_of_the_reduce_phase_costs_one_step(store):
    """The one before it is used, since one earlier is always kept."""
    done = []
    with pytest.raises(Died), store.runs.start("repo", items=["a"]) as run:
        settle(run)
        reducing(run, done, "report")
    listed = [i for i in store.checkpoints.list("repo", run.job_id).checkpoints if i.phase is Phase.REDUCE]
    assert len(listed) == 2
    store.checkpoints.delete("repo", run.job_id, listed[-1].id, force=True)
    with store.runs.resume(run.job_id) as run:
        reducing(run, done)
    assert done == ["merge", "rank", "rank", "report"]


def test_the_reduce_phase_waits_for_the_items(store):
    """Before they are settled it is an error, which says why: they are pending, or the run was paused."""
    with store.runs.start("repo", items=["a"]) as run:
        with pytest.raises(InvalidTransition, match="1 items"):
            run.steps()
        run.pause()
        with pytest.raises(Stopped, match="asked to pause"):
            run.reduce(lambda _: None)


def test_no_more_steps_are_done_once_the_job_is_over(store):
    """A completed job only shows what is stored."""
    with store.runs.start("repo", items=["a"]) as run:
        settle(run)
    with store.runs.resume(run.job_id) as over, pytest.raises(InvalidTransition, match="is over"):
        over.steps().step("late", lambda: None)


def test_the_change_of_phase_makes_a_checkpoint_if_the_trigger_says_so(store):
    """By default the reduce phase begins with one."""
    counts = []
    for phase_change in (True, False):
        trigger = CheckpointTrigger(phase_change=phase_change)
        with store.runs.start("repo", items=["a"], trigger=trigger) as run:
            settle(run)
            run.steps()
            listed = store.checkpoints.list("repo", run.job_id).checkpoints
            counts.append(sum(info.phase is Phase.MAP for info in listed))
    assert counts == [1, 0]


def test_the_session_says_how_long_each_phase_took_over_all_resumes(store, clock):
    """Timings add up by phase."""

    def setup(_):
        clock.advance(2)
        return [1, 2]

    with store.runs.start("repo", items=setup) as run:
        attempt = run.claim()
        clock.advance(3)
        run.complete(attempt)
    clock.advance(1000)
    with store.runs.resume(run.session_id) as run:
        attempt = run.claim()
        clock.advance(4)
        run.complete(attempt)
        run.steps()
        clock.advance(5)
        run.reduce(lambda _: None)
    timings = store.sessions.get(run.session_id).timings
    assert {name: timing.seconds for name, timing in timings.items()} == {"setup": 2, "map": 7, "reduce": 5}


def test_a_setup_that_is_gone_is_told(store, storage):
    """A job without its setup is not found, by any id."""
    with store.runs.start("repo", items=[1]) as run:
        settle(run)
    storage.commit(Batch(("repo", run.job_id), (Delete(CHECKPOINT, "setup-checkpoint"),)))
    with pytest.raises(LookupError):
        store.runs.find(run.session_id)
