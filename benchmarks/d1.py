"""D1: add a dead letter to ten thousand, durably, against Prodigy itself, which lists all of them each time."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import original
from harness import JOB, Row, best

import prodigy_storage
from prodigy_storage.model.dead_letters import DeadLetter, ErrorType, Failure
from prodigy_storage.ports.storage import Durability

PRESENT = 10_000
ADDED = 100
_AT = datetime(2025, 3, 10, 8, 15, 4, tzinfo=UTC)
_DATA = {"path": "src/orders/validate.rs", "lines": 120, "reason": "the total may be negative"}
_MESSAGE = (
    "command failed: cargo test --package orders: test orders::validate::negative_total failed with exit code 101"
)


def letter(number: int) -> DeadLetter:
    """A dead letter with one failure."""
    failure = Failure(
        attempt_number=1,
        timestamp=_AT,
        error_type=ErrorType("CommandFailed", 101),
        error_message=_MESSAGE,
        agent_id=f"agent-item_{number}",
        step_failed="agent_execution",
        duration_ms=5_320,
    )
    return DeadLetter.of(f"item_{number}", _DATA, [failure])


def sample(path: Path) -> Path:
    """The same for Prodigy, in a file."""
    failure = {
        "attempt_number": 1,
        "timestamp": _AT.isoformat(),
        "error_type": {"CommandFailed": {"exit_code": 101}},
        "error_message": _MESSAGE,
        "stack_trace": None,
        "agent_id": "agent-item_1",
        "step_failed": "agent_execution",
        "duration_ms": 5_320,
    }
    item = {
        "item_id": "item_1",
        "item_data": _DATA,
        "first_attempt": _AT.isoformat(),
        "last_attempt": _AT.isoformat(),
        "failure_count": 1,
        "failure_history": [failure],
        "error_signature": letter(1).error_signature,
        "worktree_artifacts": None,
        "reprocess_eligible": True,
        "manual_review_required": False,
    }
    path.write_text(json.dumps(item), "utf-8")
    return path


def run() -> list[Row]:
    """Fill both queues, then add some more; Prodigy's are not synced, ours are neither, and then are."""
    if not original.available():
        return []
    with tempfile.TemporaryDirectory() as folder, prodigy_storage.open(Path(folder, "ours")) as store:
        numbers = count()

        def add(letters: int, durability: Durability) -> None:
            for _ in range(letters):
                store.dlq.add("bench", JOB, letter(next(numbers)), durability=durability)

        add(PRESENT, Durability.OS)
        loose, durable = best(lambda: add(ADDED, Durability.OS), lambda: add(ADDED, Durability.FULL))
        item = sample(Path(folder, "item.json"))
        theirs = original.seconds("dead-letters", Path(folder, "theirs"), item, PRESENT, ADDED)
    return [
        Row(name="D1", work=work, ours=mine, peer=theirs, peer_name=original.NAME, limit=100, units=ADDED)
        for work, mine in (
            (f"add a dead letter to {PRESENT}, no sync", loose),
            (f"add a dead letter to {PRESENT}, durably", durable),
        )
    ]
