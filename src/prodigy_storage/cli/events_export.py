"""`events export`: events for other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import click

from prodigy_storage.adapters.parquet import write_parquet
from prodigy_storage.cli.events_options import Source, filtered, reading
from prodigy_storage.cli.files import fresh
from prodigy_storage.cli.output import say
from prodigy_storage.cli.progress import counting
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.model.events import EventRecord
from prodigy_storage.ports.storage import Damage
from prodigy_storage.services.events.exporting import HEADER, ExportFormat, exported, row

_PARQUET = "parquet"


@click.command(
    "export",
    epilog=example(
        "events export --format csv --output events.csv",
        "events export --event-type agent_failed --format markdown",
        "events export --format parquet --output events.parquet --yes",
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "jsonl", "csv", "markdown", _PARQUET]),
    default="json",
    show_default=True,
    help="What to write.",
)
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Where (else stdout).")
@click.option("--yes", "-y", is_flag=True, help="Replace FILE if it exists.")
@filtered
@click.option("--limit", metavar="N", type=click.IntRange(min=0), help="The newest N.")
@common
@pass_settings
def export(settings: Settings, /, form: str, output: Path | None, yes: bool, limit: int | None, **chosen: Any) -> None:
    """Write events as JSON, JSON lines, CSV, Markdown or Parquet.

    FILE appears whole or not at all. CSV, Markdown and Parquet have the columns timestamp, event_type, job_id,
    agent_id and details.
    """
    if output is None and (settings.json or form == _PARQUET):
        raise click.UsageError("name a file with --output" + (" for Parquet" if form == _PARQUET else " beside --json"))
    damage: list[Damage] = []
    counted = nullcontext(_ignore) if output is None else counting("export")
    with reading(settings, chosen, limit=limit) as source, counted as tell:
        records = _Counted(source, damage, tell)
        if output is None:
            sys.stdout.writelines(exported(records, cast("ExportFormat", form)))
        else:
            with fresh(output, replace=yes) as place:
                _write(place, form, records)
    data = {"file": None if output is None else str(output.absolute()), "format": form, "count": records.count}
    where = "" if output is None else f" to {output}"
    settings.answer(data, damage, lambda _: say(f"{records.count:,} events written{where}."))


def _ignore(_: object) -> None:
    """No bar where the events themselves are shown."""


class _Counted(Iterator[EventRecord]):
    """The records, counted."""

    def __init__(self, source: Source, damage: list[Damage], tell: Callable[[object], None]) -> None:
        self.count = 0
        self._records = source.reader.query(source.wanted, on_damage=damage.append)
        self._tell = tell

    def __next__(self) -> EventRecord:
        record = next(self._records)
        self.count += 1
        self._tell(record)
        return record


def _write(place: Path, form: str, records: Iterable[EventRecord]) -> None:
    if form == _PARQUET:
        write_parquet(place, HEADER, ((one.timestamp, *row(one)[1:]) for one in records), times=HEADER[:1])
        return
    with place.open("w", encoding="utf-8", newline="") as file:
        file.writelines(exported(records, cast("ExportFormat", form)))
