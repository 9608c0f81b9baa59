"""W2: append an event, no sync, against the logger of Prodigy itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import original
import w1
from harness import JOB, Row, best

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.ports.storage import Durability
from prodigy_storage.services.events import Events


def run() -> list[Row]:
    """Measure both in many short turns; what is opened once for many events is open before."""
    if not original.available():
        return []
    with tempfile.TemporaryDirectory() as folder:
        events = Events(FileStorage(Path(folder, "ours")), system_runtime())
        logger = events.logger("bench", JOB, durability=Durability.OS, capacity=2000)
        mine = theirs = float("inf")
        for turn in range(20):
            mine = min(mine, *best(lambda: w1.ours(logger), rounds=2))
            theirs = min(theirs, original.seconds("log", Path(folder, f"{turn}.jsonl"), w1.COUNT))
        events.close()
    work = "append an event, no sync"
    return [Row(name="W2", work=work, ours=mine, peer=theirs, peer_name=original.NAME, limit=1.8, units=w1.COUNT)]
