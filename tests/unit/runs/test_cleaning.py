"""Removing sessions that are over, also when the removal is interrupted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import CHECKPOINT, DATA_KINDS, DEAD_LETTER, PASSING_KINDS
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.errors import Locked
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.ports.storage import Batch, Kind, Put, Query
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeClock, fake_runtime

NONE, DAY = timedelta(0), timedelta(days=1)


class Died(BaseException):
    """The process is gone."""


class Dying(MemoryStorage):
    """A store whose process dies before a chosen commit."""

    left = 10**9

    def commit(self, batch):
        self.left -= 1
        if self.left < 0:
            raise Died
        return super().commit(batch)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def storage():
    return Dying()


@pytest.fixture
def store(storage, clock):
    with Store(storage, runtime=fake_runtime(clock=clock)) as opened:
        yield opened


def finished(store):
    with store.runs.start("repo", items=[1, 2]) as run:
        run.fail(run.claim(), "no")
        run.complete(run.claim())
    store.events.flush()
    return run


def left(store):
    kinds = [kind for kind in (*DATA_KINDS, *PASSING_KINDS) if kind != DEAD_LETTER]
    return {kind.name for kind in kinds if store.storage.documents(Query(kind)).documents}


def ids(found):
    return [one.session.id for one in found]


def test_only_what_is_over_for_long_enough_can_be_cleaned(store, clock):
    """Age counts from the end; what runs, waits or has failed can still go on and stays."""
    over = finished(store)
    with store.runs.start("repo", items=[1]) as cancelled:
        cancelled.cancel()
    with pytest.raises(ValueError, match="mine"), store.runs.start("repo", items=[1]):
        raise ValueError("mine")
    with store.runs.start("repo", items=[1]):
        pass
    workflow = store.sessions.start_workflow("w", repo="other")
    with store.runs.start("repo", items=[1]):
        clock.advance(DAY.total_seconds() - 1)
        assert ids(store.runs.cleanable(older_than=DAY)) == []
        clock.advance(1)
        assert ids(store.runs.cleanable(older_than=DAY)) == [over.session_id, cancelled.session_id]
    store.sessions.move(workflow.id, SessionStatus.COMPLETED)
    assert ids(store.runs.cleanable(older_than=NONE, repo="other")) == [workflow.id]


def test_a_session_goes_with_all_that_belongs_to_it(store):
    """Events and dead letters stay: they have rules of their own."""
    run = finished(store)
    (found,) = store.runs.cleanable(older_than=NONE)
    store.runs.remove(found)
    assert left(store) == set()
    assert not store.storage.records(("repo", run.job_id), PROGRESS).data
    assert len(store.dlq.list("repo").values) == 1
    assert list(store.events.query(EventFilter()))
    assert store.runs.cleanable(older_than=NONE) == []


def test_a_workflow_session_goes_alone(store):
    """It has no job."""
    workflow = store.sessions.start_workflow("w", repo="repo")
    store.sessions.move(workflow.id, SessionStatus.CANCELLED)
    (found,) = store.runs.cleanable(older_than=NONE)
    assert found.job_id is None
    store.runs.remove(found)
    assert store.sessions.find(workflow.id) is None


@pytest.mark.parametrize("commits", range(3))
def test_a_removal_that_was_interrupted_is_found_again_and_goes_on(store, storage, commits):
    """Whatever was removed before the death, the session is still there to be cleaned, and then nothing is left."""
    finished(store)
    (found,) = store.runs.cleanable(older_than=NONE)
    storage.left = commits
    with pytest.raises(Died):
        store.runs.remove(found)
    storage.left = 10**9
    assert ids(store.runs.cleanable(older_than=NONE)) == [found.session.id]
    store.runs.remove(found)
    assert left(store) == set()


def test_a_session_whose_job_is_held_stays(store):
    """Its holder ends it in this moment."""
    run = finished(store)
    (found,) = store.runs.cleanable(older_than=NONE)
    grant = store.locks.acquire(("repo", run.job_id), run.job_id)
    assert store.runs.cleanable(older_than=NONE) == []
    with pytest.raises(Locked):
        store.runs.remove(found)
    store.locks.release(grant)
    store.runs.remove(found)


def test_a_damaged_checkpoint_goes_too(store, storage):
    """A removal does not stop at what cannot be read."""
    run = finished(store)
    scope = ("repo", run.job_id)
    newest = store.checkpoints.list(*scope).checkpoints[-1].id
    body = storage.fetch(scope, CHECKPOINT, [newest])[newest].body
    blind = Kind(CHECKPOINT.name, lambda _: CHECKPOINT.index(body), CHECKPOINT.tags)
    storage.commit(Batch(scope, (Put(blind, newest, b"{"),)))
    store.runs.remove(store.runs.cleanable(older_than=NONE)[0])
    assert left(store) == set()
