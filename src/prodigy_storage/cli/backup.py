"""`backup`, `verify` and `restore`: a store, a project or a job in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click
import humanize
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.output import say
from prodigy_storage.cli.progress import counting
from prodigy_storage.cli.scopes import place_of, scoped
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import clean
from prodigy_storage.cli.times import exact
from prodigy_storage.cli.transfers import finish, named, report_members, summary
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.values import parse_time
from prodigy_storage.transfer import Backup, Report, Restored

_FILE = click.argument("file", type=click.Path(dir_okay=False))


@click.command(epilog=example("backup all.backup", "backup lib.backup --repo lib", "backup all.backup --force"))
@_FILE
@scoped
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@common
@pass_settings
def backup(settings: Settings, file: str, repo: str | None, job_id: str | None, force: bool) -> None:
    """Write everything, a project or a job into one compressed FILE.

    FILE appears whole or not at all. The store may be in use: each document and each record is whole, together they
    are no snapshot, and a job that is restored from it can be resumed.
    """
    with settings.open() as store, counting("backup") as tell:
        place = place_of(store, repo, job_id)
        made = store.transfers.backup(file, repo=place[0], job=place[1], replace=force, progress=tell)

    def show(out: Console) -> None:
        _show(out, "Wrote", file, made)
        say(f"Restore it: {settings.command('restore', file)}")

    settings.answer(_members(file, made), made.damage, show)


@click.command(epilog=example("verify all.backup", "verify all.backup --json"))
@_FILE
@common
@pass_settings
def verify(settings: Settings, file: str) -> None:
    """Read a backup to its end and check every digest; writes nothing."""
    with settings.open() as store, counting("verify"):
        made = store.transfers.verify(file)
    settings.answer(_members(file, made), made.damage, lambda out: _show(out, "Verified", file, made))


def _members(file: str, made: Backup) -> dict[str, Any]:
    kept = attrs.asdict(made, filter=lambda field, _: field.name != "damage")
    return {"file": str(Path(file).absolute()), "bytes": Path(file).stat().st_size, **kept, "records": made.records}


def _show(out: Console, done: str, file: str, made: Backup) -> None:
    what = "/".join(made.scope) or "everything"
    at = exact(parse_time(made.made_at), SystemClock().now())
    out.print(
        clean(f"{done} {file}: {what} as of {at}, {humanize.naturalsize(Path(file).stat().st_size)}"), soft_wrap=True
    )
    for kind, number in made.documents.items():
        out.print(f"  {number:>11,}  {clean(kind)}", soft_wrap=True)
    out.print(f"  {made.records:>11,}  records in {len(made.streams):,} streams", soft_wrap=True)
    if made.damage:
        say("What could not be read is not in it:")


@click.command(epilog=example("restore all.backup", "restore all.backup --dry-run", "restore all.backup --force --yes"))
@_FILE
@click.option("--force", is_flag=True, help="Overwrite documents that differ from those of FILE.")
@destructive
@common
@pass_settings
def restore(settings: Settings, file: str, force: bool, yes: bool, dry_run: bool) -> None:
    """Write what FILE holds into the store; nothing is removed.

    FILE is verified whole before. It may be repeated: what is there already stays. Documents that the store has with
    other content are listed and kept, unless --force says to overwrite them. Everything written is read back.
    """
    with settings.open() as store:
        if force:
            _ask(settings, store.transfers.restore(file, dry_run=True).report, file, yes=yes, dry_run=dry_run)
        with counting("restore") as tell:
            found = store.transfers.restore(file, overwrite=force, dry_run=dry_run, progress=tell)
    data = {"file": str(Path(file).absolute()), "dry_run": dry_run, **report_members(found.report)}
    missing = [Diagnostic.of_damage(one, "warning") for one in found.backup.damage]
    finish(settings, data, found.report, lambda out: _show_restored(out, file, found, dry_run=dry_run), missing)


def _ask(settings: Settings, found: Report, file: str, *, yes: bool, dry_run: bool) -> None:
    """Overwriting is what has to be agreed to."""
    if found.differing:
        what = f"Overwrite {len(found.differing):,} documents in {clean(settings.place)} with those of {clean(file)}"
        agreed(what, yes=yes, dry_run=dry_run, lines=map(named, found.differing))


def _show_restored(out: Console, file: str, found: Restored, *, dry_run: bool) -> None:
    verb = "Would restore" if dry_run else "Restored"
    made = parse_time(found.backup.made_at)
    out.print(
        clean(f"{verb} {file}, as of {exact(made, SystemClock().now())}: {summary(found.report)}"), soft_wrap=True
    )
    if found.backup.damage:
        say("What could not be read when the backup was made is not in it:")
