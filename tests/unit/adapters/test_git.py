"""Working copies as git worktrees, by the real program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from prodigy_storage.adapters.git import GitCheckouts
from prodigy_storage.errors import CheckoutFailed, InvalidName, WorkAtRisk


def git(folder, *words):
    """Run git as somebody."""
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def project(tmp_path):
    """A project with one commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    return folder


@pytest.fixture
def checkouts(tmp_path):
    return GitCheckouts(tmp_path / "root/worktrees")


@pytest.fixture
def made(checkouts, project):
    """A worktree `session-1` of that project."""
    return checkouts.create("shop", "session-1", project=str(project), branch="prodigy-session-1")


def commit(path):
    """Work that is committed, and nowhere else."""
    (path / "new.txt").write_text("two\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "two")


def test_a_new_worktree_has_the_files_and_holds_no_work(checkouts, project, tmp_path, made):
    """It lies under its names, on its branch."""
    path = tmp_path / "root/worktrees/shop/session-1"
    assert (path / "a.txt").read_text() == "one\n"
    assert checkouts.look(str(path)) == made
    assert (made.branch, made.risk) == ("prodigy-session-1", "")
    assert "prodigy-session-1" in git(project, "branch")


def test_what_is_removed_leaves_no_branch(checkouts, project, made):
    """A worktree without work of its own goes with its branch, and git knows it no more."""
    checkouts.remove(made.path)
    assert checkouts.look(made.path) is None
    assert "prodigy-session-1" not in git(project, "branch")
    assert "session-1" not in git(project, "worktree", "list")
    checkouts.remove(made.path)


@pytest.mark.parametrize("work", ["changed", "new", "committed", "detached"])
def test_work_that_nothing_else_has_is_kept(checkouts, made, work):
    """Uncommitted changes, new files, and commits that no other branch has."""
    path = Path(made.path)
    if work == "changed":
        (path / "a.txt").write_text("two\n")
    elif work == "new":
        (path / "new.txt").write_text("two\n")
    else:
        if work == "detached":
            git(path, "checkout", "--quiet", "--detach")
        commit(path)
    with pytest.raises(WorkAtRisk, match=r"1 un(committed|merged)"):
        checkouts.remove(str(path))
    assert path.exists()


def test_commits_that_another_branch_has_are_no_risk(checkouts, project, made):
    """After the merge the worktree may go."""
    path = Path(made.path)
    commit(path)
    git(project, "merge", "--quiet", "prodigy-session-1")
    assert checkouts.look(str(path)).risk == ""
    checkouts.remove(str(path))
    assert not path.exists()


def test_force_loses_files_but_no_commits(checkouts, project, made):
    """The branch with unmerged commits stays."""
    path = Path(made.path)
    commit(path)
    (path / "scratch.txt").write_text("x")
    checkouts.remove(str(path), force=True)
    assert not path.exists()
    assert "two" in git(project, "log", "--format=%s", "prodigy-session-1")


def test_what_cannot_be_made_leaves_nothing(checkouts, project, tmp_path):
    """The message has what git said."""
    with pytest.raises(CheckoutFailed, match="worktree add failed"):
        checkouts.create("shop", "session-1", project=str(tmp_path), branch="b")
    with pytest.raises(CheckoutFailed):
        checkouts.create("shop", "session-1", project=str(project), branch="b", base="no-such-branch")
    assert not (tmp_path / "root/worktrees/shop/session-1").exists()
    assert git(project, "branch", "--list", "b") == ""


@pytest.mark.parametrize(("repo", "name"), [("..", "x"), ("shop", "../x"), ("a/b", "x"), ("shop", ".git")])
def test_names_stay_inside(checkouts, repo, name):
    """A name that would leave the folder, or hide in it, is refused."""
    with pytest.raises(InvalidName):
        checkouts.path(repo, name)


def test_a_folder_that_is_no_worktree_goes_by_force_only(checkouts, tmp_path):
    """Nobody can tell what is in it; outside of the folder of worktrees it is never touched."""
    inside, outside = tmp_path / "root/worktrees/shop/stray", tmp_path / "precious"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        with pytest.raises(WorkAtRisk):
            checkouts.remove(str(folder))
    checkouts.remove(str(inside), force=True)
    assert not inside.exists()
    with pytest.raises(WorkAtRisk, match="lies outside"):
        checkouts.remove(str(outside), force=True)
    (tmp_path / "root/worktrees/shop/link").symlink_to(outside)
    with pytest.raises(WorkAtRisk, match="lies outside"):
        checkouts.remove(str(tmp_path / "root/worktrees/shop/link"), force=True)
    assert (outside / "file").exists()


def test_a_folder_inside_another_repository_is_no_worktree(checkouts, project):
    """It would otherwise be judged by the repository around it."""
    inner = project / "inner"
    inner.mkdir()
    assert checkouts.look(str(inner)).reason == "it is no worktree of its own"


def test_variables_of_git_do_not_lead_astray(checkouts, made, monkeypatch):
    """As they are set inside hooks."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert checkouts.look(made.path).branch == "prodigy-session-1"


def test_without_git_the_error_says_so(checkouts, project, monkeypatch):
    """Nothing else is claimed."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CheckoutFailed, match="git is not installed"):
        checkouts.create("shop", "session-1", project=str(project), branch="b")


@pytest.mark.usefixtures("made")
def test_every_folder_is_named_whatever_is_in_it(checkouts, tmp_path):
    """By its project and its own name, sorted; not what a dot hides, nor a file."""
    folder = tmp_path / "root/worktrees"
    for name in ("shop/a", "shop/.metadata", "api/b", ".hidden/c"):
        (folder / name).mkdir(parents=True)
    (folder / "shop/note.txt").write_text("no folder")
    assert checkouts.names() == [("api", "b"), ("shop", "a"), ("shop", "session-1")]
    assert GitCheckouts(tmp_path / "nowhere").names() == []
