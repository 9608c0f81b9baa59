"""`locks`: who holds what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.times import span
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.values import moment, time_text
from prodigy_storage.ports.locks import Lease
from prodigy_storage.ports.storage import Damage

_COLUMNS = (
    Column(title="job", cut="middle", least=20),
    Column(title="session", cut="middle", least=17),
    Column(title="pid", right=True),
    Column(title="host", cut="end"),
    Column(title="since", right=True),
    Column(title="holder"),
)
_HOLDER: dict[bool | None, Cell] = {True: ("alive", "green"), False: ("dead", "red"), None: ("unknown", "yellow")}


_CHANGES = "prodigy_storage.cli.locks_changes"
_LAZY = {
    "show": (f"{_CHANGES}:show", "Show one lock, and when it was broken by hand."),
    "break": (f"{_CHANGES}:break_", "Take a lock from its holder, who is fenced."),
}


@click.group(
    cls=Verbs,
    lazy=_LAZY,
    aliases={"ls": "list", "inspect": "show"},
    epilog=example("locks list", "locks show SESSION_OR_JOB", "locks break SESSION_OR_JOB --reason 'host is gone'"),
)
@common
def locks() -> None:
    """List who holds which job, show a lock, break one."""


@locks.command("list", epilog=example("locks list", "locks list --json"))
@common
@pass_settings
def list_(settings: Settings) -> None:
    """List the jobs that are held, also by processes that are gone: those are taken over at the next resume."""
    with settings.open() as store:
        damage: list[Damage] = []
        leases = sorted(store.locks.list(damage.append), key=lambda lease: lease.acquired_at, reverse=True)
    settings.answer({"locks": [members(lease) for lease in leases]}, damage, lambda out: _show(out, leases))


def members(lease: Lease) -> dict[str, Any]:
    """The members of a resume lock, and what the lease knows beside them."""
    assert lease.owner is not None  # it is held
    return {
        "job_id": lease.name,
        "process_id": lease.owner.pid,
        "hostname": lease.owner.host,
        "acquired_at": time_text(moment(lease.acquired_at)),
        "repo": lease.scope[0] if lease.scope else None,
        "session_id": lease.purpose,
        "epoch": lease.epoch,
        "alive": lease.alive,
    }


def _show(out: Console, leases: Sequence[Lease]) -> None:
    if not leases:
        say("Nothing is held: no job runs.")
        return
    now = SystemClock().now()
    for line in table(_COLUMNS, [_row(lease, now) for lease in leases], out.width):
        out.print(line, soft_wrap=True)


def _row(lease: Lease, now: datetime) -> Sequence[Cell]:
    assert lease.owner is not None  # it is held
    ago = span((now - moment(lease.acquired_at)).total_seconds())
    return [lease.name, lease.purpose, str(lease.owner.pid), lease.owner.host, ago, _HOLDER[lease.alive]]
