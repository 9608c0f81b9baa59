"""`clean`: remove what is old, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.progress import tracked
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.quantities import DURATIONS, counted, duration, duration_text
from prodigy_storage.errors import StorageError
from prodigy_storage.retention import Candidate, Category

_PARTIAL = 6
_ALL = "all"


@click.command(
    epilog=example(
        "clean all --older-than 30d --dry-run",
        "clean events logs --older-than 7d --repo shop",
        "clean dlq --older-than 90d --yes",
    )
)
@click.argument(
    "kinds", metavar="KIND…", nargs=-1, type=click.Choice([_ALL, *(one.value for one in Category)]), required=True
)
@click.option("--older-than", metavar="TIME", required=True, callback=value(duration), help=f"The age: {DURATIONS}.")
@click.option("--repo", metavar="NAME", help="Of one project; otherwise of all.")
@destructive
@common
@pass_settings
def clean(
    settings: Settings, *, kinds: Sequence[str], older_than: timedelta, repo: str | None, yes: bool, dry_run: bool
) -> None:
    """Remove what is old: all, or worktrees, sessions, logs, state, events, dlq.

    Age counts from the end of a thing. What runs or can go on is never removed, nor a worktree with work that nothing
    else has. A cleaning that is interrupted is finished by the next one.
    """
    categories = [one for one in Category if _ALL in kinds or one.value in kinds]
    with settings.open() as store:
        found = list(store.retention.candidates(categories, older_than=older_than, repo=repo))
        removed: list[Candidate] = []
        stays: list[Diagnostic] = []
        what = f"Remove {counted(len(found), 'thing')} older than {duration_text(older_than)}"
        if not found:
            say(f"Nothing is older than {duration_text(older_than)}.")
        elif agreed(what, yes=yes, dry_run=dry_run, lines=map(_line, found)):
            removed = _remove(found, stays)
    data = {
        "things": [_members(one) for one in (found if dry_run else removed)],
        "removed": len(removed),
        "dry_run": dry_run,
    }
    status = "partial" if stays else "ok"
    settings.finish(data, stays, lambda _: say(f"{len(removed):,} removed.") if removed else None, status=status)
    if stays:
        raise click.exceptions.Exit(_PARTIAL)


def _remove(found: Sequence[Candidate], stays: list[Diagnostic]) -> list[Candidate]:
    removed: list[Candidate] = []
    for one in tracked(found, "clean", len(found)):
        try:
            reason = one.remove()
        except StorageError as error:
            reason = str(error)
        if reason:
            stays.append(Diagnostic(level="warning", code="kept", message=f"{one.category.value} {one.name}: {reason}"))
        else:
            removed.append(one)
    return removed


def _line(one: Candidate) -> str:
    return f"{one.category.value:9}  {' '.join(filter(None, (one.repo, one.name)))}  {shown(one.what)}"


def _members(one: Candidate) -> dict[str, Any]:
    return {"kind": one.category.value, "repo": one.repo or None, "name": one.name, "what": one.what}
