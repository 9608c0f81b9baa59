"""`worktree` and `logs`."""

from __future__ import annotations

import subprocess

import pytest

from prodigy_storage.model.prodigy.worktrees import WorktreeStatus
from prodigy_storage.opening import open as open_store

from .conftest import call


def git(folder, *words):
    """Run git as somebody."""
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path):
    """A store with three worktrees: one under way, one merged, one with a file that nothing else has."""
    project, root = tmp_path / "shop", tmp_path / "root"
    project.mkdir()
    git(project, "init", "--quiet")
    git(project, "commit", "--quiet", "--allow-empty", "-m", "one")
    with open_store(root) as store:
        for name in ("going", "merged", "dirty"):
            store.worktrees.create("shop", name, project=str(project))
        store.worktrees.mark("shop", "merged", WorktreeStatus.MERGED)
        store.worktrees.mark("shop", "dirty", WorktreeStatus.COMPLETED)
    (root / "worktrees/shop/dirty/new.txt").write_text("precious")
    return root


def test_worktrees_are_listed_with_what_they_hold(root):
    """One line each; the JSON has the records and the folders."""
    answer = call("worktree", "ls", "--root", root)
    assert [line.split()[0] for line in answer.out.splitlines()[1:]] == ["going", "merged", "dirty"]
    assert "1 uncommitted file" in answer.out
    data = call("worktree", "ls", "--root", root, "--json").json["data"]
    assert [one["worktree_name"] for one in data["worktrees"]] == ["going", "merged", "dirty"]
    assert [one["uncommitted"] for one in data["checkouts"]] == [0, 0, 1]


def test_cleaning_all_takes_what_is_done_with_and_loses_no_work(root):
    """The rest is named with its reason; running it again changes nothing."""
    dry = call("worktree", "clean", "--all", "--dry-run", "--root", root)
    assert "merged" in dry.err
    assert (root / "worktrees/shop/merged").exists()
    answer = call("worktree", "clean", "--all", "--yes", "--root", root, "--json").json
    assert {one["name"]: one["outcome"] for one in answer["data"]["worktrees"]} == {
        "going": "kept",
        "merged": "removed",
        "dirty": "kept",
    }
    assert answer["data"]["removed"] == 1
    assert (root / "worktrees/shop/dirty/new.txt").read_text() == "precious"
    assert "No worktree can go." in call("worktree", "clean", "--all", "--yes", "--root", root).err


def test_a_named_worktree_that_stays_is_a_partial_success(root):
    """By force it goes."""
    assert "1 uncommitted file" in call("worktree", "clean", "dirty", "--yes", "--root", root, code=6).err
    call("worktree", "clean", "dirty", "--force", "--yes", "--root", root)
    assert not (root / "worktrees/shop/dirty").exists()


def test_cleaning_asks_and_needs_to_know_what(root):
    """Without a terminal and without `--yes` nothing happens; a mistyped name suggests the near one."""
    assert "--merged-only" in call("worktree", "clean", "--root", root, code=2).err
    assert "--yes" in call("worktree", "clean", "--merged-only", "--root", root, code=2).err
    assert "merged" in call("worktree", "clean", "mergd", "--root", root, code=3).err
    assert (root / "worktrees/shop/merged").exists()


def test_orphans_are_cleaned_later(root):
    """Those that are gone are forgotten; those with work are kept."""
    with open_store(root) as store:
        store.worktrees.register_orphan("shop", "job-1", path=str(root / "worktrees/shop/gone"), error="busy")
        store.worktrees.register_orphan("shop", "job-1", path=str(root / "worktrees/shop/dirty"), error="busy")
    dry = call("worktree", "clean-orphaned", "--dry-run", "--root", root, "--json", code=6).json
    assert {one["outcome"] for one in dry["data"]["worktrees"]} == {"removed", "kept"}
    call("worktree", "clean-orphaned", "job-1", "--yes", "--root", root, code=6)
    with open_store(root) as store:
        (left,) = store.worktrees.orphans.all().values
    assert [one.path for one in left] == [str(root / "worktrees/shop/dirty")]


def test_logs_are_shown_by_project_time_and_level(ask, store):
    """The newest last; `--summary` counts the lines of each log."""
    log = store.logs.start("shop")
    log.write("begun", items=3)
    log.write("broken\x1b[31m", level="error")
    store.logs.start("other").write("elsewhere")
    answer = ask("logs", "--repo", "shop")
    assert [line.split()[2:] for line in answer.out.splitlines()] == [
        ["info", "begun", "items=3"],
        ["error", "broken\\x1b[31m"],
    ]
    assert [one["message"] for one in ask("logs", "--level", "error", "--json").json["data"]["records"]] == [
        "broken\x1b[31m"
    ]
    assert [one["message"] for one in ask("logs", "--tail", "1", "--json").json["data"]["records"]] == ["elsewhere"]
    summary = ask("logs", "--summary", "--json").json["data"]["logs"]
    assert [(one["repo"], one["lines"]) for one in summary] == [("other", 1), ("shop", 2)]
    assert "No lines fit." in ask("logs", "--since", "2099-01-01").err
    assert ask("logs", "--since", "soon").code == 2
