"""Prodigy and the library live in one directory: whole jobs, locks, changed records; the real program looks at it."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from prodigy_storage.errors import Locked
from prodigy_storage.model.dead_letters import Failure
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.sessions import SessionStatus

from .checker import kind_of, offence, unpacked
from .judging import ABSENT, JUDGE, Serving, ask
from .speaking import REPO, opened

pytestmark = pytest.mark.skipif(not JUDGE, reason=ABSENT)

CORPUS = Path(__file__).parent / "corpus"
PRODIGYS_JOB = "mapreduce-1742281689101"


@pytest.fixture
def corpus(tmp_path):
    """A copy of the corpus that a test may change, without the lock that nobody can read."""
    root = tmp_path / ".prodigy"
    shutil.copytree(CORPUS, root)
    (root / "resume_locks" / "mapreduce-20250325_222222.lock").unlink()
    return root


def refused(root):
    """The files below a root that the program's types do not read, and why; what has no type is left out."""
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    found = [(name, kind) for name in names if (kind := kind_of(name))]
    texts = [unpacked(name, (root / name).read_bytes()).decode() for name, _ in found]
    asked = [{"do": "parse", "kind": kind, "text": text} for (_, kind), text in zip(found, texts, strict=True)]
    answers = zip(found, texts, ask(root, asked), strict=True)
    return {name: answer["error"] or offence(kind, text.encode()) for (name, kind), text, answer in answers}


def finish(run, failing=()):
    """Settle every item; some fail."""
    for attempt in run.attempts():
        with suppress(ValueError), attempt:
            if attempt.item_id in failing:
                raise ValueError(f"no luck with {attempt.item_id}: größe\x01")
            attempt.result = {"n": attempt.item}


def test_the_program_reads_everything_that_a_job_leaves(tmp_path):
    """A job with failures, its dead letters, session, events and states: every file is read by the program's types."""
    with opened(tmp_path) as store:
        with store.runs.start(REPO, items=[{"n": number, "é": 0.1} for number in range(12)]) as run:
            finish(run, failing={"item_3", "item_7"})
        job, session = run.job_id, run.session_id
    verdicts = refused(tmp_path)
    assert {name: error for name, error in verdicts.items() if error} == {}
    assert len(verdicts) >= 6
    queue, sessions, state = ask(
        tmp_path,
        [
            {"do": "load", "kind": "dlq-item", "repo": REPO, "job": job},
            {"do": "load", "kind": "sessions"},
            {"do": "load", "kind": "job-state", "repo": REPO, "job": job},
        ],
    )
    assert sorted(queue["written"]) == ["item_3", "item_7"]
    assert json.loads(sessions["written"][session])["status"] == "Completed"
    seen = json.loads(state["written"])
    assert (seen["successful_count"], sorted(seen["failed_agents"])) == (10, ["item_3", "item_7"])


IDS = [
    "src/a.py",
    "a%2Fb",
    "a/b",
    "../../x",
    "..",
    "/etc/x",
    ".env",
    "tab\there\n",
    "ü: *?",
    "x.json",
    "ö" * 110,
    "a/" * 40,
]


def test_the_program_finds_dead_letters_with_any_id(corpus):
    """Ids with slashes, dots, control characters and of 200 bytes and more are loaded by the program's own store."""
    with opened(corpus) as store:
        letter = store.dlq.list(REPO, "mapreduce-20250310_081500").values[0]
        for id in IDS:
            store.dlq.add(REPO, "job-0", attrs.evolve(letter, item_id=id))
        assert sorted(one.item_id for one in store.dlq.list(REPO, "job-0").values) == sorted(IDS)
    (queue,) = ask(corpus, [{"do": "load", "kind": "dlq-item", "repo": REPO, "job": "job-0"}])
    assert {id: json.loads(text)["item_id"] for id, text in queue["written"].items()} == {id: id for id in IDS}


def test_the_program_finds_our_unfinished_job_resumable(tmp_path):
    """What we paused is in the program's list of jobs to resume, with the items that are left."""
    with opened(tmp_path) as store, store.runs.start(REPO, items=range(5)) as run:
        run.complete(run.claim(), 1)
        run.pause()
    listed, state = ask(
        tmp_path,
        [
            {"do": "load", "kind": "resumable", "repo": REPO},
            {"do": "load", "kind": "job-state", "repo": REPO, "job": run.job_id},
        ],
    )
    assert listed["written"] == [run.job_id]
    assert json.loads(state["written"])["pending_items"] == [f"item_{number}" for number in range(1, 5)]


def test_the_program_reads_its_own_records_after_we_changed_them(corpus):
    """A dead letter that failed again, a session that was paused, a job that was finished: all are read as before."""
    with opened(corpus) as store:
        letter = store.dlq.list(REPO, "mapreduce-20250310_081500").values[0]
        failure = Failure(
            attempt_number=9,
            timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            error_type=ErrorType("CommandFailed", -9),
            error_message="again",
        )
        store.dlq.add(REPO, "mapreduce-20250310_081500", letter.failed_again(failure))
        running = next(one for one in store.sessions.list().values if one.status is SessionStatus.RUNNING)
        store.sessions.move(running.id, SessionStatus.PAUSED)
        with store.runs.resume(PRODIGYS_JOB, repo=REPO) as run:
            finish(run)
    assert {name: error for name, error in refused(corpus).items() if error} == {}
    queue, session, state = ask(
        corpus,
        [
            {"do": "load", "kind": "dlq-item", "repo": REPO, "job": "mapreduce-20250310_081500"},
            {"do": "load", "kind": "session", "id": running.id},
            {"do": "load", "kind": "job-state", "repo": REPO, "job": PRODIGYS_JOB},
        ],
    )
    assert json.loads(queue["written"][letter.item_id])["failure_history"][-1]["error_message"] == "again"
    assert json.loads(session["written"])["status"] == "Paused"
    assert json.loads(state["written"])["pending_items"] == []


def test_the_program_respects_a_lock_of_ours(tmp_path):
    """While we hold a lock the program refuses it and names our process; afterwards it takes it."""
    asked = [{"do": "load", "kind": "resume-lock", "id": "job-0"}]
    with opened(tmp_path) as store:
        grant = store.locks.acquire((REPO, "job-0"), "job-0")
        (held,) = ask(tmp_path, asked)
        store.locks.release(grant)
        (free,) = ask(tmp_path, asked)
    assert not held["ok"]
    assert f"PID {os.getpid()} on" in held["error"]
    assert free["ok"]


def test_we_respect_a_lock_of_the_program(tmp_path):
    """While a process of the program holds a lock we refuse it; when the process has ended we take it over."""
    with opened(tmp_path) as store:
        with Serving(tmp_path) as program:
            assert program.ask(do="save", kind="resume-lock", id="job-0")["ok"]
            with pytest.raises(Locked, match=str(program.pid)):
                store.locks.acquire((REPO, "job-0"), "job-0")
        assert (tmp_path / "resume_locks" / "job-0.lock").exists()
        assert store.locks.acquire((REPO, "job-0"), "job-0").epoch > 0
