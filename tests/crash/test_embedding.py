"""The embedding example, killed again and again, with a list of acknowledged items as oracle."""

from __future__ import annotations

import collections
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import prodigy_storage
from prodigy_storage.model.event_filter import EventFilter

ITEMS = 300
KILLS = 20
PROGRAM = Path(__file__).with_name("embedding.py")
SETTLING = {"agent_started", "agent_completed", "agent_failed", "agent_retrying", "d_l_q_item_added"}

pytestmark = pytest.mark.kill


def run(root: Path, threads: int, session: str | None, delay: float | None) -> list[str]:
    """Run the program, to its end or for `delay` seconds after its first line; every line that it said."""
    arguments = [sys.executable, str(PROGRAM), str(root), str(threads), *([session] if session else [])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        killer = threading.Timer(delay, process.kill) if delay is not None else None
        if killer:
            killer.start()
        rest, errors = process.communicate()
        if killer:
            killer.cancel()
        assert process.returncode == (0 if delay is None else -9), errors
        return [first.strip(), *rest.splitlines()]


@pytest.mark.parametrize("threads", [1, 4])
def test_no_acknowledged_item_is_lost_or_done_again(threads: int, tmp_path: Path) -> None:
    """Twenty kills: what was acknowledged is never tried again, and in the end everything is settled once."""
    draw = random.Random(threads)
    acknowledged: set[tuple[str, str]] = set()
    settled: set[str] = set()
    session: str | None = None
    for kill in [*range(KILLS), None]:
        delay = None if kill is None else draw.uniform(0.0, 0.05 / threads)
        lines = run(tmp_path, threads, session, delay)
        session = session or lines[0]
        tried = [line.split()[1] for line in lines if line.startswith("try ")]
        assert not settled & set(tried), "an acknowledged item was done again"
        for line in lines:
            if line.startswith("ack "):
                _, item, number = line.split()
                assert (item, number) not in acknowledged
                acknowledged.add((item, number))
                if int(item.removeprefix("item_")) % 10 != 3 or number == "2":
                    settled.add(item)
    assert lines[-1] == str(sum(n**2 for n in range(ITEMS) if n % 10 != 3))
    _check(tmp_path, session or "")


def _check(root: Path, session: str) -> None:
    bad = {f"item_{n}" for n in range(ITEMS) if n % 10 == 3}
    with prodigy_storage.open(root) as store:
        letters = store.dlq.list("embedded").values
        assert {letter.item_id: letter.failure_count for letter in letters} == dict.fromkeys(bad, 2)
        data = store.sessions.get(session).mapreduce_data
        assert data is not None
        assert (data.processed_items, data.failed_items) == (ITEMS, len(bad))
        records = {record.id: record for record in store.events.query(EventFilter())}
    seen = collections.Counter(
        (r.event_type, r.metadata["item_id"], r.metadata["attempt"])
        for r in records.values()
        if r.event_type in SETTLING
    )
    expected = collections.Counter(
        [("agent_started", f"item_{n}", 1) for n in range(ITEMS)]
        + [("agent_completed", f"item_{n}", 1) for n in range(ITEMS) if f"item_{n}" not in bad]
        + [("agent_started", item, 2) for item in bad]
        + [("agent_failed", item, number) for item in bad for number in (1, 2)]
        + [("agent_retrying", item, 1) for item in bad]
        + [("d_l_q_item_added", item, 2) for item in bad]
    )
    assert seen == expected
