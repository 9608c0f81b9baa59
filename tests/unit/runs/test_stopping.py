"""Runs that are asked to pause, to cancel or to make a checkpoint, by a signal handler or from outside."""

from __future__ import annotations

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import RESUME_LOCK, RUN_REQUEST
from prodigy_storage.codecs.leases import encode_resume_lock
from prodigy_storage.codecs.requests import REQUESTS
from prodigy_storage.errors import Fenced, InvalidTransition, Locked, NotFound, Stopped
from prodigy_storage.model.checkpoints import CheckpointReason, CheckpointTrigger
from prodigy_storage.model.requests import RunRequest, Wish
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Batch, Put, Query
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime

PAUSED, CANCELLED = SessionStatus.PAUSED, SessionStatus.CANCELLED


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def background():
    return FakeBackground()


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def store(storage, clock, background):
    with Store(storage, runtime=fake_runtime(clock=clock, background=background)) as opened:
        yield opened


def asking(store, wish):
    return getattr(store.runs, wish)


def status(store, run):
    return store.sessions.get(run.session_id).status


def settle(run, clock=None):
    done = []
    for attempt in run.attempts():
        with attempt:
            done.append(attempt.item)
        if clock:
            clock.advance(1)
    return done


@pytest.mark.parametrize(("wish", "wanted"), [("pause", PAUSED), ("cancel", CANCELLED)])
def test_a_living_run_is_asked_and_stops_at_its_next_claim(store, clock, wish, wanted):
    """It settles what it has, claims nothing more, and leaves the session as it was wanted."""
    with store.runs.start("repo", items=range(3)) as run:
        for attempt in run.attempts():
            with attempt:
                if attempt.item == 1:
                    stopping = asking(store, wish)(run.session_id, by="me@here", reason="lunch")
                    assert stopping.asked.epoch
                    assert stopping.session.status is SessionStatus.RUNNING
            clock.advance(1)
        assert (run.completed, run.stopping) == (2, True)
        assert run.claim() is None
        with pytest.raises(Stopped, match=rf"asked to {wish} by me@here \(lunch\)"):
            run.reduce(lambda _: None)
    session = store.sessions.get(run.session_id)
    assert session.status is wanted
    assert "me@here" in session.error if wish == "cancel" else session.error is None
    assert session.mapreduce_data.processed_items == 2
    assert not store.storage.documents(Query(RUN_REQUEST)).documents


def test_a_run_that_is_busy_hears_the_request_with_its_sign_of_life(store, clock, background):
    """A long item can look at `stopping`, which costs nothing."""
    with store.runs.start("repo", items=range(3)) as run:
        attempt = run.claim()
        store.runs.pause(run.job_id, by="me")
        clock.advance(0.1)
        assert not run.stopping
        clock.advance(5)
        background.tick()
        assert run.stopping
        run.complete(attempt)
        assert run.claim() is None
    assert status(store, run) is PAUSED


def test_a_paused_run_goes_on_and_a_request_means_nothing_to_its_successor(store, clock, storage):
    """A request that was left behind by a death is not obeyed by the next holder."""
    with store.runs.start("repo", items=range(3)) as run:
        store.runs.pause(run.job_id, by="me")
    body = REQUESTS.encode(
        RunRequest(job_id=run.job_id, wish=Wish.CANCEL, epoch=1, by="me", reason="", requested_at=clock.now())
    )
    storage.commit(Batch(("repo", run.job_id), (Put(RUN_REQUEST, run.job_id, body),)))
    with store.runs.resume(run.session_id) as again:
        clock.advance(1)
        assert settle(again, clock) == [0, 1, 2]
    assert status(store, run) is SessionStatus.COMPLETED


@pytest.mark.parametrize(("wish", "wanted"), [("pause", PAUSED), ("cancel", CANCELLED)])
def test_a_job_that_nobody_runs_is_changed_at_once(store, storage, wish, wanted):
    """After a death the session is moved in line with the job, and the lock is free afterwards."""
    with pytest.raises(Fenced), store.runs.start("repo", items=range(3)) as run:
        run.complete(run.claim())
        storage.alive = lambda _: False  # the process is gone
        stopping = asking(store, wish)(run.session_id, by="me", reason="gone")
        assert (stopping.session.status, stopping.asked) == (wanted, None)
        assert stopping.session.mapreduce_data.processed_items == 1
        assert not store.locks.list()
        run.complete(run.claim())


def test_a_cancelled_job_is_never_resumed(store):
    """Cancelling twice is the same; pausing and resuming it are errors."""
    with store.runs.start("repo", items=range(3)) as run:
        pass
    assert asking(store, "cancel")(run.session_id, by="me").session.status is CANCELLED
    assert asking(store, "cancel")(run.session_id, by="me").session.status is CANCELLED
    with pytest.raises(InvalidTransition):
        store.runs.pause(run.session_id, by="me")
    with pytest.raises(InvalidTransition, match="cancelled"):
        store.runs.resume(run.session_id)


def test_a_failed_job_can_be_cancelled_but_not_paused(store):
    """As the transition table says."""
    with pytest.raises(ValueError, match="mine"), store.runs.start("repo", items=range(3)) as run:
        raise ValueError("mine")
    with pytest.raises(InvalidTransition, match="Failed and cannot become Paused"):
        store.runs.pause(run.session_id, by="me")
    assert store.runs.cancel(run.session_id, by="me").session.status is CANCELLED


