"""Progress of long work: bars on stderr, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from prodigy_storage.cli.screen import console
from prodigy_storage.cli.times import clock

T = TypeVar("T")
_UPDATES_PER_SECOND = 8


class _Elapsed(ProgressColumn):
    """The time since the start, without a colour that would mean something."""

    def render(self, task: Task) -> Text:
        """`h:mm:ss`."""
        return Text(clock(task.finished_time if task.finished and task.finished_time else task.elapsed or 0.0))


def bars(*more: ProgressColumn) -> Progress:
    """Bars on stderr, with the count and the time, and `more` columns behind them."""
    columns = (
        TextColumn("  {task.description:7}"),
        BarColumn(bar_width=None, complete_style="default", finished_style="green", pulse_style="default"),
        TextColumn("{task.completed:,}/{task.total:,}"),
        _Elapsed(),
    )
    return Progress(
        *columns,
        *more,
        console=console(sys.stderr),
        refresh_per_second=_UPDATES_PER_SECOND,
        redirect_stdout=False,
        redirect_stderr=False,
        expand=True,
    )


def tracked(things: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The same things, with a bar while they are worked on, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield from things
        return
    with bars() as shown:
        task = shown.add_task(what, total=total)
        for thing in things:
            yield thing
            shown.advance(task)


@contextmanager
def counting(what: str) -> Iterator[Callable[[object], None]]:
    """A callback to call after each step of work whose length is not known; it counts, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("  {task.description:7}"), TextColumn("{task.completed:,}"), _Elapsed())
    with Progress(
        *columns, console=console(sys.stderr), refresh_per_second=_UPDATES_PER_SECOND, transient=True
    ) as shown:
        task = shown.add_task(what, total=None)
        yield lambda _: shown.advance(task)
