"""R1: statistics of a million events, against Prodigy itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import original
import r2
from harness import Row, best

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.services.events import Events


def run() -> list[Row]:
    """Fill a store, then let both count."""
    if not original.available():
        return []
    with tempfile.TemporaryDirectory() as folder:
        log = Events(FileStorage(folder), system_runtime())
        r2.fill(log)
        places = {path.parent for path in Path(folder).rglob("*.jsonl") if "events" in path.parts}
        mine = best(lambda: log.stats(r2.WANTED))[0]
        theirs = min(sum(original.seconds("aggregate", place) for place in places) for _ in range(2))
        log.close()
    work = "statistics of 1 M events"
    return [Row(name="R1", work=work, ours=mine, peer=theirs, peer_name=original.NAME, limit=5000, units=r2.COUNT)]
