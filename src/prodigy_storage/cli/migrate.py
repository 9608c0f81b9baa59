"""`migrate`: from a project's own `.prodigy` directory into the store."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click
from rich.console import Console

from prodigy_storage.adapters.files.project import LocalProject
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.progress import counting
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import clean
from prodigy_storage.cli.transfers import finish, named, report_members, summary
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.transfer import Migration

_SHOWN = 20


@click.command(epilog=example("migrate", "migrate ~/code/shop --dry-run", "migrate ~/code/shop --repo shop-2"))
@click.argument("project", type=click.Path(exists=True, file_okay=False), default=".")
@click.option("--repo", metavar="NAME", help="The project's name in the store (default: that of its directory).")
@click.option("--force", is_flag=True, help="Overwrite documents that differ from those of the project.")
@destructive
@common
@pass_settings
def migrate(settings: Settings, project: str, repo: str | None, force: bool, yes: bool, dry_run: bool) -> None:  # noqa: PLR0917  # click gives them by name
    """Copy what lies in the .prodigy directory of PROJECT into the store.

    Everything written is read back; then a note, migrated.json, is left in the directory. Nothing is removed, and it
    may be repeated. Files that are nothing that the store keeps are listed and stay where they are.
    """
    with settings.open() as store, closing(LocalProject(project)) as local:
        if force:
            found = store.transfers.migrate(local, repo=repo, dry_run=True).report.differing
            if found:
                theirs = clean(shown(local.root))
                what = f"Overwrite {len(found):,} documents in {clean(settings.place)} with those of {theirs}"
                agreed(what, yes=yes, dry_run=dry_run, lines=map(named, found))
        with counting("migrate") as tell:
            done = store.transfers.migrate(local, repo=repo, overwrite=force, dry_run=dry_run, progress=tell)
        root = local.root
    data = {"project": root, "repo": done.repo, "mark": done.mark, "left": list(done.left), "dry_run": dry_run}
    finish(settings, {**data, **report_members(done.report)}, done.report, lambda out: _show(out, root, done, data))


def _show(out: Console, root: str, done: Migration, data: dict[str, Any]) -> None:
    verb = "Would copy" if data["dry_run"] else "Copied"
    out.print(clean(f"{verb} {shown(root)} as project {done.repo}: {summary(done.report)}"), soft_wrap=True)
    if done.mark:
        out.print(clean(f"  Nothing was removed; the note is {shown(done.mark)}."), soft_wrap=True)
    if done.left:
        say(f"{len(done.left):,} files are nothing that the store keeps and were left where they are:")
        for path in done.left[:_SHOWN]:
            say(f"  {clean(path)}")
        if len(done.left) > _SHOWN:
            say(f"  … {len(done.left) - _SHOWN:,} more (all: --json)")
