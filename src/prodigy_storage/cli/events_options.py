"""What the verbs of `events` share: filters, and where the records are read from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

import attrs
import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import times
from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import canonical_type
from prodigy_storage.services.events import EventReader
from prodigy_storage.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    """The callback of options that take a time."""
    if value is None:
        return None
    try:
        return times.since(value, SystemClock().now())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_JOBS = (
    click.option("--all-jobs", is_flag=True, help="Of every job, which is what happens without --job-id."),
    click.option(
        "--job-id", metavar="ID", multiple=True, help="Of this job, by its id or that of its session; several times."
    ),
    click.option("--repo", metavar="NAME", help="Of one project."),
)
_FILTERS = (
    click.option(
        "--file", metavar="FILE", help="Read this file of records (plain, gzip, zstd) in the place of the store."
    ),
    click.option("--since", metavar="TIME", callback=moment, help=f"Not older than TIME: {times.ALLOWED}."),
    click.option("--correlation-id", metavar="ID", help="What belongs to one run."),
    click.option("--agent-id", metavar="ID", help="Of one agent."),
    click.option("--event-type", metavar="TYPE", multiple=True, help="Of this type; may be given several times."),
)


def of_jobs(command: F) -> F:
    """Add `--repo`, `--job-id` and `--all-jobs`."""
    for option in _JOBS:
        command = option(command)
    return command


def filtered(command: F) -> F:
    """Add every filter; `reading` takes them."""
    for option in _FILTERS:
        command = option(command)
    return of_jobs(command)


@attrs.frozen
class Source:
    """Where records are read, and which are wanted."""

    reader: EventReader
    wanted: EventFilter

    @property
    def known(self) -> Sequence[str]:
        """The types of events that are known."""
        return list(self.reader.codec.types.classes)


def jobs_of(store: Store, chosen: dict[str, Any]) -> list[str] | None:
    """The ids of the chosen jobs; None for all.

    Raises:
        UsageError: some are named, and all are asked for.
    """
    if chosen["all_jobs"] and chosen["job_id"]:
        raise click.UsageError("--all-jobs and --job-id do not go together")
    return [str(job_named(store, id)) for id in chosen["job_id"]] or None


@contextmanager
def reading(
    settings: Settings, chosen: dict[str, Any], *, limit: int | None = None, growing: bool = False
) -> Iterator[Source]:
    """Open what the options say.

    Args:
        settings: The common options.
        chosen: The filters.
        limit: The newest so many.
        growing: Whether a file may be written to at the same time.
    """
    members = {name: chosen[name] for name in ("agent_id", "correlation_id", "since")}
    wanted = EventFilter(types=chosen["event_type"], limit=limit, **members)
    if chosen["file"] is None:
        with settings.open() as store:
            yield Source(store.events, attrs.evolve(wanted, repo=chosen["repo"], job=jobs_of(store, chosen)))
        return
    if chosen["repo"] is not None:
        raise click.UsageError("--repo and --file do not go together: the records in a file name no project")
    from prodigy_storage.adapters.files.record_file import RecordFile  # noqa: PLC0415  # only --file needs it

    file = RecordFile(chosen["file"], keep=_naming(chosen["job_id"]), growing=growing)
    with closing(file):
        yield Source(EventReader(file, EventCodec(), SystemClock()), wanted)


def _naming(jobs: Sequence[str]) -> Callable[[bytes], bool] | None:
    """Whether a line's event names one of these jobs; one that cannot be read is passed on, to be reported."""
    if not jobs:
        return None

    def keep(line: bytes) -> bool:
        try:
            return json.loads(line)["event"].get("job_id") in jobs
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return True

    return keep


def nothing(settings: Settings, chosen: dict[str, Any], known: Sequence[str], *, searched: bool = False) -> None:
    """Say that there is nothing to show, and why that may be."""
    for name in chosen["event_type"]:
        if canonical_type(name) not in known:
            near = get_close_matches(canonical_type(name), known, n=1)
            say(f"{name} is no built-in type of event{f'; did you mean {near[0]}?' if near else '.'}")
    if searched or any(value for name, value in chosen.items() if name != "all_jobs"):
        say("No events fit.")
    else:
        say(f"No events yet. Start something that makes some: {settings.command('demo')}")
