"""`demo`: the main job."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import demo_screen
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.interrupts import INTERRUPTED, Interrupts, on_user_signal
from prodigy_storage.cli.looking import job_of
from prodigy_storage.cli.output import emit, say
from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.demo import Demo, Result
from prodigy_storage.demo.job import WORKFLOW
from prodigy_storage.demo.sources import default_input, find
from prodigy_storage.errors import Fenced, Locked, NotFound, StorageError
from prodigy_storage.model.checkpoints import ResumeStrategy
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.model.values import Json
from prodigy_storage.ports.storage import Capability
from prodigy_storage.runs import Run
from prodigy_storage.store import Store

_NEWEST = "\0newest"  # no argument can have a NUL


@attrs.frozen(kw_only=True)
class Wishes:
    """What the command line asked for."""

    input: Path | None
    workers: int
    crash_after: int | None
    resume: str | None
    force: bool
    strategy: str | None


@click.command(
    epilog=example(
        "demo", "demo --input ~/projects --workers 4", "demo --crash-after 500", "demo --resume", "demo --json"
    )
)
@click.option(
    "--input",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Parse the .py files below DIR (default: Python's standard library).",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 512),
    default=lambda: len(os.sched_getaffinity(0)),
    help="Parse in N processes (default: one for each usable core).",
)
@click.option(
    "--crash-after", metavar="N", type=click.IntRange(min=1), help="Kill everything (kill -9) after N settled files."
)
@click.option(
    "--resume",
    metavar="[ID]",
    is_flag=False,
    flag_value=_NEWEST,
    help="Go on with an unfinished run: its session or job id, or the newest one.",
)
@click.option("--force", is_flag=True, help="With --resume: take the run over from a living process.")
@click.option(
    "--strategy",
    type=click.Choice([strategy.value for strategy in ResumeStrategy]),
    help="With --resume: from where it goes on (default: continue).",
)
@common
@pass_settings
def demo(settings: Settings, /, **wishes: Any) -> None:
    """Parse every Python file below a directory in worker processes; everything is kept in the store.

    The session id is the first line on stderr. Kill it when you like, and go on with --resume: what was done is not
    done again. Ctrl-C (or SIGTERM) stops in order, a second one at once; SIGUSR1 asks for a checkpoint.
    """
    wanted = Wishes(**wishes)
    for option in ("force", "strategy"):
        if getattr(wanted, option) and wanted.resume is None:
            raise click.UsageError(f"--{option} goes with --resume")
    began = SystemClock().monotonic()
    with Interrupts() as interrupts, _Advice() as advice, settings.open() as store:
        job = _job(settings, store, wanted)
        if wanted.resume is None:
            run = advice.run = _started(settings, job, interrupts, wanted)
        else:
            run = advice.run = _resumed(job, interrupts, wanted)
        demo_screen.announce(settings, run, wanted.workers)
        with on_user_signal(run.request_checkpoint):
            result = _worked(job, run)
        if result is None:
            _stopped(settings, store, run)
            raise click.exceptions.Exit(INTERRUPTED)
        _answer(settings, store, run, result, SystemClock().monotonic() - began)


def _job(settings: Settings, store: Store, wanted: Wishes) -> Demo:
    if Capability.MULTI_PROCESS not in store.storage.capabilities:
        raise click.UsageError(f"{settings.target} cannot be used by several processes, and the demo needs them")
    return Demo(store, settings.found.reopens, wanted.workers, crash_after=wanted.crash_after)


def _started(settings: Settings, job: Demo, interrupts: Interrupts, wanted: Wishes) -> Run:
    directory = Path(os.path.abspath(wanted.input or default_input()))  # noqa: PTH100  # links stay as they are named
    earlier = job.store.runs.newest_unfinished(WORKFLOW)
    note = demo_screen.unfinished(settings, job.store, earlier) if earlier else ""
    items = _found(directory)
    interrupts.protect(job)
    run = job.start(directory, items)
    say(run.session_id)
    if note:
        say(note)
    return run


def _found(directory: Path) -> dict[str, Json]:
    try:
        return find(directory)
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def _resumed(job: Demo, interrupts: Interrupts, wanted: Wishes) -> Run:
    setup = job_of(job.store, _newest(job.store) if wanted.resume == _NEWEST else str(wanted.resume))
    _check_input(job.store, setup, wanted)
    interrupts.protect(job)
    run = job.resume(
        setup.session_id, force=wanted.force, strategy=ResumeStrategy(wanted.strategy or ResumeStrategy.CONTINUE)
    )
    say(run.session_id)
    return run


def _newest(store: Store) -> str:
    session = store.runs.newest_unfinished(WORKFLOW)
    if session is None:
        raise NotFound("there is no unfinished demo run", hint="Start one: prodigy-storage demo")
    return session.id


def _check_input(store: Store, setup: Setup, wanted: Wishes) -> None:
    name = setup.metadata.get("workflow_name")
    if name != WORKFLOW:
        raise click.UsageError(f"{setup.session_id} is no demo run but {name!r}; whoever started it can go on with it")
    stored = Path(str(setup.metadata["input"]))
    if wanted.input is not None and wanted.input.resolve() != stored.resolve():
        raise click.UsageError(f"{setup.session_id} parses {stored}, not {wanted.input}; leave --input out")
    session = store.sessions.find(setup.session_id)
    over = session is not None and session.ended
    if not over and not stored.is_dir():
        raise click.UsageError(f"{stored}, which {setup.session_id} parses, is no directory any more")


class _Advice:
    """A context manager around the open store: lets an error of the store say how to go on."""

    def __init__(self) -> None:
        self.run: Run | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.run is not None and isinstance(error, StorageError) and not isinstance(error, Fenced | Locked):
            command = f"{NAME} demo --resume {self.run.session_id}"
            error.hint = f"What was acknowledged is kept. When this is mended, go on with:\n{command}"


def _go_on(settings: Settings, run: Run) -> str:
    return settings.command("demo", "--resume", run.session_id)


def _worked(job: Demo, run: Run) -> Result | None:
    with demo_screen.progress(run) as report:
        job.on_progress = report
        result = job.work(run)
        report(run, reduced=len(result.totals) if result else None)
    return result


def _stopped(settings: Settings, store: Store, run: Run) -> None:
    session = store.sessions.get(run.session_id)
    if session.status is SessionStatus.CANCELLED:
        message, hint, line = "the run was cancelled", "", f"Cancelled: {run.settled:,} of {run.total:,} done."
    else:
        message, hint = "the run was paused", f"Go on with: {_go_on(settings, run)}"
        line = f"Paused: {run.settled:,} of {run.total:,} done. Go on with:\n  {_go_on(settings, run)}"
    say(line)
    if settings.json:
        emit("error", None, [Diagnostic(code="interrupted", message=message, hint=hint)])


def _answer(settings: Settings, store: Store, run: Run, result: Result, seconds: float) -> None:
    data = {
        "session_id": result.session_id,
        "job_id": result.job_id,
        "items": result.items,
        "completed": result.completed,
        "dead_letters": list(result.dead_letters),
        "totals": {name: attrs.asdict(counts) for name, counts in result.totals.items()},
        "seconds": round(seconds, 3),
    }
    passed_over = [Diagnostic.of_damage(damage, level="warning") for damage in run.damage]
    show = functools.partial(demo_screen.closing, settings, store=store, run=run, result=result)
    settings.finish(data, passed_over, show, status="ok")
