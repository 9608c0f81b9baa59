"""The main job, killed again and again at random moments, against an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import prodigy_storage
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.sessions import SessionStatus

KILLS = 20
FILES = 400
PROGRAM = [str(Path(sys.executable).with_name("prodigy-storage")), "demo", "--json"]
SETTLING = {"agent_started", "agent_completed", "agent_failed", "agent_retrying", "d_l_q_item_added"}

pytestmark = pytest.mark.kill


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that take some milliseconds each to parse, and a few that don't parse."""
    folder = tmp_path_factory.mktemp("sources")
    body = "".join(f"def f{n}(a, b={n}):\n    return [a * x + b for x in range({n})]\n" for n in range(300))
    for number in range(FILES):
        package = folder / f"package{number % 5}"
        package.mkdir(exist_ok=True)
        (package / f"module{number}.py").write_text(body)
    for number in range(6):
        (folder / f"bad{number}.py").write_text(f"def broken{number}(:\n")
    (folder / "nul.py").write_bytes(b"x = 1\0\n")
    (folder / "latin.py").write_bytes(b"x = '\xe4'\n")
    return folder


def command(root: Path, *arguments: str) -> list[str]:
    return [*PROGRAM, "--root", str(root), *arguments]


def outcome(root: Path, *arguments: str) -> dict[str, Any]:
    """Run the job to its end and give the data of its last line."""
    done = subprocess.run(command(root, *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["data"]
    return data


def facts(root: Path) -> list[tuple[str, object, object]]:
    """The events of settled items as (type, item, attempt), once for each record, sorted."""
    with prodigy_storage.open(root) as store:
        records = {record.id: record for record in store.events.query(EventFilter())}
    return sorted(
        (record.event_type, record.metadata["item_id"], record.metadata["attempt"])
        for record in records.values()
        if record.event_type in SETTLING
    )


def killed(root: Path, arguments: list[str], delay: float) -> tuple[str, bool]:
    """Start the job, kill it `delay` seconds after it said its session; the session, and whether it still ran."""
    with subprocess.Popen(
        command(root, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        session = process.stderr.readline().strip()
        assert session.startswith("session-"), session + process.stderr.read()
        time.sleep(delay)
        ran = process.poll() is None
        process.kill()
        process.communicate()
        return session, ran


def delays(seed: int) -> Iterator[float]:
    draw = random.Random(seed)
    while True:
        yield draw.choice([draw.uniform(0, 0.05), draw.uniform(0, 0.4)])


@pytest.fixture(scope="module")
def undisturbed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    root = tmp_path_factory.mktemp("undisturbed")
    result = outcome(root, "--input", str(sources))
    return result, facts(root)


def test_an_undisturbed_run_counts_what_is_there(undisturbed: tuple[dict[str, Any], Any]) -> None:
    """Totals, dead letters and items are those of the input."""
    result, events = undisturbed
    assert result["items"] == FILES + 8
    assert result["dead_letters"] == sorted([*(f"bad{n}.py" for n in range(6)), "nul.py", "latin.py"])
    assert result["totals"]["package0"] == {"files": 80, "lines": 48000, "functions": 24000, "classes": 0}
    assert events.count(("agent_failed", "bad0.py", 3)) == 1
    assert sum(event == "agent_completed" for event, _, _ in events) == FILES


def test_twenty_kills_change_nothing(sources: Path, undisturbed: tuple[dict[str, Any], Any], tmp_path: Path) -> None:
    """Totals, dead letters and the events of settled items are the same however often the job was killed."""
    waits = delays(20260101)
    session, ran = killed(tmp_path, ["--input", str(sources)], next(waits))
    kills = int(ran)
    while kills < KILLS:
        again, ran = killed(tmp_path, ["--resume", session], next(waits))
        assert again == session
        assert ran, f"the job ended after {kills} kills: make its input larger"
        kills += 1
    result = outcome(tmp_path, "--resume", session)
    expected, events = undisturbed
    for name in ("items", "completed", "dead_letters", "totals"):
        assert result[name] == expected[name]
    assert facts(tmp_path) == events


def test_a_completed_run_is_shown_again_and_nothing_is_written(tmp_path: Path) -> None:
    """Resuming it gives the same object and leaves every file as it was."""
    few = tmp_path / "few"
    few.mkdir()
    (few / "one.py").write_text("class A:\n    async def f(self): ...\n")
    (few / "bad.py").write_text("(")
    root = tmp_path / "root"
    first = outcome(root, "--input", str(few))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = outcome(root, "--resume", first["job_id"])
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    assert first["totals"] == {"one": {"files": 1, "lines": 2, "functions": 1, "classes": 1}}


def test_crash_after_kills_the_job_and_its_workers(sources: Path, tmp_path: Path) -> None:
    """The process ends by SIGKILL, and so do its workers; the next resume finishes."""
    process = subprocess.run(
        command(tmp_path, "--input", str(sources), "--crash-after", "30"), capture_output=True, text=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    session = process.stderr.splitlines()[0]
    with prodigy_storage.open(tmp_path) as store:
        assert store.sessions.get(session).status is SessionStatus.RUNNING
        (lease,) = store.locks.list()
        assert lease.alive is False
    assert outcome(tmp_path, "--resume")["session_id"] == session


def test_an_interrupt_pauses_and_a_second_runner_is_told_who_runs_it(sources: Path, tmp_path: Path) -> None:
    """While it runs, `--resume` exits 4 and names the holder; Ctrl-C then exits 130 and leaves it Paused."""
    with subprocess.Popen(
        command(tmp_path, "--input", str(sources)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        session = process.stderr.readline().strip()
        process.stderr.readline()
        second = subprocess.run(command(tmp_path, "--resume", session), capture_output=True, text=True, check=False)
        assert second.returncode == 4
        problem = json.loads(second.stdout)["diagnostics"][0]
        assert problem["code"] == "locked"
        assert f"pid {process.pid} on {os.uname().nodename} since 20" in problem["message"]
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
    with prodigy_storage.open(tmp_path) as store:
        assert store.sessions.get(session).status is SessionStatus.PAUSED
        assert list(store.locks.list()) == []
    assert outcome(tmp_path, "--resume", session)["items"] == FILES + 8


def test_a_killed_worker_makes_its_attempt_a_failed_one(sources: Path, tmp_path: Path) -> None:
    """The item is retried by another worker, the result stays the same, and the failure is an event."""
    with subprocess.Popen(
        command(tmp_path, "--input", str(sources), "--workers", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        worker = _worker_of(process.pid)
        time.sleep(0.3)
        os.kill(worker, signal.SIGKILL)
        out, _ = process.communicate()
        assert process.returncode == 0
    result = json.loads(out.splitlines()[-1])["data"]
    assert result["completed"] == FILES
    with prodigy_storage.open(tmp_path) as store:
        failures = [
            r
            for r in store.events.query(EventFilter(types=frozenset({"agent_failed"})))
            if "WorkerDied" in str(r.event)
        ]
    assert len(failures) == 1


def _worker_of(pid: int) -> int:
    """The process that the job spawned to parse."""
    for _ in range(400):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        time.sleep(0.01)
    raise AssertionError("no worker was spawned")
