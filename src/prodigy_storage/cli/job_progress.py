"""`progress`: how far a job came, item by item."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from prodigy_storage.cli.files import fresh
from prodigy_storage.cli.looking import job_of
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.times import milliseconds
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.tabular import csv_lines
from prodigy_storage.codecs.values import moment, time_text
from prodigy_storage.model.jobs import JobState, Progress

_HEADER = ("item", "state", "attempt", "at", "ms", "error")
_STYLES = {"done": "green", "dead": "red", "failed": "yellow"}
_COLUMNS = (
    Column(title="item", cut="middle", least=16),
    Column(title="state"),
    Column(title="tries", right=True),
    Column(title="took", right=True),
    Column(title="error", cut="end", least=12),
)


@click.command(
    epilog=example("progress SESSION_OR_JOB", "progress JOB --json", "progress JOB --export items.csv --format csv")
)
@click.argument("job")
@click.option("--repo", metavar="NAME", help="Of one project, where a job id is not enough.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="So many items that are not done.",
)
@click.option(
    "--export", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write every item there."
)
@click.option(
    "--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True, help="Of --export."
)
@click.option("--yes", "-y", is_flag=True, help="Replace FILE if it exists.")
@common
@pass_settings
def progress(
    settings: Settings, *, job: str, repo: str | None, limit: int, export: Path | None, form: str, yes: bool
) -> None:
    """Show how far a job came, to the last acknowledged attempt, and what is not done of it."""
    with settings.open() as store:
        setup = job_of(store, job, repo=repo)
        found = store.runs.look(setup)
    items = [_item(item.id, found.state) for item in setup.items]
    if export is not None:
        with fresh(export, replace=yes) as place:
            place.write_text("".join(_lines(items, form)), "utf-8", newline="")
    counts = dict(Counter(item["state"] for item in items))
    data = {
        "job_id": setup.job_id,
        "session_id": setup.session_id,
        "repo": setup.repo,
        "total": len(items),
        "counts": counts,
    }
    left = [item for item in items if item["state"] != "done"]
    settings.answer({**data, "items": items}, found.damage, lambda out: _show(out, left[:limit], counts))
    if export is not None:
        say(f"{len(items):,} items written to {export}.")


def _item(id: str, state: JobState) -> dict[str, Any]:
    """What became of an item: done, dead, failed (to be tried again) or pending."""
    last: Progress | None = state.done.get(id) or state.dead.get(id) or (state.failed.get(id) or (None,))[-1]
    if last is None:
        return dict.fromkeys(_HEADER) | {"item": id, "state": "pending", "attempt": 0}
    members = (id, last.outcome.value, last.attempt, time_text(moment(last.at)), last.ms, last.error)
    return dict(zip(_HEADER, members, strict=True))


def _lines(items: Sequence[dict[str, Any]], form: str) -> Iterable[str]:
    if form == "csv":
        return csv_lines(_HEADER, [list(item.values()) for item in items])
    return [json.dumps(list(items), ensure_ascii=False, indent=2), "\n"]


def _show(out: Console, left: Sequence[dict[str, Any]], counts: dict[str, int]) -> None:
    total = sum(counts.values())
    done = counts.get("done", 0)
    share = f" ({done / total:.0%})" if total else ""
    others = "".join(f", {counts[state]:,} {state}" for state in ("dead", "failed", "pending") if state in counts)
    out.print(f"{done:,} of {total:,} done{share}{others}", soft_wrap=True)
    if left:
        for line in table(_COLUMNS, [_row(item) for item in left], out.width):
            out.print(line, soft_wrap=True)


def _row(item: dict[str, Any]) -> list[Cell]:
    took = "" if item["ms"] is None else milliseconds(item["ms"])
    state = (item["state"], _STYLES.get(item["state"], ""))
    return [item["item"], state, str(item["attempt"]), took, item["error"] or ""]
