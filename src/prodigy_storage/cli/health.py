"""`health`: whether the store really works here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import attrs
import click
import humanize
import psutil
from rich.console import Console

from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.repos import clashes
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import clean
from prodigy_storage.cli.times import milliseconds
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.services.health import Health

_LOW = 100_000_000
_DID = {
    "write": "wrote and synced",
    "read": "read back",
    "lock": "locked against a second taker",
    "kernel lock": "kernel lock kept a second process out",
    "remove": "removed",
}
_NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"),
        *("smb3", "smbfs", "vboxsf", "virtiofs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs"),
    )
)
"""File systems on which locks and syncs were not verified."""


@attrs.frozen(kw_only=True)
class Disk:
    """Where a store in files lies; bytes."""

    free: int
    total: int
    filesystem: str
    mount: str


@click.command(epilog=example("health", "health --root /srv/prodigy --json"))
@common
@pass_settings
def health(settings: Settings) -> None:
    """Try the store out: write, sync, read back, lock; and say how much space is free.

    Leaves nothing behind. A store that does not exist yet is not made.
    """
    directory = settings.directory if settings.store is None else None
    disk = _disk(directory) if directory else None
    if directory is not None and not directory.exists():
        _absent(settings, directory, disk)
        return
    with settings.open() as store:
        found = store.health()
        same_names = clashes(store.projects.claims())
    findings = [*_findings(found, disk), *same_names]
    data = {**attrs.asdict(found), "ok": found.ok, "root": settings.target, "disk": disk and attrs.asdict(disk)}
    settings.finish(data, findings, lambda out: _show(settings, out, found, disk))


def _absent(settings: Settings, directory: Path, disk: Disk | None) -> None:
    parent = _existing(directory)
    message = f"there is no store at {settings.place} yet"
    findings = []
    if not os.access(parent, os.W_OK | os.X_OK):
        findings.append(Diagnostic(code="read-only", message=f"{parent} cannot be written", path=str(parent)))
    data = {"ok": not findings, "root": settings.target, "trials": [], "disk": disk and attrs.asdict(disk)}

    def show(out: Console) -> None:
        able = "The first write cannot make it" if findings else "The first write makes it"
        out.print(f"{message[0].upper()}{clean(message[1:])}. {able}; {_space(disk)}.", soft_wrap=True)

    settings.finish(data, findings, show)


def _findings(found: Health, disk: Disk | None) -> list[Diagnostic]:
    findings = [
        Diagnostic(code="health", message=f"{trial.name}: {trial.problem}")
        for trial in found.trials
        if trial.problem is not None
    ]
    if disk is not None and disk.free < _LOW:
        findings.append(Diagnostic(code="space", message=f"only {humanize.naturalsize(disk.free)} are free"))
    return [*findings, *_warnings(disk)]


def _warnings(disk: Disk | None) -> list[Diagnostic]:
    if disk is None or disk.filesystem not in _NETWORK:
        return []
    message = f"{disk.mount} is a network file system ({disk.filesystem}); the store was not verified on any"
    hint = "Use it from one machine only, or keep the root on a local file system."
    return [Diagnostic(level="warning", code="network", message=message, hint=hint)]


def _show(settings: Settings, out: Console, found: Health, disk: Disk | None) -> None:
    out.print(f"{clean(settings.place)}", style="bold", soft_wrap=True)
    for trial in found.trials:
        mark, style = ("failed", "red") if trial.problem else ("ok", "green")
        what = trial.name if trial.problem else _DID.get(trial.name, trial.name)
        out.print(f"  {mark:7}", style=style, end="")
        out.print(f"{milliseconds(trial.milliseconds):>8}   {what}", soft_wrap=True)
    out.print(f"  {_space(disk)}", soft_wrap=True)
    out.print(f"  {', '.join(found.capabilities)}", soft_wrap=True)


def _space(disk: Disk | None) -> str:
    if disk is None:
        return "no disk"
    free, total = humanize.naturalsize(disk.free), humanize.naturalsize(disk.total)
    return f"{free} of {total} free, {disk.filesystem or 'unknown file system'} on {disk.mount}"


def _disk(directory: Path) -> Disk | None:
    place = os.path.realpath(_existing(directory))
    usage = shutil.disk_usage(place)
    fits = [part for part in psutil.disk_partitions(all=True) if _inside(place, part.mountpoint)]
    part: Any = max(fits, key=lambda part: len(part.mountpoint), default=None)
    return Disk(
        free=usage.free,
        total=usage.total,
        filesystem=part.fstype if part else "",
        mount=part.mountpoint if part else "",
    )


def _existing(directory: Path) -> Path:
    return next(path for path in (directory, *directory.parents) if path.exists())


def _inside(place: str, mount: str) -> bool:
    return mount in ("/", place) or place.startswith(mount.rstrip("/") + "/")
