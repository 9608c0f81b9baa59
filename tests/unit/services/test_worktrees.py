"""The registry of worktrees: records, cleaning and orphans, over folders that only pretend to be there."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import CheckoutFailed, Conflict, NotFound, Unsupported
from prodigy_storage.model.prodigy.worktrees import WorktreeStatus
from prodigy_storage.ports.checkouts import Checkout
from prodigy_storage.services.worktrees import Cleaning, Worktrees
from prodigy_storage.testing import FakeClock


@attrs.define
class Folders:
    """Working copies in memory."""

    there: dict = attrs.field(factory=dict)
    stuck: bool = False

    def path(self, repo, name):
        return f"/worktrees/{repo}/{name}"

    def create(self, repo, name, *, project, branch, base=None):
        if self.stuck:
            raise CheckoutFailed("git said no")
        return self.there.setdefault(
            self.path(repo, name), Checkout(path=self.path(repo, name), branch=branch, uncommitted=0, unmerged=0)
        )

    def look(self, path):
        return self.there.get(path)

    def remove(self, path, *, force=False):
        if self.stuck:
            raise CheckoutFailed("the disk is stuck")
        self.there.pop(path, None)


@pytest.fixture
def folders():
    return Folders()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def busy():
    return set()


@pytest.fixture
def worktrees(folders, clock, busy):
    return Worktrees(MemoryStorage(), clock, folders, lambda session: session in busy)


@pytest.fixture
def make(worktrees):
    """Make a worktree that stands somehow."""

    def make(name, status=WorktreeStatus.COMPLETED):
        worktrees.create("shop", name, project="/project")
        return worktrees.mark("shop", name, status)

    return make


def outcomes(done):
    return {one.name: one.outcome for one in done}


def test_a_worktree_is_recorded_with_its_branch(worktrees):
    """On the branch that Prodigy would give it; a second one of that name is refused."""
    made = worktrees.create("shop", "session-1", project="/project", base="main")
    assert (made.branch, made.original_branch, made.status) == (
        "prodigy-session-1",
        "main",
        WorktreeStatus.IN_PROGRESS,
    )
    assert worktrees.get("shop", "session-1") == made
    assert worktrees.look("shop", "session-1").branch == made.branch
    with pytest.raises(Conflict):
        worktrees.create("shop", "session-1", project="/project")


def test_what_could_not_be_made_is_not_recorded(worktrees, folders):
    """The record is taken back."""
    folders.stuck = True
    with pytest.raises(CheckoutFailed):
        worktrees.create("shop", "session-1", project="/project")
    assert worktrees.list().values == []


def test_marking_keeps_what_happened(worktrees, make, clock):
    """A merge stays a merge, with its time; what does not exist cannot be marked."""
    make("session-1")
    clock.sleep(60)
    merged = worktrees.mark("shop", "session-1", WorktreeStatus.MERGED)
    assert (merged.merged, merged.merged_at) == (True, clock.now())
    cleaned = worktrees.mark("shop", "session-1", WorktreeStatus.CLEANED_UP)
    assert (cleaned.merged, cleaned.merged_at) == (True, merged.merged_at)
    with pytest.raises(NotFound):
        worktrees.mark("shop", "session-2", WorktreeStatus.MERGED)


def test_worktrees_are_listed_by_project_and_status(worktrees, make):
    """Oldest first."""
    make("session-1", WorktreeStatus.MERGED)
    make("session-2")
    assert [state.worktree_name for state in worktrees.list("shop").values] == ["session-1", "session-2"]
    assert [state.worktree_name for state in worktrees.list(status=WorktreeStatus.MERGED).values] == ["session-1"]
    assert worktrees.list("other").values == []


def test_cleaning_removes_folder_and_record(worktrees, make, folders):
    """A dry run says the same and changes nothing."""
    make("session-1")
    planned = worktrees.clean(dry_run=True)
    assert outcomes(planned) == {"session-1": Cleaning.REMOVED}
    assert folders.there
    assert outcomes(worktrees.clean()) == {"session-1": Cleaning.REMOVED}
    assert (folders.there, worktrees.list().values) == ({}, [])


def test_only_what_was_named_goes(worktrees, make, clock):
    """By name, by age, by merge."""
    make("old", WorktreeStatus.MERGED)
    clock.sleep(3600)
    make("young", WorktreeStatus.MERGED)
    make("plain")
    assert list(outcomes(worktrees.clean(before=clock.now() - timedelta(minutes=5), dry_run=True))) == ["old"]
    assert list(outcomes(worktrees.clean(merged_only=True, dry_run=True))) == ["old", "young"]
    assert list(outcomes(worktrees.clean("shop", ["plain"]))) == ["plain"]
    assert len(worktrees.list().values) == 2


@pytest.mark.parametrize("status", [WorktreeStatus.IN_PROGRESS, WorktreeStatus.INTERRUPTED])
def test_what_is_under_way_is_kept_unless_forced(worktrees, make, status):
    """It can go on."""
    make("session-1", status)
    assert outcomes(worktrees.clean()) == {"session-1": Cleaning.KEPT}
    assert outcomes(worktrees.clean(force=True)) == {"session-1": Cleaning.REMOVED}


def test_a_session_that_is_being_run_keeps_its_worktree(worktrees, make, busy):
    """Also against force."""
    make("session-1")
    busy.add("session-1")
    (done,) = worktrees.clean(force=True)
    assert (done.outcome, done.reason) == (Cleaning.KEPT, "session-1 is being run")


def test_work_that_nothing_else_has_is_kept_unless_forced(worktrees, make, folders):
    """The reason says what it is."""
    make("session-1")
    (path,) = folders.there
    folders.there[path] = attrs.evolve(folders.there[path], uncommitted=2, unmerged=1)
    (kept,) = worktrees.clean()
    assert (kept.outcome, kept.reason) == (Cleaning.KEPT, "2 uncommitted files, 1 unmerged commit")
    assert outcomes(worktrees.clean(force=True)) == {"session-1": Cleaning.REMOVED}


def test_what_cannot_be_removed_is_an_orphan_until_it_can(worktrees, make, folders):
    """Told once however often it fails; cleaned later, and then forgotten."""
    make("session-1")
    folders.stuck = True
    for _ in range(2):
        assert outcomes(worktrees.clean()) == {"session-1": Cleaning.FAILED}
    ((orphan,),) = worktrees.orphans.all("shop").values
    assert (orphan.path, orphan.error) == ("/worktrees/shop/session-1", "the disk is stuck")
    assert outcomes(worktrees.clean_orphaned()) == {"session-1": Cleaning.FAILED}
    folders.stuck = False
    assert outcomes(worktrees.clean_orphaned(dry_run=True)) == {"session-1": Cleaning.REMOVED}
    assert folders.there
    assert worktrees.clean_orphaned(job="another") == []
    assert outcomes(worktrees.clean_orphaned()) == {"session-1": Cleaning.REMOVED}
    assert (folders.there, worktrees.orphans.all().values) == ({}, [])


def test_without_folders_there_are_records_alone():
    """What needs a folder says so."""
    alone = Worktrees(MemoryStorage(), FakeClock(), None, lambda _: False)
    alone.register("shop", "session-1")
    assert alone.look("shop", "session-1") is None
    with pytest.raises(Unsupported):
        alone.create("shop", "session-2", project="/project")
    assert [state.worktree_name for state in alone.list().values] == ["session-1"]
