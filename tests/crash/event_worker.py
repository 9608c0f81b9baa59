"""A process that is killed: appends events for ever, or cleans them, and prints what was acknowledged.

It imports as little as it can: most of the time of these tests goes into starting it.
"""

from __future__ import annotations

import json
import os
import sys
import time

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Append, Batch, Durability, Stream

EVENTS = Stream("events", lambda _: 0)


def event(name: str, number: int, part: int) -> bytes:
    """A line as the library writes it."""
    record = {
        "id": f"{name}/{number}/{part}",
        "timestamp": "2025-01-01T00:00:00.000000Z",
        "correlation_id": name,
        "event": {"event_type": "tick", "n": number, "pad": "x" * (number * 37 % 700)},
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def log(root: str, name: str) -> None:
    """Append for ever; the number of each acknowledged append is printed."""
    storage = FileStorage(root, max_file_size=20_000)
    for number in range(1_000_000):
        data = b"".join(event(name, number, part) for part in range(3))
        storage.commit(Batch(("repo", "job"), [Append(EVENTS, data)], Durability.OS))
        os.write(1, b"%d\n" % number)
        time.sleep(0.002)


def clean(root: str, most: str) -> None:
    """Clean again and again, each time a little more."""
    from prodigy_storage.adapters.files.archives import ArchiveFolder  # noqa: PLC0415
    from prodigy_storage.model.event_cleaning import EventLimits  # noqa: PLC0415
    from prodigy_storage.store import Store  # noqa: PLC0415

    store = Store(FileStorage(root))
    os.write(1, b"ready\n")
    for keep in range(int(most), 0, -40):
        store.events.clean(EventLimits(max_events=keep), archive=ArchiveFolder(f"{root}-archive"))
        os.write(1, b"%d\n" % keep)


if __name__ == "__main__":
    {"log": log, "clean": clean}[sys.argv[1]](*sys.argv[2:])
