"""`events`: what happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, cast

import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import events_screen, times
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.values import time_text
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.event_stats import CountBy, EventStats
from prodigy_storage.model.events import EVENT_TYPES, EventRecord, canonical_type
from prodigy_storage.ports.storage import Damage
from prodigy_storage.store import Store

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Verbs, aliases={"list": "ls"}, epilog=example("events ls --since 2h", "events stats"))
@common
def events() -> None:
    """List and count what happened."""


def _since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    try:
        return times.since(value, SystemClock().now())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_FILTERS = (
    click.option("--since", metavar="TIME", callback=_since, help=f"Not older than TIME: {times.ALLOWED}."),
    click.option("--correlation-id", metavar="ID", help="What belongs to one run."),
    click.option("--agent-id", metavar="ID", help="Of one agent."),
    click.option("--event-type", metavar="TYPE", multiple=True, help="Of this type; may be given several times."),
    click.option("--job-id", metavar="ID", help="Of one job, by its id or that of its session."),
    click.option("--repo", metavar="NAME", help="Of one project."),
)


def _filters(command: F) -> F:
    for option in _FILTERS:
        command = option(command)
    return command


def _wanted(store: Store, chosen: dict[str, Any], *, limit: int | None = None) -> EventFilter:
    return EventFilter(
        repo=chosen["repo"],
        job=job_named(store, chosen["job_id"]),
        types=frozenset(chosen["event_type"]),
        agent_id=chosen["agent_id"],
        correlation_id=chosen["correlation_id"],
        since=chosen["since"],
        limit=limit,
    )


@events.command(
    "ls", epilog=example("events ls --since 30", "events ls --event-type agent_failed --limit 20", "events ls --json")
)
@_filters
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=100, show_default=True, help="The newest N.")
@common
@pass_settings
def ls(settings: Settings, /, limit: int, **chosen: Any) -> None:
    """List events, the newest last."""
    damage: list[Damage] = []
    with settings.open() as store:
        records = list(store.events.query(_wanted(store, chosen, limit=limit), on_damage=damage.append))
        known = [*EVENT_TYPES, *store.events.codec.types.classes]

    def show(out: Console) -> None:
        for line in events_screen.lines(records, out.width, SystemClock().now()):
            out.print(line, soft_wrap=True)
        if records:
            which = (
                f"the newest {limit:,} (--limit {limit})"
                if len(records) == limit
                else f"{len(records):,} event{'s'[: len(records) != 1]}"
            )
            say(f"{which[0].upper()}{which[1:]}, times in {times.local(records[-1].timestamp):%Z}.")
        if not records and limit:
            _nothing(settings, chosen, known)

    settings.answer({"events": [_stored(record) for record in records]}, damage, show)


def _stored(record: EventRecord) -> Any:
    assert record.raw is not None  # it was read
    return json.loads(record.raw)


def _nothing(settings: Settings, chosen: dict[str, Any], known: Sequence[str]) -> None:
    for name in chosen["event_type"]:
        if canonical_type(name) not in known:
            near = get_close_matches(canonical_type(name), known, n=1)
            say(f"{name} is no built-in type of event{f'; did you mean {near[0]}?' if near else '.'}")
    if any(chosen.values()):
        say("No events fit.")
    else:
        say(f"No events yet. Start something that makes some: {settings.command('demo')}")


@events.command("stats", epilog=example("events stats", "events stats --group-by job_id", "events stats --since 1h"))
@click.option(
    "--group-by",
    type=click.Choice(["event_type", "job_id", "agent_id"]),
    default="event_type",
    show_default=True,
    help="What to count by.",
)
@_filters
@common
@pass_settings
def stats(settings: Settings, /, group_by: str, **chosen: Any) -> None:
    """Count events, the most frequent first."""
    damage: list[Damage] = []
    with settings.open() as store:
        found = store.events.stats(_wanted(store, chosen), by=cast("CountBy", group_by), on_damage=damage.append)
        known = [*EVENT_TYPES, *store.events.codec.types.classes]

    def show(out: Console) -> None:
        if not found.total:
            _nothing(settings, chosen, known)
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
