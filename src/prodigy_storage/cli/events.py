"""`events`: what happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import events_screen, times
from prodigy_storage.cli.events_options import filtered, nothing, reading
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.codecs.values import time_text
from prodigy_storage.model.event_stats import CountBy, EventStats
from prodigy_storage.model.events import EventRecord
from prodigy_storage.ports.storage import Damage

_LAZY = {
    "follow": ("prodigy_storage.cli.events_follow:follow", "Show events as they happen."),
    "export": ("prodigy_storage.cli.events_export:export", "Write events as JSON, CSV, Markdown or Parquet."),
    "clean": ("prodigy_storage.cli.events_clean:clean", "Remove the oldest events, or move them to an archive."),
}


@click.group(
    cls=Verbs,
    lazy=_LAZY,
    aliases={"list": "ls", "tail": "follow"},
    epilog=example("events ls --since 2h", "events stats", "events search 'timeout|refused'", "events follow"),
)
@common
def events() -> None:
    """List, count, search, follow, export and clean what happened."""


_LIMIT = click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), default=100, show_default=True, help="The newest N."
)


@events.command(
    "ls", epilog=example("events ls --since 30", "events ls --event-type agent_failed --limit 20", "events ls --json")
)
@filtered
@_LIMIT
@common
@pass_settings
def ls(settings: Settings, /, limit: int, **chosen: Any) -> None:
    """List events, the newest last."""
    damage: list[Damage] = []
    with reading(settings, chosen, limit=limit) as source:
        records = list(source.reader.query(source.wanted, on_damage=damage.append))

    def show(out: Console) -> None:
        _show(out, records, limit)
        if not records and limit:
            nothing(settings, chosen, source.known)

    settings.answer({"events": stored(records)}, damage, show)


@events.command(
    "search",
    epilog=example(
        "events search 'timeout|refused'",
        "events search --fields error,metadata.item_id '(?i)syntax'",
        "events search --file archive.jsonl.gz item_7",
    ),
)
@click.argument("pattern")
@click.option("--fields", metavar="A,B", help="Look only there: members of the event (error) or the record.")
@filtered
@_LIMIT
@common
@pass_settings
def search(settings: Settings, /, pattern: str, fields: str | None, limit: int, **chosen: Any) -> None:
    """Find events by a regular expression.

    Without --fields the whole stored line is searched. Fields are dotted names: error, metadata.pid. Patterns are those
    of RE2, without look-around and back-references: none takes for ever.
    """
    damage: list[Damage] = []
    names = fields.split(",") if fields is not None else ()
    with reading(settings, chosen, limit=limit) as source:
        found = source.reader.search(pattern, source.wanted, fields=names, on_damage=damage.append)
        records = list(found)

    def show(out: Console) -> None:
        _show(out, records, limit)
        if not records and limit:
            nothing(settings, chosen, source.known, searched=True)

    settings.answer({"pattern": pattern, "events": stored(records)}, damage, show)


def _show(out: Console, records: Sequence[EventRecord], limit: int) -> None:
    for line in events_screen.lines(records, out.width, SystemClock().now()):
        out.print(line, soft_wrap=True)
    if records:
        which = f"The newest {limit:,} (--limit {limit})" if len(records) == limit else counted(len(records), "event")
        say(f"{which}, times in {times.local(records[-1].timestamp):%Z}.")


def stored(records: Sequence[EventRecord]) -> list[Any]:
    """The records as they are on disk."""
    return [json.loads(record.raw) for record in records if record.raw is not None]


@events.command("stats", epilog=example("events stats", "events stats --group-by job_id", "events stats --since 1h"))
@click.option(
    "--group-by",
    type=click.Choice(["event_type", "job_id", "agent_id"]),
    default="event_type",
    show_default=True,
    help="What to count by.",
)
@filtered
@common
@pass_settings
def stats(settings: Settings, /, group_by: str, **chosen: Any) -> None:
    """Count events, the most frequent first."""
    damage: list[Damage] = []
    with reading(settings, chosen) as source:
        found = source.reader.stats(source.wanted, by=cast("CountBy", group_by), on_damage=damage.append)

    def show(out: Console) -> None:
        if not found.total:
            nothing(settings, chosen, source.known)
        for line in events_screen.bars(found, group_by, out.width, "█" if out.encoding.startswith("utf") else "#"):
            out.print(line, soft_wrap=True)

    settings.answer(_numbers(found, group_by), damage, show)


def _numbers(found: EventStats, group_by: str) -> dict[str, Any]:
    return {
        "group_by": group_by,
        "counts": dict(found.counts),
        "total": found.total,
        "jobs": found.jobs,
        "first": time_text(found.first) if found.first else None,
        "last": time_text(found.last) if found.last else None,
        "bytes": found.size,
    }
