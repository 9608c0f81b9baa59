"""`locks show` and `locks break`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs
import click
from rich.console import Console
from rich.text import Text

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.locks import members
from prodigy_storage.cli.looking import MARK, completed, suggesting
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.times import exact
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.cli.who import me
from prodigy_storage.codecs.values import moment, time_text
from prodigy_storage.errors import NotFound
from prodigy_storage.ports.locks import Lease, LockBreak
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Damage
from prodigy_storage.store import Store

_REPO = click.option("--repo", metavar="NAME", help="Of one project, where an id is not enough.")
_ALIVE = {True: "which lives", False: "which is gone", None: "of which nothing is known"}


@click.command("show", epilog=example("locks show SESSION_OR_JOB", "locks show SESSION_OR_JOB --json"))
@click.argument("id")
@_REPO
@common
@pass_settings
def show(settings: Settings, id: str, repo: str | None) -> None:
    """Show who holds a job, by its id or that of its session, and every time its lock was broken by hand."""
    with settings.open() as store:
        damage: list[Damage] = []
        scope, name = _place(store, id, repo)
        lease = next((one for one in store.locks.list(damage.append) if (one.scope, one.name) == (scope, name)), None)
        breaks = store.locks.breaks(scope, name, damage.append)
    data = {
        "lock": lease and members(lease),
        "breaks": [_broken(one) for one in breaks],
        "repo": scope[0] if scope else None,
        "job_id": name,
    }
    settings.answer(data, damage, lambda out: _show_one(out, name, lease, breaks))


@click.command(
    "break",
    epilog=example("locks break SESSION_OR_JOB --reason 'host is gone'", "locks break SESSION_OR_JOB --force --yes"),
)
@click.argument("id")
@_REPO
@click.option("--reason", metavar="TEXT", default="", help="Why; kept with the lock.")
@click.option("--force", is_flag=True, help="Also if the holder lives, or may live.")
@destructive
@common
@pass_settings
def break_(
    settings: Settings, /, id: str, repo: str | None, reason: str, force: bool, *, yes: bool, dry_run: bool
) -> None:
    """Take the lock of a job from its holder, by the id of the job or of its session.

    The holder is fenced: it can write nothing more under this lock. Who broke it and why is kept; `locks show` tells.
    A holder that is known to be dead needs no breaking: the next resume takes over from it.
    """
    with settings.open() as store:
        scope, name = _place(store, id, repo)
        lease = next((one for one in store.locks.list(lambda _: None) if (one.scope, one.name) == (scope, name)), None)
        what = (
            f"Break the lock of {name}, held by {_holder(lease.owner)}, {_ALIVE[lease.alive]}"
            if lease
            else (f"Break the lock of {name}, whose holder cannot be read")
        )
        broken: LockBreak | None = None
        if agreed(what, yes=yes, dry_run=dry_run):
            broken = store.locks.break_lock(scope, name, by=me(), reason=reason, force=force)
    data = {"broken": broken and _broken(broken), "job_id": name, "dry_run": dry_run}
    settings.answer(data, (), lambda _: say(f"The lock of {name} is broken. Nobody holds it now.") if broken else None)


def _place(store: Store, text: str, repo: str | None) -> tuple[Scope, str]:
    """The scope and name of a lock that is held, or was broken, by its own name or what it is held for."""
    damage: list[Damage] = []
    leases, breaks = store.locks.list(damage.append), store.locks.breaks(on_damage=damage.append)
    known = [(lease.scope, lease.name, lease.purpose) for lease in leases]
    known += [(broken.scope, broken.name, broken.purpose) for broken in breaks]
    known += [((), one.id, "") for one in damage if one.id]
    known = [one for one in known if repo is None or one[0][:1] in ((), (repo,))]
    ids = [id for _, name, purpose in known for id in (name, purpose) if id]
    id = completed(text, ids) if MARK in text else text
    found = [(scope, name) for scope, name, purpose in known if id in (name, purpose)]
    if found:
        return found[-1] if len(set(found)) == 1 else _only(store, id, repo)
    try:
        return _only(store, id, repo)
    except NotFound as error:
        raise suggesting(NotFound(f"nobody holds {id}", hint="prodigy-storage locks list"), id, ids) from error


def _only(store: Store, id: str, repo: str | None) -> tuple[Scope, str]:
    setup = store.runs.find(id, repo=repo)
    return (setup.repo, setup.job_id), setup.job_id


def _holder(owner: Token | None) -> str:
    return f"pid {owner.pid} on {owner.host}" if owner else "nobody who can be named"


def _broken(one: LockBreak) -> dict[str, Any]:
    owner = one.owner
    return {
        "at": time_text(moment(one.at)),
        "by": one.by,
        "reason": one.reason,
        "epoch": one.epoch,
        "session_id": one.purpose,
        "holder": owner and attrs.asdict(owner),
        "alive": one.alive,
    }


def _show_one(out: Console, name: str, lease: Lease | None, breaks: Sequence[LockBreak]) -> None:
    now = SystemClock().now()
    for line in _lines(name, lease, breaks, now):
        out.print(line, soft_wrap=True)


def _lines(name: str, lease: Lease | None, breaks: Sequence[LockBreak], now: datetime) -> Iterator[Text]:
    yield Text(clean(name), "bold")
    rows: list[Sequence[Cell]] = [[("holder", "dim"), "nobody"]]
    if lease is not None:
        rows = [
            [("holder", "dim"), f"{_holder(lease.owner)}, {_ALIVE[lease.alive]}"],
            [("session", "dim"), lease.purpose],
            [("since", "dim"), exact(moment(lease.acquired_at), now)],
            [("epoch", "dim"), str(lease.epoch)],
        ]
    for one in breaks:
        why = f": {one.reason}" if one.reason else ""
        rows.append([("broken", "dim"), f"{exact(moment(one.at), now)} by {one.by}{why}"])
        rows.append([("", "dim"), f"was held by {_holder(one.owner)}, {_ALIVE[one.alive]} (epoch {one.epoch})"])
    yield from table((Column(title=""), Column(title="")), rows, 0)
