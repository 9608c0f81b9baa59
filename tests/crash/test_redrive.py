"""Retriers that are killed, and several at once: each item run by one at a time, none lost, none run after its success."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

import prodigy_storage
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import UNKNOWN
from prodigy_storage.model.redrives import RedriveStatus, TrialOutcome

PROGRAM = Path(sys.executable).with_name("prodigy-storage")
ITEMS = 40
KILLS = 6

pytestmark = pytest.mark.kill


def fill(root):
    with prodigy_storage.open(str(root)) as store:
        for number in range(ITEMS):
            failure = Failure(
                attempt_number=1, timestamp=datetime.now(UTC), error_type=UNKNOWN, error_message="no", session_id="s"
            )
            store.dlq.add("repo", "job", DeadLetter.of(f"item_{number}", {"n": number}, [failure]))


def command(log, seconds):
    """Write down when an item begins and ends; each line is one write."""
    item = """item=$(sed 's/.*"item_id": "\\([^"]*\\)".*/\\1/')"""
    return f'{item}; echo "begin $item" >> {log}; sleep {seconds}; echo "end $item" >> {log}'


def retrier(root, log, seconds, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRODIGY_")}
    arguments = [PROGRAM, "dlq", "retry", "--root", root, "--parallel", "3", "--exec", command(log, seconds), *words]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)


def lines(log):
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def test_two_retriers_never_run_one_item_at_once(tmp_path):
    """Both work on one queue: every item is run, none by both at a time, and the queue is empty in the end."""
    root, log = tmp_path / "root", tmp_path / "log"
    fill(root)
    both = [retrier(root, log, 0.01) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=100)
        assert process.returncode in (0, 6), errors  # 6: the other one had the item
    running = Counter()
    for what, item in lines(log):
        running[item] += 1 if what == "begin" else -1
        assert running[item] in (0, 1), f"{item} was run twice at once"
    assert Counter(item for what, item in lines(log) if what == "begin") == {f"item_{n}": 1 for n in range(ITEMS)}
    with prodigy_storage.open(str(root)) as store:
        assert store.dlq.list().values == []
        views = [store.redrives.show(one.id) for one in store.redrives.list().values]
        assert sum(view.counts["done"] for view in views) == ITEMS
        assert store.events.stats().counts["d_l_q_item_removed"] == ITEMS


def test_a_killed_retrier_goes_on_where_it_was(tmp_path):
    """Killed again and again, then resumed: every item ends done, and none is run after its success was recorded."""
    root, draw = tmp_path / "root", random.Random(7)
    fill(root)
    id, done = None, set()
    for kill in [*range(KILLS), None]:
        log = tmp_path / f"log-{kill}"
        with retrier(root, log, 0.02, *(["--resume", id] if id else [])) as process:
            said = []
            while not (said and said[-1].startswith("redrive-")):
                said.append(process.stderr.readline().strip())
                assert said[-1], said
            id = id or said[-1]
            killer = threading.Timer(draw.uniform(0.0, 0.25), process.kill) if kill is not None else None
            if killer:
                killer.start()
            _, errors = process.communicate(timeout=100)
            assert process.returncode in ((0, -9) if killer else (0,)), errors
        begun = {item for what, item in lines(log) if what == "begin"}
        assert not begun & done, "an item was run after its success had been recorded"
        with prodigy_storage.open(str(root)) as store:
            view = store.redrives.show(id)
            assert not view.damage
            done = {item for item, last in view.state.last.items() if last.outcome is TrialOutcome.DONE}
            left = {one.item_id for one in store.dlq.list().values}
            assert done | left == {f"item_{n}" for n in range(ITEMS)}
            assert not done & left
    assert view.redrive.status is RedriveStatus.COMPLETED
    assert len(done) == ITEMS
