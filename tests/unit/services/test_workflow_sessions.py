"""Sessions of workflows: steps, variables, iterations, timings and checkpoints."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import InvalidTransition, InvalidValue, NotFound
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType
from prodigy_storage.services.sessions import Sessions
from prodigy_storage.testing.fakes import START, FakeClock, FakeIds


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sessions(clock):
    return Sessions(MemoryStorage(), clock, FakeIds())


def test_a_workflow_begins_and_makes_progress(sessions):
    """Steps, what they captured, and how long they took are in the session at once, and in the store."""
    begun = sessions.start_workflow("review", repo="repo", total_steps=3, variables={"n": "1"}, worktree="session-x")
    assert (begun.session_type, begun.status, begun.repo) == (SessionType.WORKFLOW, SessionStatus.RUNNING, "repo")
    sessions.complete_step(begun.id, 0, name="cargo test", seconds=1.5, variables={"out": "ok"})
    sessions.complete_step(begun.id, 1, name="cargo test", seconds=0.25, variables={"n": "2"})
    data = sessions.get(begun.id).workflow_data
    assert (data.workflow_name, data.current_step, data.total_steps) == ("review", 2, 3)
    assert (list(data.completed_steps), data.variables) == ([0, 1], {"n": "2", "out": "ok"})
    assert data.worktree_name == "session-x"
    assert sessions.get(begun.id).timings["cargo test"].seconds == 1.75


def test_an_iteration_begins_with_the_first_step(sessions):
    """Iterations and changed files are counted; variables stay."""
    id = sessions.start_workflow("w", repo="repo", variables={"a": "b"}).id
    sessions.complete_step(id, 0)
    sessions.complete_iteration(id, files_changed=3)
    sessions.complete_iteration(id, files_changed=4)
    data = sessions.get(id).workflow_data
    assert (data.iterations_completed, data.files_changed, data.current_step) == (2, 7, 0)
    assert (list(data.completed_steps), data.variables, data.total_steps) == ([], {"a": "b"}, 1)


def test_a_step_that_is_told_twice_counts_once(sessions):
    """So it may be told again after a doubtful error."""
    id = sessions.start_workflow("w", repo="repo").id
    first = sessions.complete_step(id, 0)
    assert sessions.complete_step(id, 0) == first


def test_only_a_running_workflow_makes_progress(sessions):
    """A paused one is resumed first; a session of a job has no steps."""
    id = sessions.start_workflow("w", repo="repo").id
    sessions.move(id, SessionStatus.PAUSED)
    for call in (sessions.complete_iteration, lambda id: sessions.complete_step(id, 0)):
        with pytest.raises(InvalidTransition, match="Paused"):
            call(id)
    sessions.create(
        Session(
            id="job",
            session_type=SessionType.MAPREDUCE,
            status=SessionStatus.RUNNING,
            started_at=START,
            updated_at=START,
        )
    )
    with pytest.raises(InvalidTransition, match="no workflow"):
        sessions.complete_step("job", 0)
    with pytest.raises(NotFound):
        sessions.complete_iteration("nobody")


def test_the_newest_checkpoints_stay(sessions):
    """Each is JSON with a time of its own; a state that is none changes nothing."""
    id = sessions.start_workflow("w", repo="repo").id
    made = [sessions.add_checkpoint(id, {"n": n}, metadata={"why": "step"}, keep=2) for n in range(3)]
    assert list(sessions.get(id).checkpoints) == made[1:]
    with pytest.raises(InvalidValue):
        sessions.add_checkpoint(id, {1, 2})
    assert list(sessions.get(id).checkpoints) == made[1:]


def test_concurrent_steps_and_timings_lose_nothing(sessions):
    """Four threads complete twenty-five steps each."""
    id = sessions.start_workflow("w", repo="repo").id

    def work(first):
        for index in range(first, first + 25):
            sessions.complete_step(id, index, variables={str(index): "x"})
            sessions.add_timing(id, "all", 1)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 100, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session = sessions.get(id)
    assert list(session.workflow_data.completed_steps) == list(range(100))
    assert (len(session.workflow_data.variables), session.timings["all"].seconds) == (100, 100)


def test_a_list_is_limited_to_a_time(sessions, clock):
    """By the start of each session, half open."""
    ids = []
    for _ in range(3):
        ids.append(sessions.start_workflow("w", repo="repo").id)
        clock.advance(60)
    minute = timedelta(minutes=1)
    assert [s.id for s in sessions.list(since=START + minute).values] == ids[1:]
    assert [s.id for s in sessions.list(since=START, until=START + minute).values] == ids[:1]


def test_only_what_is_over_can_be_removed(sessions):
    """The error says what to do; removing what is not there is no error."""
    id = sessions.start_workflow("w", repo="repo").id
    with pytest.raises(InvalidTransition, match="cancel it first"):
        sessions.remove(id)
    sessions.move(id, SessionStatus.CANCELLED)
    sessions.remove(id)
    sessions.remove(id)
    assert sessions.find(id) is None
