import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from file_store import EVENTS, ITEM, PROGRESS, SCOPE, all_items, all_records, line

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Append, Batch, Durability, Put

WORKER = Path(__file__).with_name("kill_worker.py")
ROUNDS = 18
WRITERS = 3


class Oracle:
    """What was acknowledged, and what may be there besides."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def check(self, storage: FileStorage) -> None:
        events, damage = all_records(storage, EVENTS)
        progress, more = all_records(storage, PROGRESS)
        items, unreadable = all_items(storage)
        assert not unreadable
        assert all("torn tail" in one.reason for one in [*damage, *more])
        self.check_events([(one["w"], one["n"], one["k"]) for one in events if one["w"].startswith("w")])
        self.check_batches([(one["w"], one["n"]) for one in progress], {(one["w"], one["n"]) for one in items.values()})

    def check_events(self, events) -> None:
        assert len(events) == len(set(events)), "a record came twice"
        wanted = {(w, n, k) for w, last in self.last.items() for n in range(0, last + 1, 3) for k in range(3)}
        assert wanted <= set(events), "an acknowledged record is lost"
        extra = {(w, n) for w, n, _ in set(events) - wanted}
        assert all(n == self.last.get(w, -1) + 1 for w, n in extra)

    def check_batches(self, progress, items) -> None:
        assert len(progress) == len(set(progress)), "a record came twice"
        done = set(progress)
        assert {(w, n) for w, last in self.last.items() for n in range(2, last + 1, 3)} <= done
        assert {(w, n) for w, n in done if (w, n) not in items} == set(), "half a batch"
        for w, last in self.last.items():
            singles = {n for n in range(1, last + 1, 3) if not (n % 2 == 0 and (w, n + 1) in done)}
            assert {(w, n) for n in singles} <= items, "an acknowledged document is lost"
        assert not {(w, n) for w, n in items if n % 3 == 1 and n % 2 == 0 and (w, n + 1) in done}, "half a batch"


@pytest.mark.kill
def test_killed_writers_lose_and_double_nothing(tmp_path):
    """After SIGKILL at any moment everything acknowledged is there once, no batch is half, and the next call works."""
    draw = random.Random(20)
    oracle = Oracle()
    for turn in range(ROUNDS):
        names = [f"w{turn}x{index}" for index in range(WRITERS)]
        running = [
            (name, subprocess.Popen([sys.executable, WORKER, tmp_path / "root", name], stdout=subprocess.PIPE))
            for name in names
        ]
        for _, process in running:
            process.stdout.readline()
        for _, process in running:
            time.sleep(draw.uniform(0.0, 0.12))
            process.send_signal(signal.SIGKILL)
        for name, process in running:
            lines = process.stdout.read().split(b"\n")[:-1]
            process.wait()
            process.stdout.close()
            oracle.last[name] = int(lines[-1]) if lines else 0
        if turn % 8 == 7 or turn == ROUNDS - 1:
            storage = FileStorage(tmp_path / "root", lock_timeout=5)
            oracle.check(storage)
            storage.commit(Batch(SCOPE, [Append(EVENTS, line(n=0, w=f"m{turn}", k=0))], Durability.GROUP))
            storage.commit(Batch(SCOPE, [Put(ITEM, "mine", line(n=0, w=f"m{turn}"))]))
            oracle.check_events(
                [(r["w"], r["n"], r["k"]) for r in all_records(storage, EVENTS)[0] if not r["w"].startswith("m")]
            )
            storage.close()
            FileStorage(tmp_path / "root").close()
