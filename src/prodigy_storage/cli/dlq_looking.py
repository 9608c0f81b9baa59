"""`dlq analyze` and `dlq export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import dlq_analysis_screen
from prodigy_storage.cli.dlq_options import FILTER, JOB, REPO
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.times import ALLOWED
from prodigy_storage.cli.times import since as moment_of
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.model.dead_letters_analysis import Analysis
from prodigy_storage.services.dead_letters import FORMATS, analysis_tree


def _moment(text: str) -> datetime:
    return moment_of(text, SystemClock().now())


@click.command("analyze", epilog=example("dlq analyze", "dlq analyze --since 1d", "dlq analyze --export analysis.json"))
@REPO
@JOB
@click.option(
    "--since", metavar="WHEN", callback=value(_moment), help=f"Mark patterns that are new since then: {ALLOWED}."
)
@click.option(
    "--export", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write the analysis, as JSON."
)
@common
@pass_settings
def analyze(
    settings: Settings, repo: str | None, job_id: str | None, since: datetime | None, export: Path | None
) -> None:
    """Group dead letters by what went wrong, and say whether retrying helps."""
    with settings.open() as store:
        job = job_named(store, job_id)
        analysis = store.dlq.analyze(repo, job, since=since)
        damage = store.dlq.list(repo, job).damage
        if export is not None:
            export.write_text(json.dumps(analysis_tree(analysis), ensure_ascii=False, indent=2) + "\n")
            store.dlq.tell_of(analysis, repo, job)
    data = {"analysis": analysis_tree(analysis), **({"path": str(export)} if export else {})}
    settings.answer(data, damage, lambda out: _show(settings, out, analysis, export))


def _show(settings: Settings, out: Console, analysis: Analysis, export: Path | None) -> None:
    if not analysis.total:
        say("No dead letters. Nothing has failed for good.")
    for line in dlq_analysis_screen.shown(analysis, out.width, SystemClock().now()):
        out.print(line, soft_wrap=True)
    if export is not None:
        say(f"Written to {export}.")
    elif analysis.total:
        say(f"Retry them: {settings.prefix} dlq retry --exec COMMAND")


@click.command(
    "export", epilog=example("dlq export letters.json", "dlq export - --format csv --filter 'failure_count > 2'")
)
@click.argument("output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@REPO
@JOB
@click.option("--format", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="What to write.")
@click.option("--eligible", is_flag=True, help="Only those that may be retried without a look at them.")
@FILTER
@common
@pass_settings
def export(
    settings: Settings,
    *,
    output: Path,
    repo: str | None,
    job_id: str | None,
    format: str,  # noqa: A002  # what the documents call it
    eligible: bool,
    expression: str | None,
) -> None:
    """Write dead letters to OUTPUT, or to stdout if it is `-`."""
    if str(output) == "-" and settings.json:
        raise click.UsageError("--json and the letters themselves cannot both go to stdout; name a file")
    with settings.open() as store:
        found = store.dlq.list(repo, job_named(store, job_id), eligible=True if eligible else None, filter=expression)
        _write(output, store.dlq.export(found, format))
    data = {"path": str(output), "format": format, "count": len(found.loaded)}
    settings.answer(data, found.damage, lambda _: say(f"{len(found.loaded):,} dead letters written to {output}."))


def _write(output: Path, pieces: Iterable[str]) -> None:
    if str(output) == "-":
        sys.stdout.writelines(pieces)
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces)
