"""`dlq retry`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import click

from prodigy_storage.cli import dlq_redrive_screen as screen
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.dlq_exec import Command
from prodigy_storage.cli.dlq_options import FILTER, REPO, job_with_letters
from prodigy_storage.cli.dlq_values import backoff, rate, seconds, share
from prodigy_storage.cli.interrupts import INTERRUPTED, Interrupts
from prodigy_storage.cli.output import emit, say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.errors import StorageError
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.redrives import Canary, ItemOutcome, RedriveSettings, TrialOutcome
from prodigy_storage.redrive import RedriveView, RunningRedrive, Selection
from prodigy_storage.store import Store

_PARTIAL = 6


@attrs.define(kw_only=True)
class Wishes:
    """What the command line asked for."""

    job: str | None
    repo: str | None
    items: tuple[str, ...]
    expression: str | None
    max_retries: int
    parallel: int
    force: bool
    dry_run: bool
    backoff: Backoff
    rate: float | None
    canary: int | None
    stop_above: float | None
    command: str | None
    timeout: float | None
    resume: str | None
    reason: str

    @property
    def settings(self) -> RedriveSettings:
        """How items are tried."""
        canary = Canary(items=self.canary, stop_above=self.stop_above or 0.0) if self.canary else None
        return RedriveSettings(
            max_retries=self.max_retries, force=self.force, backoff=self.backoff, rate=self.rate, canary=canary
        )

    def check(self) -> None:
        """See that the options fit together.

        Raises:
            UsageError: they don't.
        """
        if self.command is None and not self.dry_run:
            raise click.UsageError(
                "what should be run? Add --exec 'COMMAND', or --dry-run to see what would be retried"
            )
        if self.stop_above is not None and self.canary is None:
            raise click.UsageError("--stop-above goes with --canary")
        if self.resume is not None and (self.items or self.expression is not None or self.dry_run):
            raise click.UsageError(
                "--resume goes on with what was chosen then; leave --item, --filter and --dry-run out"
            )


@click.command(
    "retry",
    epilog=example(
        "dlq retry --exec './process.sh' --dry-run",
        "dlq retry --exec './process.sh' --filter \"item.kind == 'image'\" --parallel 4",
        "dlq retry --exec './process.sh' --canary 5 --stop-above 20% --rate 10/s",
    ),
)
@click.argument("job", required=False)
@REPO
@click.option("--item", "items", metavar="ITEM", multiple=True, help="Only this item; may be given several times.")
@FILTER
@click.option(
    "--max-retries", metavar="N", type=click.IntRange(min=1), default=3, show_default=True, help="Try each N times."
)
@click.option("--parallel", metavar="N", type=click.IntRange(1, 512), default=10, show_default=True, help="N at once.")
@click.option("--force", is_flag=True, help="Also those that are not eligible or wait for a review.")
@click.option("--dry-run", is_flag=True, help="Only say what would be retried.")
@click.option(
    "--backoff",
    metavar="WAIT",
    default="exponential:1s",
    show_default=True,
    callback=value(backoff),
    help="Between two tries: none, fixed:5s or exponential:1s.",
)
@click.option("--rate", metavar="RATE", callback=value(rate), help="At most so many tries: 10/s, 30/m.")
@click.option("--canary", metavar="N", type=click.IntRange(min=1), help="Try N first, the rest only if they do well.")
@click.option(
    "--stop-above", metavar="PCT", callback=value(share), help="With --canary: stop if more fail (default 0%)."
)
@click.option("--exec", "command", metavar="COMMAND", help="Run by the shell, the dead letter as JSON on its stdin.")
@click.option("--timeout", metavar="TIME", callback=value(seconds), help="End a command that runs longer: 30s, 5m.")
@click.option("--resume", metavar="ID", help="Go on with a redrive that was interrupted or stopped.")
@click.option("--reason", metavar="TEXT", default="", help="Why; kept with the redrive.")
@common
@pass_settings
def retry(settings: Settings, /, **wishes: Any) -> None:
    """Run the dead letters of JOB again (its id, or that of its session; without one, of the only job that has some).

    A command that ends with exit code 0 has succeeded, and the dead letter is removed. Otherwise its output and exit
    code go into the history. Several of these may run at once: no item is run by two.

    Exit codes: 0 all succeeded or nothing to do, 6 when any item failed or was skipped, 130 interrupted.
    """
    wanted = Wishes(**wishes)
    wanted.check()
    with Interrupts() as interrupts, settings.open() as store:
        if wanted.resume is not None:
            repo, job = wanted.repo, None
            if wanted.job is not None:
                repo, job = job_with_letters(store, wanted.job, wanted.repo)
            _work(settings, store, interrupts, wanted, store.redrives.resume(wanted.resume, repo=repo, job=job))
            return
        repo, job = job_with_letters(store, wanted.job, wanted.repo)
        ids = wanted.items or None
        chosen = store.redrives.select(repo, job, filter=wanted.expression, ids=ids, force=wanted.force)
        if wanted.dry_run or not chosen.items:
            _tell(settings, chosen, dry_run=wanted.dry_run)
            return
        screen.announce(chosen)
        running = store.redrives.start(
            repo, job, filter=wanted.expression, ids=ids, settings=wanted.settings, reason=wanted.reason
        )
        _work(settings, store, interrupts, wanted, running)


def _tell(settings: Settings, chosen: Selection, *, dry_run: bool) -> None:
    data = {
        "items": [{"item_id": letter.item_id, "failure_count": letter.failure_count} for letter in chosen.letters],
        "refused": [letter.item_id for letter in chosen.refused],
        "passed_over": chosen.passed_over,
        "dry_run": dry_run,
    }
    settings.answer(data, chosen.damage, lambda out: screen.selection(out, chosen))


def _stop(stop: _Stop, _: attrs.Attribute[bool], value: bool) -> bool:
    stop.command.stopping = value
    if value:
        stop.running.stop()
    return value


@attrs.define
class _Stop:
    """What Ctrl-C stops, by setting `stopping`."""

    command: Command
    running: RunningRedrive
    stopping: bool = attrs.field(default=False, on_setattr=_stop)


def _work(settings: Settings, store: Store, interrupts: Interrupts, wanted: Wishes, running: RunningRedrive) -> None:
    command = Command(wanted.command or "", wanted.timeout)
    again = settings.command("dlq", "retry", "--resume", running.id, "--exec", command.text)
    try:
        with contextlib.suppress(KeyboardInterrupt), running:
            interrupts.protect(_Stop(command, running))
            say(running.id)
            with _progress(running) as running.on_outcome:
                running.drive(command, parallel=wanted.parallel)
    except StorageError as error:
        error.hint = f"What was acknowledged is kept. When this is mended, go on with:\n{again}"
        raise
    view = store.redrives.show(running.id)
    if interrupts.asked:
        _interrupted(settings, view, again)
        raise click.exceptions.Exit(INTERRUPTED)
    _answer(settings, view, again)


@contextlib.contextmanager
def _progress(running: RunningRedrive) -> Iterator[Callable[[ItemOutcome], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from prodigy_storage.cli.progress import bars  # noqa: PLC0415  # only a terminal needs it

    counts = running.counts
    total = sum(counts.values())
    with bars() as shown:
        task = shown.add_task("retry", total=total, completed=total - counts["pending"])
        yield lambda one: shown.advance(task, one.outcome is not TrialOutcome.RETRYING)


def _interrupted(settings: Settings, view: RedriveView, again: str) -> None:
    counts = view.counts
    say(f"Interrupted: {counts['done']:,} done, {counts['pending']:,} left. Go on with:\n  {again}")
    if settings.json:
        found = Diagnostic(code="interrupted", message="the redrive was interrupted", hint=f"Go on with: {again}")
        emit("error", None, [found])


def _answer(settings: Settings, view: RedriveView, again: str) -> None:
    counts = view.counts
    partial = bool(counts["failed"] or counts["skipped"] or counts["pending"])
    damage = [Diagnostic.of_damage(one, level="warning") for one in view.damage]
    status = "partial" if partial else "ok"
    settings.finish(screen.members(view), damage, lambda out: screen.closing(out, view, again), status=status)
    if partial:
        raise click.exceptions.Exit(_PARTIAL)
