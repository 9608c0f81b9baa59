"""R2: count a million events by type, without summaries."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import orjson
from harness import JOB, Row, best, events

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.ports.storage import Durability
from prodigy_storage.services.events import Events

COUNT = 1_000_000
WANTED = EventFilter(repo="bench", job=JOB)


def fill(log: Events) -> None:
    """A million events of one job."""
    with log.logger("bench", JOB, durability=Durability.OS) as logger:
        for event in events(COUNT):
            logger.log(event)


def by_orjson(paths: list[Path]) -> Counter[str]:
    """The plain loop."""
    counts: Counter[str] = Counter()
    loads = orjson.loads
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                counts[loads(line)["event"]["event_type"]] += 1
    return counts


def by_polars(paths: list[Path]) -> Counter[str]:
    """A lazy scan of two members, grouped."""
    import polars as pl  # noqa: PLC0415 - only where it is installed

    schema = {"event": pl.Struct({"event_type": pl.String})}
    frame = pl.scan_ndjson([str(path) for path in paths], schema=schema)
    kinds = frame.select(pl.col("event").struct.field("event_type"))
    rows = kinds.group_by("event_type").agg(pl.len()).collect().rows()
    return Counter(dict(rows))


def by_wc(paths: list[Path]) -> None:
    """Count lines only."""
    subprocess.run(["wc", "-l", *map(str, paths)], check=True, stdout=subprocess.DEVNULL)


def run() -> list[Row]:
    """Fill a store, then measure all in turns."""
    with tempfile.TemporaryDirectory() as folder:
        log = Events(FileStorage(folder), system_runtime())
        fill(log)
        paths = sorted(Path(folder).rglob("*.jsonl"))
        found = log.stats(WANTED, times=False).counts
        if found != by_orjson(paths):
            raise AssertionError("the counts differ")
        works = [
            lambda: log.stats(WANTED, times=False),
            lambda: log.stats(WANTED),
            lambda: by_orjson(paths),
            lambda: by_wc(paths),
        ]
        if importlib.util.find_spec("polars"):
            works.append(lambda: by_polars(paths))
        count, stats, loop, lines, *polars = best(*works)
        log.close()
    work = "count 1 M events by type"
    rows = [
        Row(name="R2", work=work, ours=count, peer=loop, peer_name="orjson loop", limit=3.0, units=COUNT),
        Row(name="R2", work=work, ours=count, peer=lines, peer_name="wc -l", limit=7.5, sense="at most", units=COUNT),
        Row(
            name="R2+",
            work=f"{work}, first and last time",
            ours=stats,
            peer=loop,
            peer_name="orjson loop",
            limit=2.0,
            units=COUNT,
        ),
    ]
    rows += [
        Row(name="R2", work=work, ours=count, peer=seconds, peer_name="polars", limit=1.3, units=COUNT)
        for seconds in polars
    ]
    return rows
