"""Events followed and cleaned while processes die."""

import gzip
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage, upkeep
from prodigy_storage.adapters.files.archives import ArchiveFolder
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.model.event_cleaning import EventLimits
from prodigy_storage.model.events import UnknownEvent
from prodigy_storage.ports.storage import Batch, Trim
from prodigy_storage.store import Store

WORKER = Path(__file__).with_name("event_worker.py")
JOB = ("repo", "job")
WRITERS = 5
KILLS = 5


def started(*words):
    process = subprocess.Popen([sys.executable, WORKER, *map(str, words)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def killed(process):
    """Kill, and give every whole line that was printed since the first one."""
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().split(b"\n")[:-1]
    process.wait()
    process.stdout.close()
    return lines


class Watcher(threading.Thread):
    """Follows in a thread of its own."""

    def __init__(self, root):
        super().__init__()
        self.store = Store(FileStorage(root))
        self.damage = []
        self.follower = self.store.events.follow(poll=0.01, on_damage=self.damage.append)
        self.seen = Counter()

    def run(self):
        for record in self.follower:
            self.seen[record.id] += 1

    @property
    def cursor(self):
        """Behind everything that was read so far."""
        place = self.follower._places.get(JOB)
        return place.cursor if place else None


@pytest.mark.kill
def test_a_follower_sees_every_acknowledged_event_once(tmp_path, monkeypatch):
    """While writers come and are killed, segments rotate and are compressed, and what was seen is trimmed."""
    monkeypatch.setattr(upkeep, "GRACE_NS", 20_000_000)
    draw = random.Random(5)
    root = tmp_path / "root"
    watcher = Watcher(root)
    watcher.start()
    tidy = FileStorage(root)
    running, acknowledged, forms = {}, set(), set()
    try:
        for turn in range(WRITERS + 2):
            if turn < WRITERS:
                running[f"w{turn}"] = started("log", root, f"w{turn}")
            for _ in range(4):
                time.sleep(draw.uniform(0.0, 0.03))
                tidy.maintain(time.monotonic() + 0.05)
                forms |= {path.suffix for path in (root / "events/repo/job").iterdir()}
                if watcher.cursor is not None:
                    tidy.commit(Batch(JOB, [Trim(EVENTS, watcher.cursor)]))
            if turn >= 2 and running:
                name = draw.choice(sorted(running))
                last = int((killed(running.pop(name)) or [b"0"])[-1])
                acknowledged |= {f"{name}/{number}/{part}" for number in range(last + 1) for part in range(3)}
        for _ in range(3000):
            if acknowledged <= watcher.seen.keys():
                break
            time.sleep(0.01)
    finally:
        for process in running.values():
            killed(process)
        watcher.follower.stop()
        watcher.join()
        tidy.close()
        watcher.store.close()
    assert acknowledged <= watcher.seen.keys(), "an acknowledged event was missed"
    assert set(watcher.seen.values()) == {1}, "an event was seen twice"
    assert all("torn tail" in one.reason for one in watcher.damage)
    assert len(acknowledged) > 500
    assert ".zst" in forms, "nothing was compressed"
    numbers = [int(path.name.split("-")[2]) for path in (root / "events/repo/job").iterdir()]
    assert len(numbers) < max(numbers), "nothing was trimmed"


def numbers(lines):
    return [json.loads(line)["event"]["n"] for line in lines]


def archived(folder):
    return [
        n for path in folder.glob("events_archive_*") for n in numbers(gzip.decompress(path.read_bytes()).splitlines())
    ]


@pytest.mark.kill
def test_a_killed_cleaning_loses_and_doubles_nothing(tmp_path):
    """Killed at any moment and run again: the newest stay, the archives and the rest are everything, once."""
    draw = random.Random(11)
    root, total = tmp_path / "root", 4000
    with Store(FileStorage(root, max_file_size=60_000)) as store, store.events.logger(*JOB) as logger:
        for number in range(total):
            logger.log(UnknownEvent("tick", {"n": number}))
            if number % 130 == 0:
                logger.flush()
    most = total
    for _ in range(KILLS):
        process = started("clean", root, most)
        time.sleep(draw.uniform(0.0, 0.3))
        most = min([most, *map(int, killed(process))])
        with Store(FileStorage(root)) as store:
            left = [record.event.fields["n"] for record in store.events.query()]
        assert left == list(range(total - len(left), total)), "the newest did not stay"
        assert set(range(total)) == {*left, *archived(tmp_path / "root-archive")}, "an event is lost"
    with Store(FileStorage(root)) as store:
        store.events.clean(EventLimits(max_events=50), archive=ArchiveFolder(tmp_path / "root-archive"))
        found = store.events.query()
        assert [record.event.fields["n"] for record in found] == list(range(total - 50, total))
        assert found.damage == []
        assert store.events.clean(EventLimits(older_than=timedelta(days=1))) == []
    assert most < total, "nothing was cleaned before a kill"
    assert sorted(archived(tmp_path / "root-archive")) == list(range(total - 50)), "an event was archived twice"
    assert not list((tmp_path / "root-archive").glob(".*"))
