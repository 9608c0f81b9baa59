"""Sessions: create, update, transition table, epochs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Conflict, Fenced, InvalidTransition, NotFound
from prodigy_storage.model.sessions import TRANSITIONS, Session, SessionStatus, SessionType
from prodigy_storage.services.sessions import Sessions
from prodigy_storage.testing.fakes import FakeClock, FakeIds

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def session(id: str = "session-1", status: SessionStatus = SessionStatus.INITIALIZING, **fields: object) -> Session:
    base = Session(id=id, session_type=SessionType.WORKFLOW, status=status, started_at=NOW, updated_at=NOW)
    return attrs.evolve(base, **fields)  # type: ignore[arg-type]  # the tests name real fields


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(MemoryStorage(), FakeClock(), FakeIds())


def test_a_session_is_created_once(sessions: Sessions) -> None:
    """A second one of the same id is a conflict and changes nothing."""
    sessions.create(session(error="first"))
    with pytest.raises(Conflict, match="already"):
        sessions.create(session(error="second"))
    assert sessions.get("session-1").error == "first"


@pytest.mark.parametrize("old", SessionStatus)
@pytest.mark.parametrize("new", SessionStatus)
def test_the_transition_table_is_enforced(sessions: Sessions, old: SessionStatus, new: SessionStatus) -> None:
    """Exactly the listed changes of status are possible, also for a change that was made by hand."""
    sessions.create(session(status=old))
    if new is old or new in TRANSITIONS[old]:
        assert sessions.update("session-1", lambda s: attrs.evolve(s, status=new)).status is new
    else:
        with pytest.raises(InvalidTransition, match=f"is {old.value} and cannot become {new.value}"):
            sessions.move("session-1", new)
        assert sessions.get("session-1").status is old


def test_an_end_has_a_time_and_a_restart_takes_it_back(sessions: Sessions) -> None:
    """`completed_at` is set by Failed and cleared by Running."""
    sessions.create(session(status=SessionStatus.RUNNING))
    failed = sessions.move("session-1", SessionStatus.FAILED, error="boom")
    assert (failed.completed_at, failed.error) == (NOW, "boom")
    again = sessions.move("session-1", SessionStatus.RUNNING)
    assert (again.completed_at, again.error) == (None, None)


def test_concurrent_updates_lose_nothing(sessions: Sessions) -> None:
    """Eight threads count to fifty each in one field."""
    sessions.create(session(metadata={"count": 0}))

    def count() -> None:
        for _ in range(50):
            sessions.update(
                "session-1", lambda s: attrs.evolve(s, metadata={"count": int(str(s.metadata["count"])) + 1})
            )

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sessions.get("session-1").metadata == {"count": 400}


def test_a_lower_epoch_never_overwrites_a_higher_one(sessions: Sessions) -> None:
    """A thawed holder is fenced, and the session stays as its successor wrote it."""
    sessions.create(session())
    sessions.move("session-1", SessionStatus.RUNNING, epoch=2)
    with pytest.raises(Fenced, match="its epoch is 2, ours is 1"):
        sessions.move("session-1", SessionStatus.FAILED, epoch=1)
    assert sessions.get("session-1").status is SessionStatus.RUNNING


def test_a_missing_session_is_named(sessions: Sessions) -> None:
    """NotFound is a LookupError that says which one."""
    with pytest.raises(LookupError, match="session-9"):
        sessions.get("session-9")
    with pytest.raises(NotFound):
        sessions.move("session-9", SessionStatus.RUNNING)


def test_a_list_is_filtered_by_status_type_and_repo(sessions: Sessions) -> None:
    """Filters combine, and the order is that of the starts."""
    sessions.create(session("b", SessionStatus.RUNNING, repo="x"))
    sessions.create(session("a", SessionStatus.RUNNING, repo="y"))
    sessions.create(session("c", SessionStatus.PAUSED, repo="x", session_type=SessionType.MAPREDUCE))
    assert [s.id for s in sessions.list().values] == ["a", "b", "c"]
    assert [s.id for s in sessions.list(status=SessionStatus.RUNNING).values] == ["a", "b"]
    assert [s.id for s in sessions.list(repo="x", type=SessionType.MAPREDUCE).values] == ["c"]
