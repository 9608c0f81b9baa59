"""From where a job goes on: the four strategies, and what a restart leaves behind."""

from __future__ import annotations

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import CHECKPOINT, QUARANTINE
from prodigy_storage.errors import Corrupt, InvalidTransition
from prodigy_storage.model.checkpoints import CheckpointTrigger, ResumeStrategy
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.ports.storage import Batch, Kind, Put
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeClock, fake_runtime

RESTARTS = [ResumeStrategy.RESTART_PHASE, ResumeStrategy.RESTART_FROM_MAP]


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def store(storage):
    with Store(storage, runtime=fake_runtime(clock=FakeClock())) as opened:
        yield opened


def begun(store, *, retries=0):
    """A run that has completed a, buried b, failed c once if it may, and left d."""
    trigger = CheckpointTrigger(items=1)
    backoff = Backoff(initial=0.0)
    with store.runs.start(
        "repo", items={n: n for n in "abcd"}, max_retries=retries, backoff=backoff, trigger=trigger
    ) as run:
        run.complete(run.claim(), "first")
        attempt = run.claim()
        run.fail(attempt, "no good")
        while retries and not run.dead_letters:
            run.fail(run.claim(), "no good")
    return run


def settle(run):
    tried = []
    for attempt in run.attempts():
        with attempt:
            tried.append((attempt.item_id, attempt.number))
            attempt.result = "second"
    return tried


@pytest.mark.parametrize("strategy", [ResumeStrategy.CONTINUE, ResumeStrategy.VALIDATE])
def test_continuing_does_what_is_left(store, strategy):
    """What was acknowledged stays."""
    with store.runs.resume(begun(store).session_id, strategy=strategy) as run:
        assert settle(run) == [("c", 1), ("d", 1)]
        assert [result for _, result in run.results()] == ["first", "second", "second"]


@pytest.mark.parametrize("strategy", RESTARTS)
def test_a_restart_does_everything_again_with_new_attempts(store, strategy):
    """Results are made anew; numbers of attempts go on, so events and failures of both rounds stay apart."""
    first = begun(store)
    with store.runs.resume(first.session_id, strategy=strategy) as run:
        assert (run.settled, list(run.dead_letters)) == (0, [])
        assert settle(run) == [("a", 2), ("b", 2), ("c", 1), ("d", 1)]
        assert {result for _, result in run.results()} == {"second"}
    data = store.sessions.get(run.session_id).mapreduce_data
    assert (data.processed_items, data.failed_items) == (4, 0)
    assert store.dlq.get("repo", run.job_id, "b").failure_count == 1
    store.events.flush()
    started = [r for r in store.events.query(EventFilter()) if r.event_type == "agent_started"]
    assert sorted((r.metadata["item_id"], r.metadata["attempt"]) for r in started) == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
        ("c", 1),
        ("d", 1),
    ]


def test_a_restart_survives_the_death_of_the_restarted_run(store):
    """The next resume continues the second round, and the dead letter of the first one settles nothing."""
    first = begun(store)
    with store.runs.resume(first.session_id, strategy=ResumeStrategy.RESTART_FROM_MAP) as run:
        run.complete(run.claim(), "second")
    with store.runs.resume(first.session_id) as run:
        assert settle(run) == [("b", 2), ("c", 1), ("d", 1)]


def test_a_restarted_item_has_all_its_retries_again_and_its_history_goes_on(store):
    """Two rounds with one retry each are four failures in the dead letter."""
    first = begun(store, retries=1)
    history = store.dlq.get("repo", first.job_id, "b").failure_history
    assert [failure.attempt_number for failure in history] == [1, 2]
    with store.runs.resume(first.session_id, strategy=ResumeStrategy.RESTART_PHASE) as run:
        for attempt in run.attempts():
            with attempt:
                if attempt.item_id == "b":
                    raise ValueError("still no good")
    history = store.dlq.get("repo", first.job_id, "b").failure_history
    assert [failure.attempt_number for failure in history] == [1, 2, 3, 4]


