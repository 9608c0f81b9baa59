"""`events clean`: the oldest events go, the newest stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import click
import humanize
from rich.console import Console

from prodigy_storage.adapters.files.archives import ArchiveFolder
from prodigy_storage.adapters.files.names import encode
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.events_options import jobs_of, of_jobs
from prodigy_storage.cli.events_policy import policy_of
from prodigy_storage.cli.looking import suggesting
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.progress import tracked
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import clean as cleaned
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.quantities import DURATIONS, SIZES, counted, duration, size
from prodigy_storage.errors import InvalidValue, NotFound, StorageError
from prodigy_storage.model.event_cleaning import CleanedEvents, EventLimits
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.prodigy.retention import RetentionPolicy
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage
from prodigy_storage.store import Store

_PARTIAL = 6
_JOB = 2


def _read(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    def callback(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except InvalidValue as error:
            raise click.BadParameter(str(error)) from error

    return callback


@click.command(
    "clean",
    epilog=example(
        "events clean --older-than 30d --dry-run",
        "events clean --max-events 10000 --archive",
        "events clean --job-id JOB --max-size 1GB --archive-path DIR",
        "events clean --policy retention.yaml --dry-run",
    ),
)
@click.option("--older-than", metavar="AGE", callback=_read(duration), help=f"Events of a greater age go: {DURATIONS}.")
@click.option("--max-events", metavar="N", type=click.IntRange(min=0), help="The newest N of each job stay.")
@click.option(
    "--max-size", metavar="SIZE", callback=_read(size), help=f"The newest of each job that fit stay: {SIZES}."
)
@click.option("--archive", is_flag=True, help="Keep what goes in compressed files (below the root: events/archive).")
@click.option("--archive-path", metavar="DIR", type=click.Path(file_okay=False), help="Keep it there.")
@click.option(
    "--policy",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Limits and archive as a retention policy of Prodigy's says; the other options count more.",
)
@of_jobs
@destructive
@common
@pass_settings
def clean(
    settings: Settings,
    /,
    *,
    older_than: timedelta | None,
    max_events: int | None,
    max_size: int | None,
    archive: bool,
    archive_path: str | None,
    policy: Path | None,
    yes: bool,
    dry_run: bool,
    **chosen: Any,
) -> None:
    """Remove the oldest events of each job; at least one limit has to be named, and only what is named counts.

    What a living writer still writes to is left alone. An archive is written and read back before anything goes;
    `events ls --file ARCHIVE` shows it.
    """
    asked = RetentionPolicy(archive_old_events=archive, compress_archives=True) if policy is None else policy_of(policy)
    limits = _limits(asked, older_than=older_than, max_events=max_events, max_size=max_size)
    for sentence in asked.unsupported():
        say(f"policy: {cleaned(sentence)}")
    if asked.archive_old_events and archive_path is None:
        archive_path = asked.archive_path
    folder = _folder(settings, archive_path) if archive or asked.archive_old_events or archive_path else None
    work = _Work()
    with settings.open() as store:
        scopes = _scopes(store, chosen)
        for scope in tracked(scopes, "look", len(scopes)):
            work.do(store, scope, limits, dry_run=True)
        found = work.done
        if found and _agreed(found, folder, yes=yes, dry_run=dry_run):
            work = _Work()
            for scope in tracked(scopes, "clean", len(scopes)):
                work.do(store, scope, limits, archive=_archive(folder, scope, named=archive_path is not None))
    _answer(settings, work, dry_run=dry_run)


def _limits(asked: RetentionPolicy, **limits: Any) -> EventLimits:
    if all(limit is None for limit in (*limits.values(), asked.max_age_days, asked.max_events)):
        raise click.UsageError(
            "name at least one limit: --older-than, --max-events, --max-size, or --policy with an age or a number"
        )
    return asked.limits(**limits)


@attrs.define
class _Work:
    """What was done job by job; one that fails does not stop the others."""

    done: list[CleanedEvents] = attrs.field(factory=list)
    damage: list[Damage] = attrs.field(factory=list)
    failed: list[Diagnostic] = attrs.field(factory=list)

    def do(self, store: Store, scope: Scope, limits: EventLimits, **how: Any) -> None:
        repo, job = (*scope, "", "")[:2]
        try:
            self.done += store.events.clean(limits, repo=repo, job=job, on_damage=self.damage.append, **how)
        except StorageError as error:
            self.failed.append(attrs.evolve(Diagnostic.of_error(error), message=f"{repo}/{job}: {error.message}"))


def _folder(settings: Settings, path: str | None) -> Path:
    if path is not None:
        return Path(path).expanduser().absolute()
    if settings.directory is None:
        raise click.UsageError("this store has no folder for archives; name one with --archive-path")
    return settings.directory.absolute() / "events" / "archive"


def _archive(folder: Path | None, scope: Scope, *, named: bool) -> ArchiveFolder | None:
    """Where the events of a job go: into the folder that was named, or into one of its own below the default."""
    if folder is None:
        return None
    return ArchiveFolder(folder if named else folder.joinpath(*map(encode, scope)))


def _scopes(store: Store, chosen: dict[str, Any]) -> list[Scope]:
    """The jobs to clean.

    Raises:
        NotFound: a named one has no events; suggests one with a similar name.
    """
    jobs = jobs_of(store, chosen)
    known = store.events.jobs()
    for job in jobs or ():
        if all(scope[-1:] != (job,) for scope in known):
            raise suggesting(NotFound(f"there are no events of a job {job}"), job, [scope[-1] for scope in known])
    return [scope for scope in store.events.jobs(EventFilter(repo=chosen["repo"], job=jobs)) if len(scope) == _JOB]


def _agreed(found: Sequence[CleanedEvents], folder: Path | None, *, yes: bool, dry_run: bool) -> bool:
    events, bytes_, jobs = sum(one.removed for one in found), sum(one.removed_bytes for one in found), len(found)
    if not events:
        return False
    named = f"{events:,} events of {counted(jobs, 'job')} ({humanize.naturalsize(bytes_)})"
    what = f"Move {named} to {cleaned(shown(str(folder)))}" if folder else f"Remove {named}"
    return agreed(what, yes=yes, dry_run=dry_run, lines=map(_line, found))


def _line(one: CleanedEvents) -> str:
    spared = f"; {one.spared:,} more cannot go yet" if one.spared else ""
    return cleaned(f"{one.repo}/{one.job}: {one.removed:,} go, {one.kept:,} stay{spared}")


def _answer(settings: Settings, work: _Work, *, dry_run: bool) -> None:
    events = sum(one.removed for one in work.done)
    archives = [path for one in work.done for path in one.archives]
    data = {
        "dry_run": dry_run,
        "events_cleaned": events,
        "events_archived": sum(one.removed for one in work.done if one.archives),
        "bytes": sum(one.removed_bytes for one in work.done),
        "jobs": [attrs.asdict(one) for one in work.done],
    }
    warnings = [Diagnostic.of_damage(one, "warning") for one in work.damage]

    def show(_: Console) -> None:
        _say(work.done, archives, dry_run=dry_run)

    status = "partial" if work.failed else "ok"
    settings.finish(data, [*work.failed, *warnings], show, status=status)
    if work.failed:
        raise click.exceptions.Exit(_PARTIAL)


def _say(done: Sequence[CleanedEvents], archives: Sequence[str], *, dry_run: bool) -> None:
    events = sum(one.removed for one in done)
    spared = sum(one.spared for one in done)
    if not events:
        say("Nothing to remove." if not spared else "Nothing can be removed now.")
    elif not dry_run:
        say(f"Removed {events:,} events.")
    for path in archives:
        say(f"  archived in {cleaned(path)}")
    if spared:
        say(
            f"{spared:,} more are beyond the limits and stay for now: their writer lives, or newer ones lie before them."
        )
