"""`dlq redrives`: what was retried, and what became of it."""

from __future__ import annotations

import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import dlq_redrive_screen as screen
from prodigy_storage.cli.dlq_options import JOB, REPO
from prodigy_storage.cli.looking import MARK, completed, suggesting
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.errors import NotFound
from prodigy_storage.redrive import RedriveView
from prodigy_storage.store import Store


@click.group(cls=Verbs, aliases={"ls": "list"}, epilog=example("dlq redrives list", "dlq redrives show REDRIVE"))
@common
def redrives() -> None:
    """Look at redrives: what was retried, why, and what became of each item."""


@redrives.command("list", epilog=example("dlq redrives list", "dlq redrives list --json"))
@REPO
@JOB
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=50, show_default=True, help="The newest N.")
@common
@pass_settings
def list_(settings: Settings, repo: str | None, job_id: str | None, limit: int) -> None:
    """List redrives, the latest first."""
    with settings.open() as store:
        found = store.redrives.list(repo, job_named(store, job_id))
    newest = found.loaded[::-1]
    data = {"redrives": [body(one.document) for one in newest[:limit]], "total": len(newest)}

    def show(out: screen.Console) -> None:
        if not newest:
            say("No redrives. Retry dead letters with: " + settings.command("dlq", "retry", "--help"))
            return
        for line in screen.listing([one.value for one in newest[:limit]], out.width, SystemClock().now()):
            out.print(line, soft_wrap=True)
        say(f"{min(limit, len(newest)):,} of {len(newest):,} shown. One whole: {settings.prefix} dlq redrives show ID")

    settings.answer(data, found.damage, show)


@redrives.command("show", epilog=example("dlq redrives show redrive-0198c4e1-7a10-7000-8000-0123456789ab"))
@click.argument("id")
@REPO
@common
@pass_settings
def show(settings: Settings, id: str, repo: str | None) -> None:
    """Show one redrive and what became of its items."""
    with settings.open() as store:
        view = _found(store, id, repo)
    settings.answer(screen.members(view), view.damage, lambda out: screen.whole(out, view, SystemClock().now()))


def _found(store: Store, id: str, repo: str | None) -> RedriveView:
    ids = [one.id for one in store.redrives.list(repo).values]
    try:
        return store.redrives.show(completed(id, ids) if MARK in id else id, repo=repo)
    except NotFound as error:
        raise suggesting(error, id, ids) from error
