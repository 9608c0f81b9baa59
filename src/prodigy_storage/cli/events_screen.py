"""How events look: one line each, and bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import humanize
from rich.text import Text

from prodigy_storage.cli.tables import Cell, Column, clean, cut, table
from prodigy_storage.cli.times import clock, local, milliseconds, span
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.model.event_stats import EventStats
from prodigy_storage.model.events import (
    AgentCompleted,
    AgentFailed,
    AgentProgress,
    AgentRetrying,
    AgentStarted,
    CheckpointCreated,
    CheckpointLoaded,
    DLQItemAdded,
    Event,
    EventRecord,
    JobCompleted,
    JobPaused,
    JobResumed,
    JobStarted,
    UnknownEvent,
)

_WIDE = 120
_MAX_BAR = 32
_TYPE = 18
_SUBJECT = 14
_EIGHTHS = " ▏▎▍▌▋▊▉█"

_DETAILS: Mapping[type[Event], Callable[[Any], str]] = {
    AgentStarted: lambda event: f"attempt {event.attempt}",
    AgentProgress: lambda event: event.step,
    AgentCompleted: lambda event: milliseconds(event.duration.seconds * 1000),
    AgentFailed: lambda event: event.error,
    AgentRetrying: lambda event: f"attempt {event.attempt} in {milliseconds(event.backoff_ms)}",
    CheckpointCreated: lambda event: f"number {event.version}, {event.agents_completed:,} completed",
    CheckpointLoaded: lambda event: f"number {event.version}",
    DLQItemAdded: lambda event: f"{event.failure_count} failures: {event.error_signature}",
    JobStarted: lambda event: f"{event.total_items:,} items",
    JobPaused: lambda event: f"at checkpoint {event.checkpoint_version}",
    JobResumed: lambda event: f"{event.pending_items:,} items to do, from checkpoint {event.checkpoint_version}",
    JobCompleted: lambda event: (
        f"{event.success_count:,} completed, {event.failure_count:,} failed, {span(event.duration.seconds)}"
    ),
}
_STYLES = {"completed": "green", "failed": "red", "retrying": "yellow", "paused": "yellow", "added": "red"}


def lines(records: Sequence[EventRecord], width: int, now: datetime) -> list[Text]:
    """A line for each record: when, what, of what, and the detail that matters."""
    today = {local(record.timestamp).date() for record in records} == {local(now).date()}
    wide = width >= _WIDE
    columns = [
        Column(title=""),
        Column(title=""),
        Column(title="", cut="middle", least=12),
        *([Column(title="")] if wide else []),
        Column(title="", cut="end", least=16),
    ]
    several = len({record.job_id for record in records if record.job_id}) > 1
    rows = [_row(record, today=today, wide=wide, several=several) for record in records]
    return table(columns, rows, width, indent=0)


def alone(record: EventRecord, width: int, now: datetime) -> str:
    """The line of a record whose neighbours are not known yet."""
    subject = cut(clean(_subject(record, several=True)), _SUBJECT, "middle")
    when = local(record.timestamp)
    today = when.date() == local(now).date()
    time = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}" if today else f"{when:%m-%d %H:%M} "
    head = f"{time}  {clean(record.event_type):{_TYPE}}  {subject:{_SUBJECT}}  "
    return (head + cut(clean(_detail(record.event)), max(16, width - len(head)))).rstrip()


def _row(record: EventRecord, *, today: bool, wide: bool, several: bool) -> list[Cell]:
    when = local(record.timestamp)
    time = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}" if today else f"{when:%Y-%m-%d %H:%M:%S}"
    style = _STYLES.get(record.event_type.rpartition("_")[2], "")
    who = [f"pid {record.metadata['pid']}" if "pid" in record.metadata else ""] if wide else []
    return [time, (record.event_type, style), _subject(record, several=several), *who, _detail(record.event)]


def _subject(record: EventRecord, *, several: bool) -> str:
    """The item, else the agent, else the job if there are several."""
    item = getattr(record.event, "item_id", None) or record.metadata.get("item_id")
    return str(item or (record.agent_id or "").removeprefix("agent-") or (several and record.job_id) or "")


def _detail(event: Event) -> str:
    describe = _DETAILS.get(type(event))
    if describe is not None:
        return describe(event)
    fields = event.fields if isinstance(event, UnknownEvent) else attrs.asdict(event, recurse=False)
    hidden = ("event_type", "job_id", "agent_id", "item_id")
    return " ".join(f"{name}={value}" for name, value in fields.items() if name not in hidden)


def bars(found: EventStats, group_by: str, width: int, block: str) -> Iterator[Text]:
    """A bar of blocks for each value, and the sums."""
    longest = min(_MAX_BAR, max(8, width // 3))
    most = max(found.counts.values(), default=0)
    columns = (
        Column(title="", cut="middle", least=16),
        Column(title="", right=True),
        Column(title="", right=True),
        Column(title=""),
    )
    rows: list[Sequence[Cell]] = [
        [name or f"(no {group_by})", f"{count:,}", f"{count / found.total:.1%}", _bar(count / most * longest, block)]
        for name, count in found.counts.items()
    ]
    yield from table(columns, rows, width, indent=0)
    if found.total:
        yield Text(clean(_sum(found)))


def _bar(cells: float, block: str) -> str:
    if block != "█":
        return block * max(1, round(cells))
    eighths = max(1, round(cells * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _sum(found: EventStats) -> str:
    parts = [counted(found.total, "event"), counted(found.jobs, "job")]
    if found.first and found.last:
        parts.append(clock((found.last - found.first).total_seconds()))
    return ", ".join([*parts, humanize.naturalsize(found.size)])
