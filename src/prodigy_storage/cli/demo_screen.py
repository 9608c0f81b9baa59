"""What the main job shows: where it is, and at the end what it found and where to look."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.progress import TextColumn

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.progress import bars
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.times import span
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.codecs.values import moment
from prodigy_storage.demo import Result
from prodigy_storage.demo.sources import Counts, default_input
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.jobs import JobState
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.runs import Run
from prodigy_storage.store import Store

_PACKAGES = 12
_LONG = 32
_FAILED = TextColumn("{task.fields[failed]:>9}")


def unfinished(settings: Settings, store: Store, session: Session) -> str:
    """What to say about an earlier run that has not come to its end."""
    setup = store.runs.find(session.id)
    state = store.runs.look(setup).state
    done = f"{len(state.done) + len(state.dead):,} of {len(setup.items):,} done"
    lease = store.locks.inspect((setup.repo, setup.job_id), setup.job_id)
    if lease is not None and lease.owner is not None and lease.alive is not False:
        return f"Another run is under way: {session.id}\n  {done}, by pid {lease.owner.pid} on {lease.owner.host}."
    killed = session.status in (SessionStatus.INITIALIZING, SessionStatus.RUNNING)
    how = "killed" if killed else session.status.value.lower()
    ago = span((SystemClock().now() - _last_sign(session, state)).total_seconds())
    return (
        f"An unfinished run was found: {session.id}\n"
        f"  {done}, stopped {ago} ago ({how}). Go on with:\n"
        f"  {settings.command('demo', '--resume', session.id)}"
    )


def _last_sign(session: Session, state: JobState) -> datetime:
    settled = [*state.done.values(), *state.dead.values()]
    return max([session.updated_at, *(moment(progress.at) for progress in settled)])


def announce(settings: Settings, run: Run, workers: int) -> None:
    """Say what begins, before it does."""
    where = _short(shown(str(run.setup.metadata["input"])))
    kept = f"\nEverything is kept in {settings.place}."
    if run.done:
        say(f"{run.total:,} of {run.total:,} Python files below {where} are done already.{kept}")
        return
    what = f"Parsing {_files(run.total)}" if not run.settled else "Going on with "
    if run.settled:
        what += f"{run.total - run.settled:,} of {_files(run.total)}"
    say(f"{what} below {where} with {workers} worker{'s'[: workers != 1]}.{kept}")


def _short(path: str) -> str:
    """The last two names of a long path; `sessions show` has it whole."""
    names = path.split("/")
    return path if len(path) <= _LONG or len(names) < 4 else f"…/{'/'.join(names[-2:])}"


def _files(count: int) -> str:
    return counted(count, "Python file")


class Report(Protocol):
    """Told whenever an item was settled, and at the end how many packages were added up."""

    def __call__(self, run: Run, *, reduced: int | None = None) -> None:
        """Show where the run is."""
        ...


@contextlib.contextmanager
def progress(run: Run) -> Iterator[Report]:
    """Show bars on stderr while the job runs, if that is a terminal."""
    if not sys.stderr.isatty():
        yield _silent
        return
    with bars(_FAILED) as screen:
        mapping = screen.add_task("map", total=run.total, completed=run.settled, failed=_failed(run))
        reducing = screen.add_task("reduce", total=1, start=False, failed="", visible=False)

        def report(run: Run, *, reduced: int | None = None) -> None:
            screen.update(mapping, completed=run.settled, failed=_failed(run))
            if reduced is not None:
                screen.start_task(reducing)
                screen.update(reducing, total=reduced, completed=reduced, visible=True)

        yield report


def _silent(run: Run, *, reduced: int | None = None) -> None:
    pass


def _failed(run: Run) -> str:
    count = run.settled - run.completed
    return f"[red]{count:,} failed[/red]" if count else ""


def closing(settings: Settings, out: Console, store: Store, run: Run, result: Result) -> None:
    """What was found, and the commands that show more of it."""
    if result.totals:
        out.print()
        for line in table(_COLUMNS, _rows(result.totals), out.width):
            out.print(line, soft_wrap=True)
        out.print()
    events = store.events.stats(EventFilter(repo=run.setup.repo, job=run.job_id)).total
    checkpoints = len(store.checkpoints.list(run.setup.repo, run.job_id).checkpoints)
    dead = len(result.dead_letters)
    out.print(
        f"Done: {result.completed:,} parsed, {counted(dead, 'dead letter')}, {events:,} events, "
        f"{checkpoints} checkpoint{'s'[: checkpoints != 1]}.",
        soft_wrap=True,
    )
    for command in _look_around(settings, run, result):
        out.print(command, soft_wrap=True)


_COLUMNS = (
    Column(title="package", cut="end"),
    *(Column(title=title, right=True) for title in ("files", "lines", "functions", "classes")),
)


def _rows(totals: dict[str, Counts]) -> list[list[Cell]]:
    ordered = sorted(totals.items(), key=lambda pair: (-pair[1].lines, pair[0]))
    shown = ordered if len(ordered) <= _PACKAGES + 1 else ordered[:_PACKAGES]
    rows = [_row(name, counts) for name, counts in shown]
    rest = [counts for _, counts in ordered[len(shown) :]]
    if rest:
        rows.append(_row(f"… {len(rest):,} more", sum(rest, Counts(0, 0, 0, 0))))
    return [*rows, _row("all", sum(totals.values(), Counts(0, 0, 0, 0)), "bold")]


def _row(name: str, counts: Counts, style: str = "") -> list[Cell]:
    numbers = (counts.files, counts.lines, counts.functions, counts.classes)
    return [(name, style), *((f"{number:,}", style) for number in numbers)]


def _look_around(settings: Settings, run: Run, result: Result) -> Iterator[str]:
    yield "Look around:"
    yield f"  {settings.command('sessions', 'show', run.session_id)}"
    if result.dead_letters:
        yield f"  {settings.command('dlq', 'list', '--job-id', run.job_id)}"
    yield f"  {settings.command('events', 'stats', '--job-id', run.job_id)}"
    if result.items > 1:
        count = str(min(500, result.items // 2))
        yield f"Try to break it: {settings.command('demo', *_input(run), '--crash-after', count)}"
        yield f"  and then:      {settings.command('demo', '--resume')}"


def _input(run: Run) -> tuple[str, ...]:
    stored = str(run.setup.metadata["input"])
    return () if stored == str(default_input()) else ("--input", stored)
