"""Cleaning a store by kind and age: what would go, what goes, and what never does."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.dead_letters import DeadLetter, ErrorType, Failure
from prodigy_storage.model.events import JobPaused
from prodigy_storage.model.prodigy.worktrees import WorktreeStatus
from prodigy_storage.ports.checkouts import Checkout
from prodigy_storage.retention import Category
from prodigy_storage.store import Store
from prodigy_storage.testing import FakeClock

DAY = timedelta(days=1)


@attrs.define
class Folders:
    """Working copies that only pretend to be there."""

    there: dict = attrs.field(factory=dict)

    def path(self, repo, name):
        return f"/worktrees/{repo}/{name}"

    def create(self, repo, name, *, project, branch, base=None):
        made = Checkout(path=self.path(repo, name), branch=branch, uncommitted=int(name == "dirty"), unmerged=0)
        return self.there.setdefault(made.path, made)

    def look(self, path):
        return self.there.get(path)

    def remove(self, path, *, force=False):
        self.there.pop(path, None)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=["memory", "files"])
def store(request, clock, tmp_path):
    """A store in which everything can be old."""
    storage = MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "root")
    runtime = attrs.evolve(system_runtime(), clock=clock)
    with Store(storage, runtime=runtime, checkouts=Folders()) as store:
        yield store


@pytest.fixture
def fill(store):
    """A finished run with a dead letter, a log, and worktrees, all of now."""

    def fill(repo):
        with store.runs.start(repo, items=["good", "bad"], max_retries=0) as run:
            for attempt in run.attempts():
                run.fail(attempt, "broken") if attempt.item == "bad" else run.complete(attempt)
        store.logs.start(repo).write("said")
        for name, status in (("done", WorktreeStatus.MERGED), ("dirty", WorktreeStatus.COMPLETED)):
            store.worktrees.create(repo, f"{name}", project="/project")
            store.worktrees.mark(repo, name, status)
        return run.job_id

    return fill


def things(store, *categories, older_than=DAY, repo=None):
    found = store.retention.candidates(categories or Category, older_than=older_than, repo=repo)
    return [(one.category.value, one.repo, one.name) for one in found]


def test_what_is_young_stays(store, fill):
    """Nothing is a candidate before its age."""
    fill("shop")
    assert things(store) == []


def test_every_kind_goes_when_it_is_old(store, fill, clock):
    """In an order in which what names something goes after it; what a living writer still writes to stays."""
    job = fill("shop")
    clock.sleep(2 * 86400)
    found = [one for one in store.retention.candidates(Category, older_than=DAY) if one.category.value != "events"]
    assert [one.category.value for one in found] == ["worktrees", "logs", "dlq", "sessions"]
    stays = {one.category.value: one.remove() for one in found}
    assert {kind for kind, reason in stays.items() if reason} <= {"logs"}
    assert store.dlq.list().values == []
    assert store.sessions.list().values == []
    assert not store.mappings.find(job)
    assert [state.worktree_name for state in store.worktrees.list().values] == ["dirty"]
    assert {kind for kind, _, _ in things(store)} <= {"events", "logs"}


def test_only_the_kinds_and_the_project_that_were_named_are_looked_at(store, fill, clock):
    """The rest is not even listed."""
    fill("shop")
    fill("other")
    clock.sleep(2 * 86400)
    assert things(store, Category.LOGS, repo="shop")[0][:2] == ("logs", "shop")
    assert {kind for kind, _, _ in things(store, Category.DLQ, Category.LOGS)} == {"dlq", "logs"}


def test_age_counts_from_the_last_failure(store, clock):
    """A letter that failed again is young."""
    failure = Failure(
        attempt_number=1, timestamp=clock.now(), error_type=ErrorType("Unknown"), error_message="x", session_id="s"
    )
    store.dlq.add("shop", "job", DeadLetter.of("item", 1, [failure]))
    clock.sleep(2 * 86400)
    again = attrs.evolve(failure, attempt_number=2, timestamp=clock.now())
    store.dlq.add("shop", "job", DeadLetter.of("item", 1, [again]))
    assert things(store, Category.DLQ) == []
    clock.sleep(2 * 86400)
    assert things(store, Category.DLQ) == [("dlq", "shop", "job")]


def test_what_runs_or_can_go_on_is_never_a_candidate(store, clock):
    """However old it is."""
    with store.runs.start("shop", items=range(3)) as run:
        run.complete(run.claim())
        store.events.flush()
        clock.sleep(9 * 86400)
        assert things(store, Category.SESSIONS, Category.EVENTS, Category.STATE) == []
    clock.sleep(9 * 86400)
    assert things(store, Category.SESSIONS) == []


def test_old_events_of_a_job_go_and_the_young_stay(tmp_path, clock):
    """Counted before, removed after, by their own time."""
    runtime = attrs.evolve(system_runtime(), clock=clock)
    for name in ("old", "young"):
        with Store(FileStorage(tmp_path / "root"), runtime=runtime) as store:
            store.events.log("shop", "job", JobPaused(name, 1))
        clock.sleep(86400)
    with Store(FileStorage(tmp_path / "root"), runtime=runtime) as store:
        (found,) = store.retention.candidates([Category.EVENTS], older_than=DAY * 1.5)
        assert found.what == "1 event"
        assert found.remove() == ""
        assert [record.event.job_id for record in store.events.query()] == ["young"]


@pytest.mark.parametrize("age", [timedelta(seconds=-1), timedelta.max])
def test_an_impossible_age_is_refused(store, age):
    """Before anything is looked at."""
    with pytest.raises(InvalidValue):
        store.retention.candidates(Category, older_than=age)
