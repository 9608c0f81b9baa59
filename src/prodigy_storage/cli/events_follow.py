"""`events follow`: every event once, as it happens."""

from __future__ import annotations

from typing import Any

import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import events_screen
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.events_options import filtered, reading
from prodigy_storage.cli.interrupts import INTERRUPTED
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.model.events import EventRecord
from prodigy_storage.ports.storage import Damage

_SHOWN = 10


@click.command(
    "follow",
    epilog=example("events follow", "events follow --job-id JOB --event-type agent_failed", "events follow --json"),
)
@filtered
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"Begin with the newest N that exist (default: {_SHOWN}, with --since all of them).",
)
@click.option("--poll", metavar="SECONDS", type=click.FloatRange(min=0.01), default=0.25, help="How often to look.")
@common
@pass_settings
def follow(settings: Settings, /, limit: int | None, poll: float, **chosen: Any) -> None:
    """Show events as they happen, until Ctrl-C; those of jobs that begin later too.

    With --json each line is one record as it is stored. What cannot be read is told on stderr.
    """
    if limit is None and chosen["since"] is None:
        limit = _SHOWN
    show = _raw if settings.json else _line(settings.console().width)
    with reading(settings, chosen, limit=limit, growing=True) as source:
        try:
            for record in source.reader.follow(source.wanted, poll=poll, on_damage=_tell):
                show(record)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


def _tell(damage: Damage) -> None:
    say(Diagnostic.of_damage(damage).line())


def _raw(record: EventRecord) -> None:
    assert record.raw is not None  # it was read
    print(record.raw.decode(), flush=True)


def _line(width: int) -> Any:
    def show(record: EventRecord) -> None:
        print(events_screen.alone(record, width, SystemClock().now()), flush=True)

    return show
