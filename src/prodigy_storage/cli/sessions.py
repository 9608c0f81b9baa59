"""`sessions`: what ran, what runs, and how it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli import sessions_screen, times
from prodigy_storage.cli.looking import job_of, known_id
from prodigy_storage.cli.output import say
from prodigy_storage.cli.records import body
from prodigy_storage.cli.sessions_screen import Whole
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.errors import NotFound
from prodigy_storage.model.sessions import SessionStatus, SessionType
from prodigy_storage.store import Store

_CHANGES = "prodigy_storage.cli.sessions_changes"
_LAZY = {
    "pause": (f"{_CHANGES}:pause", "Pause a session; a run that lives is asked."),
    "cancel": (f"{_CHANGES}:cancel", "Cancel a session, so that it never goes on."),
    "clean": (f"{_CHANGES}:clean", "Remove sessions that ended long ago."),
}


@click.group(
    cls=Verbs,
    lazy=_LAZY,
    aliases={"ls": "list", "inspect": "show"},
    epilog=example("sessions list", "sessions show SESSION_OR_JOB", "sessions pause SESSION_OR_JOB"),
)
@common
def sessions() -> None:
    """List sessions, show one and how it goes on, pause, cancel and clean them."""


def _since(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else times.since(text, SystemClock().now())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _choice(values: Sequence[str]) -> click.Choice[str]:
    return click.Choice(values, case_sensitive=False)


@sessions.command(
    "list",
    epilog=example(
        "sessions list", "sessions list --status paused", "sessions list --resumable", "sessions list --since 2d --json"
    ),
)
@click.option("--status", type=_choice([status.value for status in SessionStatus]), help="In this status only.")
@click.option("--type", "kind", type=_choice([type.value for type in SessionType]), help="Of this type only.")
@click.option("--repo", metavar="NAME", help="Of one project.")
@click.option("--since", metavar="TIME", callback=_since, help=f"Started then or later: {times.ALLOWED}.")
@click.option("--resumable", is_flag=True, help="Only those that can go on now: not over, and run by nobody.")
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=20, show_default=True, help="The newest N.")
@click.option("--all", "everything", is_flag=True, help="All of them, whatever the limit.")
@common
@pass_settings
def list_(
    settings: Settings,
    /,
    limit: int,
    everything: bool,
    since: datetime | None,
    resumable: bool,
    **chosen: str | None,
) -> None:
    """List sessions, the newest first."""
    status, kind = chosen["status"], chosen["kind"]
    with settings.open() as store:
        found = store.sessions.list(
            status=SessionStatus(status) if status else None,
            type=SessionType(kind) if kind else None,
            repo=chosen["repo"],
            since=since,
        )
        killed = {lease.purpose for lease in store.locks.list(lambda _: None) if lease.alive is False}
        free = {one.session.id for one in store.runs.resumable() if one.holder is None} if resumable else set()
    newest = [loaded for loaded in found.loaded[::-1] if not resumable or loaded.value.id in free]
    part = newest if everything else newest[:limit]
    data = {"sessions": [body(loaded.document) for loaded in part], "total": len(newest)}
    listed, filtered = [loaded.value for loaded in part], any((*chosen.values(), since, resumable))

    def show(out: Console) -> None:
        if not newest:
            say("No sessions fit." if filtered else f"No sessions yet. Start one: {settings.command('demo')}")
            return
        for line in sessions_screen.listing(listed, killed, out.width, SystemClock().now()):
            out.print(line, soft_wrap=True)
        part = "" if len(listed) == len(newest) else " (--all shows the rest)"
        say(f"{len(listed):,} of {len(newest):,} shown{part}. One whole: {settings.prefix} sessions show ID")

    settings.answer(data, found.damage, show)


@sessions.command(
    "show",
    short_help="Show one session, and how it goes on.",
    epilog=example("sessions show SESSION_OR_JOB", "sessions show SESSION_OR_JOB --json"),
)
@click.argument("id")
@common
@pass_settings
def show(settings: Settings, id: str) -> None:
    """Show one session, by its id or that of its job: where it stands, and how it goes on."""
    with settings.open() as store:
        whole = _whole(store, known_id(store, id))
    data = {
        "session": whole.stored,
        "checkpoints": whole.checkpoints,
        "progress": {"total": whole.total, "completed": whole.completed, "dead_letters": whole.dead},
        "holder": whole.holder_json(),
        "resumable": whole.resumable,
    }
    settings.answer(data, whole.damage, lambda out: _show_one(settings, out, whole))


def _whole(store: Store, id: str) -> Whole:
    setup = None
    session = store.sessions.find(id)
    if session is None or session.mapreduce_data is not None:
        try:
            setup = job_of(store, id)
        except NotFound:
            if session is None:
                raise
    if setup is None:
        return Whole(session=store.sessions.load(id))
    found = store.runs.look(setup)
    return Whole(
        session=store.runs.session(setup),
        setup=setup,
        total=len(setup.items),
        completed=len(found.state.done),
        dead=len(found.state.dead),
        checkpoints=[info.id for info in store.checkpoints.list(setup.repo, setup.job_id).checkpoints],
        lease=store.locks.inspect((setup.repo, setup.job_id), setup.job_id),
        damage=tuple(found.damage),
    )


def _show_one(settings: Settings, out: Console, whole: Whole) -> None:
    for line in sessions_screen.whole(settings, whole, SystemClock().now()):
        out.print(line, soft_wrap=True)
