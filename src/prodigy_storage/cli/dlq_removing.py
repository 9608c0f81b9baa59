"""`dlq purge` and `dlq clear`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import click

from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.dlq_options import JOB, REPO, job_with_letters, named
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.services.dead_letters import Removed

_PARTIAL = 6


@click.command(
    "purge", epilog=example("dlq purge --older-than-days 30 --dry-run", "dlq purge --older-than-days 30 --yes")
)
@click.option(
    "--older-than-days",
    metavar="N",
    type=click.IntRange(min=0),
    required=True,
    help="Those whose last failure is longer ago.",
)
@REPO
@JOB
@destructive
@common
@pass_settings
def purge(
    settings: Settings, *, older_than_days: int, repo: str | None, job_id: str | None, yes: bool, dry_run: bool
) -> None:
    """Remove dead letters whose last failure is long ago."""
    with settings.open() as store:
        job, age = job_named(store, job_id), timedelta(days=older_than_days)
        found = store.dlq.aged(repo, job, older_than=age)
        what = f"older than {older_than_days} days"
        _remove(settings, found, what, lambda: store.dlq.purge(repo, job, older_than=age), yes=yes, dry_run=dry_run)


@click.command("clear", epilog=example("dlq clear mapreduce-20250131_120000-0198c4e1a2b3 --dry-run"))
@click.argument("job")
@REPO
@destructive
@common
@pass_settings
def clear(settings: Settings, *, job: str, repo: str | None, yes: bool, dry_run: bool) -> None:
    """Remove every dead letter of JOB (its id, or that of its session)."""
    with settings.open() as store:
        where = job_with_letters(store, job, repo)
        found = store.dlq.list(*where).loaded
        _remove(settings, found, f"of {where[1]}", lambda: store.dlq.clear(*where), yes=yes, dry_run=dry_run)


def _remove(
    settings: Settings,
    found: Sequence[Loaded[DeadLetter]],
    what: str,
    remove: Callable[[], Removed],
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    many = counted(len(found), "dead letter")
    lines = [" ".join(named(one).values()) for one in found]
    done = Removed(removed=[], kept=[])
    if not found:
        say(f"There are no dead letters {what}.")
    elif agreed(f"Remove {many} {what}", yes=yes, dry_run=dry_run, lines=lines):
        done = remove()
    data = {
        "items": [named(one) for one in (found if dry_run else done.removed)],
        "kept": [named(one) for one in done.kept],
        "removed": len(done.removed),
        "dry_run": dry_run,
    }
    kept = [_kept(one) for one in done.kept]
    settings.finish(data, kept, lambda _: _show(done, dry_run=dry_run or not found), status="partial" if kept else "ok")
    if kept:
        raise click.exceptions.Exit(_PARTIAL)


def _kept(loaded: Loaded[DeadLetter]) -> Diagnostic:
    return Diagnostic(
        level="warning", code="kept", message=f"{loaded.value.item_id} stays: it is being retried, or failed again"
    )


def _show(done: Removed, *, dry_run: bool) -> None:
    if not dry_run:
        say(f"{len(done.removed):,} removed.")
