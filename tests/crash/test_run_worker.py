"""Runs in real processes: stopped from outside, fenced by a broken lock, killed in any phase, cleaned half-way."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import prodigy_storage
from prodigy_storage.codecs.kinds import CHECKPOINT, JOB_STATE, LEASE, MAPPING, SESSION
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.ports.storage import Query

WORKER = Path(__file__).with_name("run_worker.py")
PROGRAM = Path(sys.executable).with_name("prodigy-storage")

pytestmark = pytest.mark.kill


@contextlib.contextmanager
def worker(root, mode, *session):
    arguments = [sys.executable, str(WORKER), str(root), mode, *session]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(root, *words):
    return subprocess.run([PROGRAM, "--root", root, *words], capture_output=True, text=True, timeout=100, check=False)


def working(process):
    """The session of a process that settles items."""
    session = process.stdout.readline().strip()
    assert process.stdout.readline().startswith("ack")
    return session


def session_of(root, id):
    with prodigy_storage.open(root) as store:
        return store.sessions.get(id)


@pytest.mark.parametrize(("verb", "status"), [("pause", "Paused"), ("cancel", "Cancelled")])
def test_a_run_in_another_process_stops_when_it_is_asked(tmp_path, verb, status):
    """The program waits until it has; what was acknowledged is in the session, and the lock is free."""
    with worker(tmp_path, "items") as process:
        session = working(process)
        answer = ask(tmp_path, "sessions", verb, session, "--wait", "60s", *(["--yes"] if verb == "cancel" else []))
        assert answer.returncode == 0, answer
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3, errors
    found = session_of(tmp_path, session)
    assert found.status.value == status
    with prodigy_storage.open(tmp_path) as store:
        assert len(store.runs.look(store.runs.find(session)).state.done) == found.mapreduce_data.processed_items > 0
        assert not store.locks.list()


def test_signals_ask_for_a_checkpoint_and_for_a_pause(tmp_path):
    """A handler leaves a note, and the run does it in its own time."""
    with worker(tmp_path, "items") as process:
        session = working(process)
        with prodigy_storage.open(tmp_path) as store:
            setup = store.runs.find(session)
            before = len(store.checkpoints.list(setup.repo, setup.job_id).checkpoints)
            process.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + 60
            while len(store.checkpoints.list(setup.repo, setup.job_id).checkpoints) == before:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3, errors
    assert session_of(tmp_path, session).status.value == "Paused"


def test_the_holder_of_a_broken_lock_is_fenced(tmp_path):
    """Nothing that it does after the break is stored, it ends by itself, and who broke the lock is known."""
    with worker(tmp_path, "items") as process:
        session = working(process)
        assert ask(tmp_path, "locks", "break", session, "--yes").returncode == 4
        answer = ask(tmp_path, "locks", "break", session, "--yes", "--force", "--reason", "drill")
        assert answer.returncode == 0, answer
        with prodigy_storage.open(tmp_path) as store:
            setup = store.runs.find(session)
            at_the_break = len(store.runs.look(setup).state.done)
            said, _ = process.communicate(timeout=60)
            assert (process.returncode, said.splitlines()[-1]) == (4, "fenced")
            assert len(store.runs.look(setup).state.done) == at_the_break
            (broken,) = store.locks.breaks()
            assert (broken.reason, broken.owner.pid, broken.alive) == ("drill", process.pid, True)
            with store.runs.resume(session) as run:
                assert run.completed == at_the_break


def killed_phases(root, lines):
    """Run the program, killed once it has said so many lines; all that it said, and whether it ended by itself."""
    with worker(root, "phases") as process:
        said = [line for line, _ in zip(process.stdout, range(lines), strict=False)]
        if len(said) == lines:
            process.kill()
        rest, errors = process.communicate(timeout=100)
        assert process.returncode in (0, -9), errors
        return [line.strip() for line in (*said, *rest.splitlines())], process.returncode == 0


def test_no_acknowledged_step_or_item_of_any_phase_is_done_again(tmp_path):
    """Killed again and again in setup, map and reduce; in the end everything was acknowledged, and once."""
    draw = random.Random(5)
    acknowledged: set[str] = set()
    rounds, ended = 0, False
    while not ended:
        lines, ended = killed_phases(tmp_path, draw.randint(4, 14))
        rounds += 1
        for line in lines:
            word, _, name = line.partition(" ")
            if word == "did":
                assert name not in acknowledged, f"{name} was done again"
            elif word == "ack":
                acknowledged.add(name)
    assert rounds > 4
    assert lines[-1] == "result 20"
    with prodigy_storage.open(tmp_path) as store:
        (session,) = store.sessions.list().values
        assert session.status.value == "Completed"
        setup = store.runs.find(session.id)
        assert [step.output for step in setup.steps] == list(range(6))
        assert all(verdict.sound for verdict in store.checkpoints.validate())


def test_a_cleaning_that_is_killed_goes_on_with_the_next_one(tmp_path):
    """Whenever it dies, nothing is left of a removed session, and in the end of none."""
    with prodigy_storage.open(tmp_path) as store:
        for _ in range(6):
            with store.runs.start("repo", items=[1, 2]) as run:
                for attempt in run.attempts():
                    with attempt:
                        attempt.result = 1
    draw = random.Random(7)
    for _ in range(3):
        with worker(tmp_path, "clean") as process:
            if process.stdout.readline():
                time.sleep(draw.uniform(0, 0.01))
            process.kill()
            process.communicate()
        with prodigy_storage.open(tmp_path) as store:
            left = {session.mapreduce_data.job_id for session in store.sessions.list().values}
            assert {scope[1] for scope in store.storage.scopes(CHECKPOINT)} <= left
    with worker(tmp_path, "clean") as process:
        assert process.wait(60) == 0
    with prodigy_storage.open(tmp_path) as store:
        for kind in (SESSION, CHECKPOINT, JOB_STATE, MAPPING, LEASE):
            assert not store.storage.documents(Query(kind)).documents
        assert not any(store.storage.records(scope, PROGRESS).data for scope in store.storage.scopes(PROGRESS))