def test_without_the_restarting_checkpoint_its_records_still_count(store):
    """The newest checkpoint is lost: what was acknowledged after the restart is not done again."""
    first = begun(store)
    with store.runs.resume(first.session_id, strategy=ResumeStrategy.RESTART_PHASE) as run:
        run.complete(run.claim(), "second")
    for info in store.checkpoints.list("repo", run.job_id).checkpoints:
        if info.phase is Phase.MAP:
            store.checkpoints.delete("repo", run.job_id, info.id, force=True)
    with store.runs.resume(first.session_id) as run:
        assert "a" not in [item for item, _ in settle(run)]


def test_the_reduce_phase_is_restarted_alone(store):
    """Its steps are done again, the items are not; restart-from-map does both again."""
    done = []

    def reduce(run):
        run.steps().step("merge", lambda: done.append("merge"))
        run.steps().step("report", lambda: done.append("report") if len(done) > 1 else 1 / 0)
        return run.reduce(lambda _: "ok")

    with pytest.raises(ZeroDivisionError), store.runs.start("repo", items=["x"]) as run:
        settle(run)
        reduce(run)
    assert store.sessions.get(run.session_id).status is SessionStatus.FAILED
    with store.runs.resume(run.session_id, strategy=ResumeStrategy.RESTART_PHASE) as run:
        assert settle(run) == []
        assert reduce(run) == "ok"
    assert done == ["merge", "merge", "report"]


def test_restarting_from_the_map_forgets_the_reduce_phase(store):
    """Results of the second round are not mixed with steps of the first one."""
    with pytest.raises(ZeroDivisionError), store.runs.start("repo", items=["x"]) as run:
        settle(run)
        run.steps().step("merge", lambda: "first")
        run.steps().step("report", lambda: 1 / 0)
    with store.runs.resume(run.session_id, strategy=ResumeStrategy.RESTART_FROM_MAP) as run:
        assert settle(run) == [("item_0", 2)]
        assert run.steps().step("merge", lambda: "second") == "second"


@pytest.mark.parametrize("strategy", RESTARTS)
def test_a_completed_job_is_not_restarted(store, strategy):
    """It is over; a validated one is only looked at."""
    with store.runs.start("repo", items=["x"]) as run:
        settle(run)
    with pytest.raises(InvalidTransition, match="completed"):
        store.runs.resume(run.session_id, strategy=strategy)
    assert store.runs.resume(run.session_id, strategy=ResumeStrategy.VALIDATE).done


def test_validation_refuses_what_is_damaged_and_changes_nothing(store, storage):
    """The error names the checkpoint; without validation the job goes on from the one before."""
    run = begun(store)
    newest = store.checkpoints.list("repo", run.job_id).checkpoints[-1]
    scope = ("repo", run.job_id)
    body = storage.fetch(scope, CHECKPOINT, [newest.id])[newest.id].body
    blind = Kind(CHECKPOINT.name, lambda _: CHECKPOINT.index(body), CHECKPOINT.tags)
    storage.commit(Batch(scope, (Put(blind, newest.id, body.replace(b"first", b"fIrst")),)))
    with pytest.raises(Corrupt, match=newest.id):
        store.runs.resume(run.session_id, strategy=ResumeStrategy.VALIDATE)
    assert store.sessions.get(run.session_id).status is SessionStatus.PAUSED
    assert not storage.fetch(scope, QUARANTINE, [newest.id])
    with store.runs.resume(run.session_id) as again:
        assert settle(again) == [("c", 1), ("d", 1)]


def test_a_job_that_died_at_its_very_end_can_be_restarted(store, monkeypatch):
    """Its end was told already; the second one has a final checkpoint of its own."""

    def dying(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        update = store.sessions.update
        patched.setattr(
            store.sessions,
            "update",
            lambda id, change, **more: (
                update(id, change, **more)
                if change(store.sessions.get(id)).status is not SessionStatus.COMPLETED
                else dying()
            ),
        )
        with pytest.raises(KeyboardInterrupt), store.runs.start("repo", items=["x"]) as run:
            settle(run)
    assert store.sessions.get(run.session_id).status is SessionStatus.RUNNING
    with store.runs.resume(run.session_id, strategy=ResumeStrategy.RESTART_FROM_MAP) as run:
        assert settle(run) == [("item_0", 2)]
    newest = store.checkpoints.latest("repo", run.job_id).checkpoint
    assert (newest.final, newest.state.done["item_0"].attempt) == (True, 2)
