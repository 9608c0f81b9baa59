"""`clean`: says what would go, asks, and removes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.errors import Unavailable
from prodigy_storage.model.dead_letters import DeadLetter, ErrorType, Failure

from .conftest import call

OLD = timedelta(days=40)


@pytest.fixture
def old_letters(store):
    """Two jobs with a dead letter that is 40 days old, and one that is new."""
    now = SystemClock().now()
    for job, at in (("job-1", now - OLD), ("job-2", now - OLD), ("job-3", now)):
        failure = Failure(attempt_number=1, timestamp=at, error_type=ErrorType("Unknown"), error_message="x")
        store.dlq.add("shop", job, DeadLetter.of("item", 1, [failure]))


@pytest.mark.usefixtures("old_letters")
def test_a_dry_run_lists_and_changes_nothing(ask, store):
    """On stderr for people, in the object for programs."""
    answer = ask("clean", "all", "--older-than", "30d", "--dry-run", "--json")
    assert "Remove 2 things older than 30d (dry run: nothing is changed):" in answer.err
    assert [(one["kind"], one["name"]) for one in answer.json["data"]["things"]] == [("dlq", "job-1"), ("dlq", "job-2")]
    assert len(store.dlq.list().values) == 3


@pytest.mark.usefixtures("old_letters")
def test_what_is_old_goes_and_the_rest_stays(ask, store):
    """A second time there is nothing to do."""
    assert ask("clean", "dlq", "--older-than", "30d", "--yes", "--json").json["data"]["removed"] == 2
    assert [loaded.document.scope[1] for loaded in store.dlq.list().loaded] == ["job-3"]
    answer = ask("clean", "dlq", "--older-than", "30d", "--yes")
    assert (answer.code, answer.out) == (0, "")
    assert "Nothing is older than 30d." in answer.err


@pytest.mark.usefixtures("old_letters")
def test_what_cannot_go_is_a_partial_success(ask, store, monkeypatch):
    """Named with its reason; the rest goes all the same."""
    purge = store.dlq.purge

    def refuse_one(repo, job, **more):
        if job == "job-1":
            raise Unavailable("the disk is away")
        return purge(repo, job, **more)

    monkeypatch.setattr(store.dlq, "purge", refuse_one)
    answer = ask("clean", "dlq", "--older-than", "30d", "--yes", "--json")
    assert (answer.code, answer.json["status"], answer.json["data"]["removed"]) == (6, "partial", 1)
    assert [one["message"] for one in answer.json["diagnostics"]] == ["dlq job-1: the disk is away"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["all"], "--older-than"),
        (["all", "--older-than", "30"], "no length of time"),
        (["all", "--older-than", "-5m"], "no length of time"),
        (["everything", "--older-than", "1d"], "worktrees"),
        (["--older-than", "1d"], "KIND"),
    ],
)
def test_it_has_to_be_said_what_and_how_old(ask, words, said):
    """There is no default that deletes."""
    answer = ask("clean", *words, "--yes")
    assert answer.code == 2
    assert said in answer.err


def test_without_a_terminal_and_without_yes_it_refuses(tmp_path):
    """With the installed program; an empty store has nothing to ask about."""
    root = tmp_path / "root"
    assert "Nothing is older" in call("clean", "all", "--older-than", "1d", "--root", root).err
    assert not root.exists()
    call("demo", "--input", tmp_path, "--root", root)
    assert "--yes" in call("clean", "all", "--older-than", "0s", "--root", root, code=2).err
    assert call("clean", "all", "--older-than", "0s", "--root", root, "--json", PRODIGY_AUTOMATION="true").json["data"]
