"""`logs`: what orchestrators said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs
import click
from rich.console import Console
from rich.text import Text

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import times
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Column, clean, table
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.values import time_text
from prodigy_storage.model.logs import LEVELS, LogRecord, LogSession
from prodigy_storage.ports.storage import Damage

_STYLES = {"warning": "yellow", "error": "red", "critical": "red"}
_COLUMNS = (Column(title="project", cut="end"), Column(title="log"), Column(title="lines", right=True))


def _since(text: str) -> datetime:
    return times.since(text, SystemClock().now())


@click.command(
    epilog=example("logs", "logs --repo shop --since 2h --level warning", "logs --latest --tail 20", "logs --summary")
)
@click.argument("log", required=False)
@click.option("--repo", metavar="NAME", help="Of one project.")
@click.option("--latest", is_flag=True, help="Only the log that was started last.")
@click.option("--since", metavar="TIME", callback=value(_since), help=f"Not older than TIME: {times.ALLOWED}.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Of this level and the graver ones.")
@click.option(
    "--tail", metavar="N", type=click.IntRange(min=0), default=100, show_default=True, help="The newest N lines."
)
@click.option("--summary", is_flag=True, help="Only which logs there are, with their number of lines.")
@common
@pass_settings
def logs(
    settings: Settings,
    *,
    log: str | None,
    repo: str | None,
    latest: bool,
    since: datetime | None,
    level: str,
    tail: int,
    summary: bool,
) -> None:
    """Show what orchestrators said, the newest last; of LOG (`20250131_120000`) or of all."""
    damage: list[Damage] = []
    with settings.open() as store:
        sessions = [one for one in store.logs.list(repo) if log in (None, one.name)][-1 if latest else 0 :]

        def read(of: Sequence[LogSession], limit: int | None) -> list[LogRecord]:
            return list(store.logs.read(of, since=since, level=level, limit=limit, on_damage=damage.append))

        counts = [len(read([one], None)) for one in sessions] if summary else []
        records = [] if summary else read(sessions, tail)
    found = [{**attrs.asdict(one), "lines": count} for one, count in zip(sessions, counts, strict=False)]
    data: dict[str, Any] = {"logs": found} if summary else {"records": [_members(record) for record in records]}
    settings.answer(data, damage, lambda out: _show(out, records, sessions if summary else [], counts))


def _members(record: LogRecord) -> dict[str, Any]:
    return {**attrs.asdict(record), "timestamp": time_text(record.timestamp)}


def _show(out: Console, records: Sequence[LogRecord], sessions: Sequence[LogSession], counts: Sequence[int]) -> None:
    rows = [[one.repo, one.name, f"{count:,}"] for one, count in zip(sessions, counts, strict=False)]
    for line in [*(table(_COLUMNS, rows, out.width) if rows else []), *map(_line, records)]:
        out.print(line, soft_wrap=True)
    if not records and not rows:
        say("No lines fit.")


def _line(record: LogRecord) -> Text:
    line = Text(f"{times.local(record.timestamp):%Y-%m-%d %H:%M:%S}  ")
    line.append(f"{record.level:8}  ", _STYLES.get(record.level, ""))
    fields = "".join(f"  {name}={field}" for name, field in record.fields.items())
    return line.append(clean(record.message)).append(clean(fields), "dim")
