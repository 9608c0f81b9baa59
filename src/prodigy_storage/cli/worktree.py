"""`worktree`: the working copies of sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs
import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.looking import suggesting
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.times import span
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.codecs.quantities import counted, duration
from prodigy_storage.errors import NotFound
from prodigy_storage.model.prodigy.worktrees import WorktreeState, WorktreeStatus
from prodigy_storage.ports.checkouts import Checkout
from prodigy_storage.services.worktrees import Cleaned, Cleaning
from prodigy_storage.store import Store

_PARTIAL = 6
_REPO = click.option("--repo", metavar="NAME", help="Of one project.")
_FORCE = click.option(
    "--force", "-f", is_flag=True, help="Also what is under way, or holds work that nothing else has."
)
_COLUMNS = (
    Column(title="worktree", cut="middle", least=16),
    Column(title="project", cut="end"),
    Column(title="status"),
    Column(title="changed", right=True),
    Column(title="holds", cut="end", least=10),
)
_STYLES = {
    WorktreeStatus.MERGED: "green",
    WorktreeStatus.COMPLETED: "green",
    WorktreeStatus.FAILED: "red",
    WorktreeStatus.INTERRUPTED: "yellow",
    WorktreeStatus.IN_PROGRESS: "yellow",
}


@click.group(
    cls=Verbs,
    aliases={"list": "ls"},
    epilog=example("worktree ls", "worktree clean --merged-only", "worktree clean-orphaned"),
)
@common
def worktree() -> None:
    """List the working copies of sessions, and remove those that are done with."""


@worktree.command("ls", epilog=example("worktree ls", "worktree ls --repo shop --json"))
@_REPO
@common
@pass_settings
def ls(settings: Settings, repo: str | None) -> None:
    """List worktrees, how they stand, and what they hold that nothing else has."""
    with settings.open() as store:
        found = store.worktrees.list(repo)
        folders = [store.worktrees.look(loaded.document.scope[0], loaded.document.id) for loaded in found.loaded]
    data = {
        "worktrees": [body(loaded.document) for loaded in found.loaded],
        "checkouts": [folder and attrs.asdict(folder) for folder in folders],
        "repos": [loaded.document.scope[0] for loaded in found.loaded],
    }
    settings.answer(data, found.damage, lambda out: _show(out, found.loaded, folders))


def _show(out: Console, found: Sequence[Loaded[WorktreeState]], folders: Sequence[Checkout | None]) -> None:
    if not found:
        say("No worktrees.")
        return
    now = SystemClock().now()
    rows = [_row(loaded, folder, now) for loaded, folder in zip(found, folders, strict=True)]
    for line in table(_COLUMNS, rows, out.width):
        out.print(line, soft_wrap=True)


def _row(loaded: Loaded[WorktreeState], folder: Checkout | None, now: datetime) -> list[Cell]:
    state = loaded.value
    ago = span((now - state.updated_at).total_seconds())
    holds = "its folder is gone" if folder is None else folder.risk or "nothing else"
    status = (state.status.value.replace("_", " "), _STYLES.get(state.status, ""))
    return [loaded.document.id, loaded.document.scope[0], status, ago, holds]


@worktree.command(
    "clean",
    epilog=example(
        "worktree clean --merged-only --dry-run", "worktree clean NAME", "worktree clean --all --older-than 7d"
    ),
)
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="All that are done with.")
@click.option("--merged-only", is_flag=True, help="Only those that were merged.")
@click.option(
    "--older-than", metavar="TIME", callback=value(duration), help="Only those that were last changed before that."
)
@_REPO
@_FORCE
@destructive
@common
@pass_settings
def clean(
    settings: Settings,
    *,
    name: str | None,
    every: bool,
    merged_only: bool,
    older_than: timedelta | None,
    repo: str | None,
    force: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Remove worktrees, folder, record and branch.

    Kept are those that are under way, those with uncommitted or unmerged work, and always those of a session that
    is being run. What cannot be removed is registered as orphaned.
    """
    if name is None and not (every or merged_only or older_than is not None):
        raise click.UsageError("say which: a NAME, --merged-only, --older-than TIME, or --all")
    before = SystemClock().now() - older_than if older_than is not None else None
    names = [name] if name else []
    with settings.open() as store:
        if name:
            _check(store, repo, name)

        def run(dry: bool) -> Sequence[Cleaned]:
            return store.worktrees.clean(repo, names, before=before, merged_only=merged_only, force=force, dry_run=dry)

        planned = run(True)
        done = _carry_out(planned, lambda: run(False), yes=yes, dry_run=dry_run)
    _answer(settings, done, dry_run=dry_run, named=name is not None)


def _check(store: Store, repo: str | None, name: str) -> None:
    known = [loaded.document.id for loaded in store.worktrees.list(repo).loaded]
    if name not in known:
        raise suggesting(NotFound(f"there is no worktree {name}"), name, known, cutoff=0.6)


@worktree.command(
    "clean-orphaned", epilog=example("worktree clean-orphaned --dry-run", "worktree clean-orphaned JOB --yes")
)
@click.argument("job", required=False)
@_REPO
@_FORCE
@destructive
@common
@pass_settings
def clean_orphaned(
    settings: Settings, *, job: str | None, repo: str | None, force: bool, yes: bool, dry_run: bool
) -> None:
    """Try again to remove worktrees whose cleaning failed, of JOB or of all."""
    with settings.open() as store:
        planned = store.worktrees.clean_orphaned(repo, job, force=force, dry_run=True)
        done = _carry_out(
            planned, lambda: store.worktrees.clean_orphaned(repo, job, force=force), yes=yes, dry_run=dry_run
        )
    _answer(settings, done, dry_run=dry_run, named=True)


def _carry_out(
    planned: Sequence[Cleaned], run: Callable[[], Sequence[Cleaned]], *, yes: bool, dry_run: bool
) -> Sequence[Cleaned]:
    """Say what will go, ask, and do it; what is kept is in the answer either way."""
    going = [one for one in planned if one.outcome is Cleaning.REMOVED]
    if not going:
        say("No worktree can go." if planned else "There is no such worktree.")
        return planned
    what = f"Remove {counted(len(going), 'worktree')}"
    if agreed(what, yes=yes, dry_run=dry_run, lines=[f"{one.repo} {one.name}  {shown(one.path)}" for one in going]):
        return run()
    return planned


def _answer(settings: Settings, done: Sequence[Cleaned], *, dry_run: bool, named: bool) -> None:
    """Say what went and what stays; that something stays is a partial success if it was named, or could not go."""
    stays = [one for one in done if one.outcome is not Cleaning.REMOVED]
    partial = any(named or one.outcome is Cleaning.FAILED for one in stays)
    findings = [
        Diagnostic(
            level="warning" if partial else "info",
            code=one.outcome.value,
            message=f"{one.name} stays: {one.reason}",
            path=one.path,
        )
        for one in stays
    ]
    removed = 0 if dry_run else len(done) - len(stays)
    members = [{**attrs.asdict(one), "outcome": one.outcome.value} for one in done]
    data = {"worktrees": members, "removed": removed, "dry_run": dry_run}
    status = "partial" if partial else "ok"
    settings.finish(data, findings, lambda _: None if dry_run else say(f"{removed:,} removed."), status=status)
    if partial:
        raise click.exceptions.Exit(_PARTIAL)