def test_a_completed_job_can_be_neither(store):
    """It is over; an unknown id is not found."""
    with store.runs.start("repo", items=[1]) as run:
        settle(run)
    for wish in ("pause", "cancel"):
        with pytest.raises(InvalidTransition, match="Completed"):
            asking(store, wish)(run.session_id, by="me")
        with pytest.raises(NotFound):
            asking(store, wish)("session-of-nobody", by="me")


def test_whoever_waits_sees_the_run_stop_or_the_time_pass(store, clock):
    """After the time it is told who was asked and has not stopped yet."""
    with store.runs.start("repo", items=range(3)) as run:
        stopping = store.runs.pause(run.session_id, by="me", wait=3)
        assert stopping.asked.name == run.job_id
        assert clock.monotonic() == pytest.approx(3, abs=0.1)


def test_a_request_that_comes_when_all_is_done_is_too_late(store):
    """The job is completed, and whoever waits is told so."""
    with store.runs.start("repo", items=[1]) as run:
        settle(run)
        assert store.runs.cancel(run.session_id, by="me").asked
    assert status(store, run) is SessionStatus.COMPLETED


def test_another_programs_job_cannot_be_asked(store, storage):
    """The error says who holds it."""
    with store.runs.start("repo", items=range(3)) as run:
        pass
    body = encode_resume_lock(run.job_id, Token("", 4711, "elsewhere"), 0)
    storage.commit(Batch(("repo", run.job_id), (Put(RESUME_LOCK, run.job_id, body),)))
    with pytest.raises(Locked, match="4711"):
        store.runs.cancel(run.session_id, by="me")


def test_a_setup_phase_is_stopped_between_two_steps(store, clock):
    """The step that it is at is completed; the session is resumable."""
    done = []

    def setup(steps):
        steps.step("one", lambda: done.append(store.runs.pause(_session(store), by="me").asked is not None))
        clock.advance(1)
        steps.step("two", lambda: done.append("two"))
        return []

    with pytest.raises(Stopped):
        store.runs.start("repo", items=setup)
    assert done == [True]
    (found,) = store.runs.resumable()
    assert (found.session.status, found.session.error, found.holder) == (PAUSED, None, None)


def _session(store):
    return store.sessions.list().values[0].id


def test_cancel_in_the_process_itself(store):
    """`cancel` of the run is what a program does about its own user's wish."""
    with store.runs.start("repo", items=range(3)) as run:
        run.cancel()
        run.pause()
        assert settle(run) == []
    assert status(store, run) is CANCELLED


def reasons(store, run):
    documents = [
        store.checkpoints.show("repo", run.job_id, info.id)
        for info in store.checkpoints.list("repo", run.job_id).checkpoints[1:]
    ]
    return [document.body.decode().partition('"reason":"')[2].partition('"')[0] for document in documents]


def test_a_requested_checkpoint_is_made_when_the_next_item_is_settled(store):
    """One request, one checkpoint."""
    with store.runs.start("repo", items=range(3)) as run:
        run.request_checkpoint()
        run.complete(run.claim())
        run.complete(run.claim())
        assert reasons(store, run) == [CheckpointReason.MANUAL.value]


def test_the_sign_of_life_makes_checkpoints_while_items_take_long(store, clock, background):
    """Both those that were requested and those that are due by time."""
    with store.runs.start("repo", items=range(3), trigger=CheckpointTrigger(items=100, seconds=60)) as run:
        run.complete(run.claim())
        run.claim()
        background.tick()
        assert reasons(store, run) == []
        clock.advance(61)
        background.tick()
        background.tick()
        assert reasons(store, run) == ["Interval"]
        run.request_checkpoint()
        background.tick()
        assert reasons(store, run) == ["Interval", "Manual"]


def test_sessions_that_can_be_resumed_are_listed_with_who_holds_them(store, clock):
    """The newest first; those that are over are left out."""
    with store.runs.start("repo", items=[1]) as over:
        settle(over)
    with store.runs.start("repo", items=[1]) as paused:
        clock.advance(1)
    with store.runs.start("other", items=[1]) as running:
        listed = store.runs.resumable()
        assert [one.session.id for one in listed] == [running.session_id, paused.session_id]
        assert [one.holder is not None for one in listed] == [True, False]
        assert [one.session.id for one in store.runs.resumable(repo="repo")] == [paused.session_id]


def test_a_wish_to_cancel_is_not_replaced_by_one_to_pause(store):
    """Whoever comes later with less does not undo it."""
    with store.runs.start("repo", items=range(3)) as run:
        store.runs.cancel(run.session_id, by="me")
        store.runs.pause(run.session_id, by="another")
        assert run.claim() is None
    assert status(store, run) is CANCELLED


def test_no_sign_of_life_disturbs_the_last_checkpoint(store, background, monkeypatch):
    """The heart is stopped first, as a checkpoint that it made at this moment would take the place of the last."""
    stopped = []
    save = store.checkpoints.save

    def saving(*arguments, **more):
        stopped.append(all(handle.stopped for handle in background.handles if handle.work.__name__ == "_beat"))
        return save(*arguments, **more)

    monkeypatch.setattr(store.checkpoints, "save", saving)
    with store.runs.start("repo", items=[1]) as run:
        run.checkpoint()
        settle(run)
    assert stopped == [False, True]
