"""`sessions list|pause|cancel|clean` and `locks show|break`, in this process."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess

import pytest

import prodigy_storage
from prodigy_storage.model.sessions import SessionStatus

from .conftest import PROGRAM, call, environment


def done(store, repo="repo"):
    with store.runs.start(repo, items=[1]) as run:
        run.complete(run.claim())
    return run


def paused(store, repo="repo"):
    with store.runs.start(repo, items=[1, 2]) as run:
        pass
    return run


def ids(answer):
    return [session["id"] for session in answer.json["data"]["sessions"]]


class TestList:
    def test_sessions_are_chosen_by_time(self, ask, store):
        """`--since` takes what people write; nonsense is wrong usage that says what is allowed."""
        run = done(store)
        assert ids(ask("sessions", "list", "--since", "1h", "--json")) == [run.session_id]
        assert ids(ask("sessions", "list", "--since", "2100-01-01", "--json")) == []
        answer = ask("sessions", "list", "--since", "soon")
        assert (answer.code, "2h" in answer.err) == (2, True)

    def test_those_that_can_go_on_now_are_chosen(self, ask, store):
        """Neither what is over nor what somebody runs."""
        done(store)
        free = paused(store)
        with store.runs.start("repo", items=[1]):
            assert ids(ask("sessions", "list", "--resumable", "--json")) == [free.session_id]


class TestStop:
    @pytest.mark.parametrize(("verb", "status"), [("pause", "Paused"), ("cancel", "Cancelled")])
    def test_a_living_run_is_asked(self, ask, store, verb, status):
        """Exit code 1 says that it has not stopped yet; once it has, the session is where it was wanted."""
        yes = ["--yes"] if verb == "cancel" else []
        with store.runs.start("repo", items=[1, 2]) as run:
            run.complete(run.claim())
            answer = ask("sessions", verb, run.job_id, *yes, "--wait", "0s", "--reason", "lunch", "--json")
            assert (answer.code, answer.json["status"]) == (1, "findings")
            assert answer.json["data"]["asked"]
            assert answer.json["data"]["session"]["status"] == "Running"
            store.storage.alive = lambda _: True
            run._ear._looked = float("-inf")
            assert run.claim() is None
        assert store.sessions.get(run.session_id).status.value == status

    def test_a_session_that_nobody_runs_is_cancelled_at_once(self, ask, store):
        """The reason is kept; cancelling again changes nothing and needs no answer; pausing is refused."""
        run = paused(store)
        answer = ask("sessions", "cancel", run.session_id, "--yes", "--reason", "wrong branch")
        assert (answer.code, answer.out) == (0, "")
        assert f"{run.session_id} is cancelled." in answer.err
        assert "wrong branch" in store.sessions.get(run.session_id).error
        assert ask("sessions", "cancel", run.session_id).code == 0
        answer = ask("sessions", "pause", run.session_id)
        assert (answer.code, "Cancelled" in answer.err) == (2, True)

    def test_cancelling_asks_first(self, ask, store):
        """With nobody to ask it refuses; a dry run only says what it would do."""
        run = paused(store)
        assert ask("sessions", "cancel", run.session_id).code == 2
        answer = ask("sessions", "cancel", run.session_id, "--dry-run")
        assert (answer.code, "can never go on" in answer.err) == (0, True)
        assert store.sessions.get(run.session_id).status is SessionStatus.PAUSED

    def test_a_workflow_is_paused_and_cancelled(self, ask, store):
        """It has no job, so its session alone is changed."""
        id = store.sessions.start_workflow("w", repo="repo").id
        assert ask("sessions", "pause", id).code == 0
        assert store.sessions.get(id).status is SessionStatus.PAUSED
        assert ask("sessions", "cancel", id, "--yes").code == 0
        assert store.sessions.get(id).status is SessionStatus.CANCELLED

    def test_an_unknown_session_is_not_found(self, ask, store):
        """The near one is suggested; a cut id is understood."""
        run = paused(store)
        answer = ask("sessions", "pause", run.session_id[:-1] + "x")
        assert (answer.code, f"Did you mean {run.session_id}?" in answer.err) == (3, True)
        cut = f"{run.session_id[:12]}…{run.session_id[-4:]}"
        assert ask("sessions", "pause", cut).code == 0


class TestClean:
    def test_what_is_over_goes_and_what_can_go_on_stays(self, ask, store):
        """The dry run and the removal name the same session."""
        over, free = done(store), paused(store)
        told = ask("sessions", "clean", "--older-than", "0s", "--dry-run", "--json")
        assert (ids(told), told.json["data"]["removed"]) == ([over.session_id], 0)
        answer = ask("sessions", "clean", "--older-than", "0s", "--yes", "--json")
        assert (ids(answer), answer.json["data"]["removed"]) == ([over.session_id], 1)
        assert [session.id for session in store.sessions.list().values] == [free.session_id]
        again = ask("sessions", "clean", "--older-than", "0s", "--yes")
        assert (again.code, "No session ended" in again.err) == (0, True)

    def test_nothing_is_old_enough(self, ask, store):
        """Age counts from the end, 30 days by default."""
        done(store)
        assert ask("sessions", "clean", "--yes").code == 0
        assert len(store.sessions.list().values) == 1

    def test_it_asks_and_refuses_where_it_cannot(self, ask, store):
        """The list of what would go is on stderr."""
        run = done(store)
        answer = ask("sessions", "clean", "--older-than", "0s")
        assert (answer.code, run.session_id in answer.err) == (2, True)
        assert ask("sessions", "clean", "--older-than", "soon").code == 2

    def test_it_goes_without_asking_in_automation(self, ask, store, monkeypatch):
        """As everywhere."""
        done(store)
        monkeypatch.setenv("PRODIGY_AUTOMATION", "true")
        assert ask("sessions", "clean", "--older-than", "0s").code == 0
        assert not store.sessions.list().values


class TestLocks:
    def test_a_lock_is_broken_and_the_record_is_shown(self, ask, store, monkeypatch):
        """Without force a living holder keeps it; who broke it and why is shown ever after."""
        monkeypatch.setenv("LOGNAME", "ada")
        scope = ("repo", "job")
        store.locks.acquire(scope, "job", purpose="session-1")
        assert ask("locks", "break", "session-1", "--yes").code == 4
        answer = ask("locks", "break", "session-1", "--force", "--yes", "--reason", "host is gone")
        assert (answer.code, answer.out) == (0, "")
        shown = ask("locks", "show", "job")
        assert shown.code == 0
        assert "ada@" in shown.out
        assert "host is gone" in shown.out
        (one,) = ask("locks", "show", "session-1", "--json").json["data"]["breaks"]
        assert (one["reason"], one["session_id"], one["by"][:4]) == ("host is gone", "session-1", "ada@")
        assert ask("locks", "break", "job", "--yes").code == 3

    def test_breaking_asks_first(self, ask, store):
        """A dry run breaks nothing."""
        store.locks.acquire(("repo", "job"), "job")
        assert ask("locks", "break", "job", "--force").code == 2
        assert ask("locks", "break", "job", "--force", "--dry-run", "--json").json["data"]["broken"] is None
        assert len(store.locks.list()) == 1

    def test_a_held_lock_is_shown(self, ask, store):
        """Who holds it, for which session, since when; a job that nobody holds is shown too."""
        run = paused(store)
        assert "nobody" in ask("locks", "show", run.session_id).out
        with store.runs.resume(run.session_id):
            answer = ask("locks", "show", run.job_id)
            assert run.session_id in answer.out
            lock = ask("locks", "show", run.session_id, "--json").json["data"]["lock"]
            assert (lock["job_id"], lock["alive"]) == (run.job_id, True)

    def test_an_unknown_lock_is_not_found(self, ask, store):
        """The near one is suggested."""
        store.locks.acquire(("repo", "a-job-of-mine"), "a-job-of-mine")
        answer = ask("locks", "show", "a-job-of-mind")
        assert (answer.code, "Did you mean a-job-of-mine?" in answer.err) == (3, True)


class TestProgram:
    """Through the installed program."""

    @pytest.fixture
    def root(self, tmp_path):
        """A store in files with one finished job and one paused."""
        with prodigy_storage.open(tmp_path / "root") as store:
            done(store)
            paused(store)
        return tmp_path / "root"

    @pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, 2), (b"y\n", 0, 1)])
    def test_on_a_terminal_it_asks(self, root, answer, code, left):
        """What is answered decides; the question is on stderr, the result goes into the pipe."""
        ours, theirs = pty.openpty()
        words = [PROGRAM, "sessions", "clean", "--older-than", "0s", "--json", "--root", root]
        with subprocess.Popen(
            words, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as process:
            os.write(ours, answer)
            out, err = process.communicate(timeout=100)
        os.close(theirs)
        os.close(ours)
        assert (process.returncode, b"Go on?" in err) == (code, True)
        assert (json.loads(out)["data"]["removed"] if code == 0 else out) == (1 if code == 0 else b"")
        with prodigy_storage.open(root) as store:
            assert len(store.sessions.list().values) == left

    def test_each_verb_answers_in_a_process_of_its_own(self, root):
        """Without a terminal: pause, cancel, validate, locks show, one JSON object each."""
        with prodigy_storage.open(root) as store:
            (free,) = store.runs.resumable()
        id = free.session.id
        assert call("sessions", "pause", id, "--root", root, "--json").json["data"]["session"]["status"] == "Paused"
        assert call("--root", root, "sessions", "cancel", id, "--json", code=2).json["status"] == "error"
        cancelled = call("--root", root, "sessions", "cancel", id, "--yes", "--json").json
        assert cancelled["data"]["session"]["status"] == "Cancelled"
        assert call("--root", root, "checkpoints", "validate", "--json").json["status"] == "ok"
        assert call("--root", root, "locks", "show", id, "--json").json["data"]["breaks"] == []

    def test_the_main_job_is_terminated_in_order_and_restarted(self, tmp_path):
        """SIGTERM pauses it; SIGUSR1 asks for a checkpoint; a strategy says from where it goes on."""
        files = tmp_path / "input"
        files.mkdir()
        for number in range(100):
            (files / f"m{number}.py").write_text("def f():\n    return [1, 2, 3]\n" * 300)
        root = tmp_path / "root"
        words = [PROGRAM, "demo", "--root", root, "--input", files, "--workers", "1"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
            id = process.stderr.readline().decode().strip()
            process.stderr.readline()  # it says what it will do, and begins
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=100)
        assert (process.returncode, b"Paused" in err) == (130, True)
        answer = call("demo", "--root", root, "--resume", id, "--strategy", "restart-from-map", "--json")
        assert answer.json["data"]["completed"] == 100
        assert call("demo", "--root", root, "--strategy", "continue", code=2).err
