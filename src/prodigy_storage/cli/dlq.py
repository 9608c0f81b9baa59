"""`dlq`: dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import dlq_screen
from prodigy_storage.cli.dlq_options import FILTER, JOB, REPO, place
from prodigy_storage.cli.looking import MARK, completed, suggesting
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.codecs.values import time_text
from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_analysis import DeadLetterStats, summarise
from prodigy_storage.store import Store

_LAZY = {
    "retry": ("prodigy_storage.cli.dlq_retry:retry", "Run dead letters again by a command."),
    "redrives": ("prodigy_storage.cli.dlq_redrives:redrives", "Look at what was retried."),
    "analyze": ("prodigy_storage.cli.dlq_looking:analyze", "Group dead letters by what went wrong."),
    "export": ("prodigy_storage.cli.dlq_looking:export", "Write dead letters to a file."),
    "purge": ("prodigy_storage.cli.dlq_removing:purge", "Remove dead letters that failed long ago."),
    "clear": ("prodigy_storage.cli.dlq_removing:clear", "Remove every dead letter of a job."),
}


@click.group(
    cls=Verbs,
    lazy=_LAZY,
    aliases={"ls": "list", "show": "inspect", "analyse": "analyze"},
    epilog=example("dlq list", "dlq inspect ITEM", "dlq analyze", "dlq retry --exec './process.sh'"),
)
@common
def dlq() -> None:
    """Look at dead letters, items that failed for good; retry, export and remove them."""


@dlq.command(
    "list", epilog=example("dlq list", "dlq list --eligible --limit 10", "dlq list --filter 'failure_count > 2'")
)
@REPO
@JOB
@click.option("--eligible", is_flag=True, help="Only those that may be retried without a look at them.")
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=50, show_default=True, help="The newest N.")
@FILTER
@common
@pass_settings
def list_(
    settings: Settings, *, repo: str | None, job_id: str | None, eligible: bool, limit: int, expression: str | None
) -> None:
    """List dead letters, the latest failure first."""
    with settings.open() as store:
        found = store.dlq.list(repo, job_named(store, job_id), eligible=True if eligible else None, filter=expression)
    newest = found.loaded[::-1]
    data = {
        "items": [body(loaded.document) for loaded in newest[:limit]],
        "places": [place(loaded) for loaded in newest[:limit]],
        "total": len(newest),
    }
    settings.answer(
        data, found.damage, lambda out: _show_list(settings, out, newest, limit, (repo, job_id, eligible, expression))
    )


def _show_list(
    settings: Settings, out: Console, newest: Sequence[Loaded[DeadLetter]], limit: int, filters: Sequence[object]
) -> None:
    if not newest:
        say("No dead letters fit." if any(filters) else "No dead letters. Nothing has failed for good.")
        return
    for line in dlq_screen.listing([loaded.value for loaded in newest[:limit]], out.width, SystemClock().now()):
        out.print(line, soft_wrap=True)
    shown = min(limit, len(newest))
    part = f" (--limit {limit})" if shown < len(newest) else ""
    say(
        f"{shown:,} of {len(newest):,} shown{part}. Patterns: {settings.prefix} dlq analyze   "
        f"One whole: {settings.prefix} dlq inspect ITEM"
    )


@dlq.command("inspect", epilog=example("dlq inspect item_7", "dlq inspect lib2to3/tests/data/bom.py --json"))
@click.argument("item")
@REPO
@JOB
@common
@pass_settings
def inspect(settings: Settings, item: str, repo: str | None, job_id: str | None) -> None:
    """Show one dead letter whole: the item, every failure, the stack of the last one."""
    with settings.open() as store:
        loaded = _found(store, item, repo, job_named(store, job_id))
    data = {"item": body(loaded.document), "place": place(loaded)}
    settings.answer(data, (), lambda out: _show_one(out, loaded))


def _found(store: Store, item: str, repo: str | None, job: str | None) -> Loaded[DeadLetter]:
    if MARK in item:
        item = completed(item, _items(store, repo, job))
    try:
        return store.dlq.find(item, repo=repo, job=job)
    except Ambiguous as error:
        error.hint = "Name one with --job-id, or with --repo if that is enough."
        raise
    except NotFound as error:
        raise suggesting(error, item, _items(store, repo, job), cutoff=0.6) from error


def _items(store: Store, repo: str | None, job: str | None) -> list[str]:
    return [letter.item_id for letter in store.dlq.list(repo, job).values]


def _show_one(out: Console, loaded: Loaded[DeadLetter]) -> None:
    for line in dlq_screen.whole(loaded.value, loaded.document.scope, SystemClock().now()):
        out.print(line, soft_wrap=True)


@dlq.command("stats", epilog=example("dlq stats", "dlq stats --repo lib --json"))
@REPO
@JOB
@common
@pass_settings
def stats(settings: Settings, repo: str | None, job_id: str | None) -> None:
    """Count dead letters by kind and by pattern of the error."""
    with settings.open() as store:
        found = store.dlq.list(repo, job_named(store, job_id))
    numbers = summarise(found.values)

    def show(out: Console) -> None:
        if not numbers.total:
            say("No dead letters. Nothing has failed for good.")
        for line in dlq_screen.statistics(numbers, out.width, SystemClock().now()):
            out.print(line, soft_wrap=True)

    settings.answer(_numbers(numbers), found.damage, show)


def _numbers(numbers: DeadLetterStats) -> Mapping[str, Any]:
    times = {name: getattr(numbers, name) for name in ("oldest", "newest")}
    return {**attrs.asdict(numbers), **{name: at and time_text(at) for name, at in times.items()}}
