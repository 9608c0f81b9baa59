"""P1: acknowledge one item, durability `os`: against a guarded insert in sqlite3, and a step of DBOS if installed."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import Row

import prodigy_storage
from prodigy_storage.model.checkpoints import CheckpointTrigger

COUNT = 6_000
TURN = 200
_INSERT = "insert into progress select ?, ? where exists (select 1 from lease where name = 'job' and epoch = 1)"


def sqlite(path: Path) -> Callable[[int], None]:
    """The peer: one row for each item, written only while the lease is ours."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = off")
    database.execute("create table lease (name text primary key, epoch int)")
    database.execute("create table progress (item text primary key, result text)")
    database.execute("insert into lease values ('job', 1)")
    return lambda number: void(database.execute(_INSERT, (f"item_{number}", '{"n":1}')))


def void(_: object) -> None:
    """Give nothing back."""


def turns(*works: Callable[[int], None]) -> list[list[float]]:
    """The time of each call, sorted; the works take turns, so that a disturbance meets them alike."""
    times: list[list[float]] = [[] for _ in works]
    for start in range(0, COUNT, TURN):
        for work, mine in zip(works, times, strict=True):
            for number in range(start, start + TURN):
                began = time.perf_counter()
                work(number)
                mine.append(time.perf_counter() - began)
    return [sorted(mine) for mine in times]


def dbos(path: Path) -> float | None:
    """Seconds for a step of DBOS over SQLite; None if it is not installed."""
    try:
        from dbos import DBOS  # noqa: PLC0415  # a peer that need not be there
    except ImportError:
        return None
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "run_admin_server": False})

    @DBOS.step()
    def step(number: int) -> dict[str, int]:
        return {"n": number}

    @DBOS.workflow()
    def workflow() -> float:
        began = time.perf_counter()
        for number in range(500):
            step(number)
        return (time.perf_counter() - began) / 500

    DBOS.launch()
    try:
        return float(workflow())
    finally:
        DBOS.destroy()


def run() -> list[Row]:
    """Measure `run.complete()` and its peers; checkpoints are left out on both sides."""
    trigger = CheckpointTrigger(items=COUNT * 2, seconds=3600)
    with tempfile.TemporaryDirectory() as folder, prodigy_storage.open(Path(folder, "store")) as store:
        with store.runs.start("bench", items=range(COUNT), trigger=trigger) as job:
            attempts = [attempt for _ in range(COUNT) if (attempt := job.claim()) is not None]
            store.events.flush()
            mine, theirs = turns(
                lambda number: job.complete(attempts[number], {"n": 1}), sqlite(Path(folder, "peer.sqlite"))
            )
        rows = [
            Row(
                name="P1",
                work=f"acknowledge an item, {name}",
                ours=mine[int(COUNT * share)],
                peer=theirs[int(COUNT * share)],
                peer_name="guarded insert in sqlite3",
                limit=2.5,
                sense="at most",
            )
            for name, share in (("median", 0.5), ("99th percentile", 0.99))
        ]
        step = dbos(Path(folder, "dbos.sqlite"))
    if step is not None:
        rows.append(
            Row(
                name="P1",
                work="acknowledge an item, median",
                ours=mine[COUNT // 2],
                peer=step,
                peer_name="a step of DBOS on SQLite",
                limit=10,
            )
        )
    return rows
