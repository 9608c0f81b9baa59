"""W1: append an event: object built, id, time, encoded, written without a sync."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

import attrs
import orjson
from cattrs.preconf.orjson import make_converter
from harness import JOB, Row, best

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.model.events import AgentStarted
from prodigy_storage.ports.storage import Durability
from prodigy_storage.services.events import EventLogger, Events

COUNT = 10_000
convert = make_converter().unstructure


@attrs.frozen
class PeerRecord:
    """The record of a straightforward implementation."""

    id: str
    timestamp: datetime
    correlation_id: str
    event: AgentStarted
    metadata: dict[str, object]


def ours(logger: EventLogger) -> None:
    """Log through the library, and flush 1000 at a time in the same thread, as the peer does."""
    for number in range(COUNT):
        logger.log(AgentStarted(JOB, "agent-item_1", f"item_{number}", f"mapreduce-agent-{JOB}_agent_1", 1))
        if number % 1000 == 999:
            logger.flush()


def peer(path: Path) -> None:
    """Build, unstructure, dump; write 1000 at a time."""
    metadata = {"host": socket.gethostname(), "pid": os.getpid(), "thread": threading.current_thread().name}
    correlation = str(uuid.uuid4())
    lines: list[bytes] = []
    with path.open("ab", buffering=0) as file:
        for number in range(COUNT):
            event = AgentStarted(JOB, "agent-item_1", f"item_{number}", f"mapreduce-agent-{JOB}_agent_1", 1)
            record = PeerRecord(str(uuid.uuid4()), datetime.now(UTC), correlation, event, metadata)
            lines.append(orjson.dumps(convert(record), option=orjson.OPT_APPEND_NEWLINE))
            if len(lines) == 1000:
                file.write(b"".join(lines))
                lines.clear()


def run() -> list[Row]:
    """Measure both in many short turns; what is opened once for many events is open before."""
    with tempfile.TemporaryDirectory() as folder:
        events = Events(FileStorage(folder), system_runtime())
        logger = events.logger("bench", JOB, durability=Durability.OS, capacity=2000)
        mine, theirs = best(lambda: ours(logger), lambda: peer(Path(folder, "peer.jsonl")), rounds=40)
        events.close()
    return [
        Row(
            name="W1",
            work="append an event, no sync",
            ours=mine,
            peer=theirs,
            peer_name="cattrs + orjson + uuid4",
            limit=3.5,
            units=COUNT,
        )
    ]
