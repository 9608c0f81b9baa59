"""`sessions pause`, `cancel` and `clean`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import click

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.looking import job_of, known_id
from prodigy_storage.cli.output import say
from prodigy_storage.cli.progress import tracked
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.times import span
from prodigy_storage.cli.values import value
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.cli.who import me
from prodigy_storage.codecs.quantities import duration, duration_text
from prodigy_storage.errors import Locked
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.runs import Cleanable, Stopping
from prodigy_storage.store import Store

_PARTIAL = 6
_REPO = click.option("--repo", metavar="NAME", help="Of one project, where a job id is not enough.")
_REASON = click.option("--reason", metavar="TEXT", default="", help="Why; the run is told.")
_WAIT = click.option(
    "--wait",
    metavar="TIME",
    default="10s",
    show_default=True,
    callback=value(duration),
    help="How long to wait for a run that is asked; 0s: not at all.",
)


@click.command("pause", epilog=example("sessions pause SESSION_OR_JOB", "sessions pause SESSION_OR_JOB --wait 5m"))
@click.argument("id")
@_REPO
@_REASON
@_WAIT
@common
@pass_settings
def pause(settings: Settings, id: str, repo: str | None, reason: str, wait: timedelta) -> None:
    """Pause a session, by its id or that of its job.

    A run that lives is asked: it finishes what it is at, claims nothing more and pauses. A session that nobody runs is
    paused at once. Exit code 1: it was asked, and has not stopped yet.
    """
    with settings.open() as store:
        stopping = _stop(store, known_id(store, id), SessionStatus.PAUSED, repo=repo, reason=reason, wait=wait)
        _answer(settings, store, stopping, "paused")


@click.command("cancel", epilog=example("sessions cancel SESSION_OR_JOB --yes --reason 'wrong branch'"))
@click.argument("id")
@_REPO
@_REASON
@_WAIT
@destructive
@common
@pass_settings
def cancel(
    settings: Settings, /, id: str, repo: str | None, reason: str, wait: timedelta, *, yes: bool, dry_run: bool
) -> None:
    """Cancel a session, by its id or that of its job: it can never go on. What it has done is kept.

    A run that lives is asked, as by `pause`. Exit code 1: it was asked, and has not stopped yet.
    """
    with settings.open() as store:
        session = _session(store, known_id(store, id), repo)
        if session.status is SessionStatus.CANCELLED or agreed(
            f"Cancel {session.id}, which is {session.status.value} and can never go on then", yes=yes, dry_run=dry_run
        ):
            stopping = _stop(store, session.id, SessionStatus.CANCELLED, repo=repo, reason=reason, wait=wait)
            _answer(settings, store, stopping, "cancelled")
        else:
            settings.finish({"session": body(store.sessions.load(session.id).document), "dry_run": True}, (), _nothing)


def _nothing(_: object) -> None:
    """What was said is all."""


def _session(store: Store, id: str, repo: str | None) -> Session:
    """The session that an id, its own or its job's, stands for."""
    session = store.sessions.find(id)
    return session or store.sessions.get(job_of(store, id, repo=repo).session_id)


def _stop(store: Store, id: str, wanted: SessionStatus, *, repo: str | None, reason: str, wait: timedelta) -> Stopping:
    session = _session(store, id, repo)
    if session.mapreduce_data is None:
        error = f"cancelled by {me()}{f': {reason}' if reason else ''}" if wanted is SessionStatus.CANCELLED else None
        return Stopping(session=store.sessions.move(session.id, wanted, error=error))
    stop = store.runs.pause if wanted is SessionStatus.PAUSED else store.runs.cancel
    return stop(session.id, by=me(), reason=reason, repo=repo, wait=wait.total_seconds())


def _answer(settings: Settings, store: Store, stopping: Stopping, done: str) -> None:
    session, asked = stopping.session, stopping.asked
    pid = asked.owner.pid if asked and asked.owner else None
    findings = []
    if asked is not None:
        message = f"{session.id} was asked, and has not stopped yet; pid {pid} finishes what it is at"
        hint = f"See how it stands: {settings.command('sessions', 'show', session.id)}"
        findings.append(Diagnostic(level="warning", code="asked", message=message, hint=hint))
    over = session.status.value.lower()
    said = f"{session.id} is {over}." if over == done else f"{session.id} was faster: it is {over}."
    data = {"session": body(store.sessions.load(session.id).document), "asked": pid}
    settings.finish(data, findings, lambda _: None if asked else say(said))


@click.command(
    "clean", epilog=example("sessions clean --older-than 30d --dry-run", "sessions clean --older-than 7d --yes --json")
)
@click.option(
    "--older-than",
    metavar="TIME",
    default="30d",
    show_default=True,
    callback=value(duration),
    help="Ended before that.",
)
@click.option("--repo", metavar="NAME", help="Of one project.")
@destructive
@common
@pass_settings
def clean(settings: Settings, older_than: timedelta, repo: str | None, *, yes: bool, dry_run: bool) -> None:
    """Remove completed and cancelled sessions, with the checkpoints, progress and mappings of their jobs.

    Age counts from their end. What runs, waits or has failed can go on, and is never removed: cancel it first. Events
    and dead letters stay. A removal that is interrupted goes on with the next one.
    """
    with settings.open() as store:
        found = store.runs.cleanable(older_than=older_than, repo=repo)
        what = f"Remove {len(found):,} sessions that ended more than {duration_text(older_than)} ago"
        removed: list[Cleanable] = []
        failed: list[Diagnostic] = []
        if not found:
            say(f"No session ended more than {duration_text(older_than)} ago.")
        elif agreed(what, yes=yes, dry_run=dry_run, lines=[_line(one) for one in found]):
            removed = _remove(store.runs.remove, found, failed)
    data = {
        "sessions": [_members(one) for one in (found if dry_run else removed)],
        "removed": len(removed),
        "dry_run": dry_run,
    }
    said = f"{len(removed):,} removed." if removed else ""
    settings.finish(data, failed, lambda _: say(said) if said else None, status="partial" if failed else "ok")
    if failed:
        raise click.exceptions.Exit(_PARTIAL)


def _remove(
    remove: Callable[[Cleanable], None], found: Sequence[Cleanable], failed: list[Diagnostic]
) -> list[Cleanable]:
    removed = []
    for one in tracked(found, "clean", len(found)):
        try:
            remove(one)
        except Locked as error:
            failed.append(Diagnostic.of_error(error))
        else:
            removed.append(one)
    return removed


def _line(one: Cleanable) -> str:
    session = one.session
    ended = session.completed_at or session.updated_at
    ago = span((SystemClock().now() - ended).total_seconds())
    return f"{session.id}  {session.status.value}  {session.repo or ''}  ended {ago} ago"


def _members(one: Cleanable) -> dict[str, str | None]:
    return {"id": one.session.id, "job_id": one.job_id, "repo": one.session.repo, "status": one.session.status.value}
