"""C1: save a state of 50 MB durably, against Prodigy's checkpoint, which is pretty and gzip, and not durable."""

from __future__ import annotations

import json
import random
import tempfile
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import original
from harness import JOB, Row, best

import prodigy_storage
from prodigy_storage.model.checkpoints import CheckpointReason, MapCheckpoint
from prodigy_storage.model.jobs import JobState, Outcome, Progress

ITEMS = 10_000
_NOW = datetime.fromtimestamp(time.time(), UTC)
_WORDS = [
    "order",
    "total",
    "negative",
    "validate",
    "customer",
    "invoice",
    "address",
    "update",
    "retry",
    "test",
    "passed",
    "failed",
    "line",
    "file",
]


def outputs() -> list[str]:
    """What the items gave: five kilobytes of words each."""
    chance = random.Random(1)
    return [" ".join(chance.choices(_WORDS, k=770)) for _ in range(ITEMS)]


def ours(number: int, results: list[str]) -> MapCheckpoint:
    """A checkpoint with every item done."""
    done = {
        f"item_{index}": Progress(f"item_{index}", Outcome.DONE, 1, 1741594504814814, 5_320, json.dumps(text).encode())
        for index, text in enumerate(results)
    }
    return MapCheckpoint(
        job_id=JOB,
        session_id="session-bench",
        number=number,
        epoch=1,
        created_at=_NOW,
        reason=CheckpointReason.MANUAL,
        state=JobState(done=done),
    )


def theirs(path: Path, results: list[str]) -> Path:
    """The same for Prodigy, in a file."""
    at = "2025-03-10T08:15:04.814814Z"
    completed = [
        {
            "work_item": {"id": f"item_{index}", "data": None},
            "result": {
                "item_id": f"item_{index}",
                "status": "Success",
                "output": text,
                "commits": [],
                "duration": {"secs": 5, "nanos": 320_000_000},
            },
            "completed_at": at,
        }
        for index, text in enumerate(results)
    ]
    document = {
        "metadata": {
            "checkpoint_id": "cp-bench",
            "job_id": JOB,
            "version": 1,
            "created_at": at,
            "phase": "Map",
            "total_work_items": ITEMS,
            "completed_items": ITEMS,
            "checkpoint_reason": "Manual",
            "integrity_hash": "",
        },
        "execution_state": {"current_phase": "Map", "phase_start_time": at, "workflow_variables": {}},
        "work_item_state": {
            "pending_items": [],
            "in_progress_items": {},
            "completed_items": completed,
            "failed_items": [],
        },
        "agent_state": {"active_agents": {}, "agent_assignments": {}, "agent_results": {}, "resource_allocation": {}},
        "variable_state": {
            "workflow_variables": {},
            "captured_outputs": {},
            "environment_variables": {},
            "item_variables": {},
        },
        "resource_state": {
            "total_agents_allowed": 5,
            "current_agents_active": 0,
            "worktrees_created": [],
            "worktrees_cleaned": [],
        },
        "error_state": {"error_count": 0, "dlq_items": [], "error_threshold_reached": False},
    }
    path.write_text(json.dumps(document), "utf-8")
    return path


def run() -> list[Row]:
    """Save the same state by turns."""
    if not original.available():
        return []
    results = outputs()
    numbers = count(1)
    with tempfile.TemporaryDirectory() as folder, prodigy_storage.open(Path(folder, "ours")) as store:
        document = theirs(Path(folder, "state.json"), results)
        checkpoints = iter([ours(next(numbers), results) for _ in range(3)])
        mine = best(lambda: store.checkpoints.save("bench", next(checkpoints)), rounds=3)[0]
        peer = min(original.seconds("checkpoint", document, Path(folder, "theirs")) for _ in range(3))
    return [Row(name="C1", work="save a state of 50 MB", ours=mine, peer=peer, peer_name=original.NAME, limit=7)]
