"""`checkpoints`: what a job would go on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import click
from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.checkpoints_foreign import members, show_foreign
from prodigy_storage.cli.looking import MARK, completed, job_of, known_id, suggesting
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.records import body
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.times import exact, span
from prodigy_storage.cli.verbs import Verbs, common, example, pass_settings
from prodigy_storage.codecs.values import parse_time, time_text
from prodigy_storage.errors import Corrupt, NotFound
from prodigy_storage.model.checkpoints import CheckpointInfo
from prodigy_storage.model.jobs import Setup
from prodigy_storage.ports.storage import Damage, Document
from prodigy_storage.services.foreign_checkpoints import ForeignCheckpoint
from prodigy_storage.store import Store

_OPAQUE = ("progress", "events")  # cursors
REPO = click.option("--repo", metavar="NAME", help="Of one project, where a job id is not enough.")
_COLUMNS = (
    Column(title="checkpoint", cut="middle", least=20),
    Column(title="phase"),
    Column(title="completed", right=True),
    Column(title="dead", right=True),
    Column(title="made", right=True),
    Column(title=""),
)


_CHECKS, _CHANGES = "prodigy_storage.cli.checkpoints_checks", "prodigy_storage.cli.checkpoints_changes"
_LAZY = {
    "validate": (f"{_CHECKS}:validate", "Read checkpoints whole and say which are damaged."),
    "diff": (f"{_CHECKS}:diff", "Show what changed from one checkpoint to another."),
    "delete": (f"{_CHANGES}:delete", "Remove one checkpoint."),
    "clean": (f"{_CHANGES}:clean", "Remove checkpoints that retention lets go."),
    "export": (f"{_CHANGES}:export", "Write checkpoints of a job into a file."),
    "import": (f"{_CHANGES}:import_", "Store the checkpoints of an exported file."),
}


@click.group(
    cls=Verbs,
    lazy=_LAZY,
    aliases={"ls": "list", "inspect": "show", "rm": "delete"},
    epilog=example("checkpoints list SESSION_OR_JOB", "checkpoints show SESSION_OR_JOB", "checkpoints validate"),
)
@common
def checkpoints() -> None:
    """List the checkpoints of a job, show, validate and compare them, remove and move them."""


@checkpoints.command(
    "list",
    short_help="List the checkpoints of a job.",
    epilog=example("checkpoints list SESSION_OR_JOB", "checkpoints list --job-id JOB --json"),
)
@click.argument("id", required=False)
@click.option("--job-id", metavar="ID", help="The same as the argument.")
@REPO
@common
@pass_settings
def list_(settings: Settings, id: str | None, job_id: str | None, repo: str | None) -> None:
    """List the checkpoints of a job in their order; the newest sound one is what it goes on from.

    Those that Prodigy wrote are listed too, also of a workflow or a session.
    """
    if (id is None) == (job_id is None):
        raise click.UsageError("name one session or job: prodigy-storage checkpoints list ID")
    with settings.open() as store:
        listed = _listed(store, id or job_id or "", repo)
    settings.answer(listed.json(), listed.damage, lambda out: _show_list(settings, out, listed))


@attrs.frozen
class _Listed:
    """The checkpoints of something: ours, if it is a job, and Prodigy's."""

    setup: Setup | None
    ours: Sequence[CheckpointInfo]
    theirs: Sequence[ForeignCheckpoint]
    damage: Sequence[Damage]

    def json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "checkpoints": [_members(info) for info in self.ours],
            "prodigy_checkpoints": [members(one) for one in self.theirs],
        }
        return data | ({"repo": self.setup.repo, "job_id": self.setup.job_id} if self.setup else {})


def _listed(store: Store, text: str, repo: str | None) -> _Listed:
    try:
        setup = job_of(store, text, repo=repo)
    except NotFound:
        theirs = store.foreign_checkpoints.list(text, repo=repo)
        if not theirs.checkpoints:
            raise
        return _Listed(None, (), theirs.checkpoints, theirs.damage)
    found = store.checkpoints.list(setup.repo, setup.job_id)
    theirs = store.foreign_checkpoints.list(setup.job_id, repo=setup.repo)
    return _Listed(setup, found.checkpoints, theirs.checkpoints, [*found.damage, *theirs.damage])


def _members(info: CheckpointInfo) -> dict[str, Any]:
    members = attrs.asdict(info, filter=attrs.filters.exclude("progress"))
    return {**members, "phase": info.phase.value, "created_at": time_text(info.created_at)}


def _show_list(settings: Settings, out: Console, listed: _Listed) -> None:
    now, setup = SystemClock().now(), listed.setup
    example = ""
    if listed.ours or not listed.theirs:
        for line in table(_COLUMNS, [_row(info, now) for info in listed.ours], out.width):
            out.print(line, soft_wrap=True)
    if listed.theirs:
        example = show_foreign(settings, out, listed.theirs)
    if listed.ours and setup is not None:
        example = settings.command("checkpoints", "show", setup.session_id, listed.ours[-1].id)
    say(f"One whole: {example}" if example else "None.")


def _row(info: CheckpointInfo, now: Any) -> Sequence[Cell]:
    numbers = [f"{info.completed:,}", f"{info.dead_letters:,}"] if info.phase.value == "Map" else ["", ""]
    ago = span((now - info.created_at).total_seconds())
    return [info.id, info.phase.value, *numbers, ago, ("final", "green") if info.final else ""]


@checkpoints.command(
    "show",
    short_help="Show one checkpoint of a job.",
    epilog=example("checkpoints show SESSION_OR_JOB", "checkpoints show JOB ID --json"),
)
@click.argument("job")
@click.argument("checkpoint", required=False)
@REPO
@common
@pass_settings
def show(settings: Settings, job: str, checkpoint: str | None, repo: str | None) -> None:
    """Show one checkpoint of a job; the newest sound one if none is named."""
    with settings.open() as store:
        document = _shown(store, job, checkpoint, repo)
    stored = body(document)
    data = {"checkpoint": stored, "id": document.id, "repo": document.scope[0] if document.scope else None}
    settings.answer(data, (), lambda out: _show_one(out, document, stored))


def _shown(store: Store, text: str, checkpoint: str | None, repo: str | None) -> Document:
    """One of ours, or else one of Prodigy's."""
    try:
        setup = job_of(store, text, repo=repo)
        return _newest(store, setup) if checkpoint is None else named(store, setup, checkpoint)
    except NotFound:
        theirs = store.foreign_checkpoints.list(known_id(store, text), repo=repo).checkpoints
        found = [one for one in theirs if checkpoint in (None, one.id)]
        if not found:
            raise
        return found[-1].document


def _newest(store: Store, setup: Setup) -> Document:
    infos = store.checkpoints.list(setup.repo, setup.job_id).checkpoints
    for info in reversed(infos):
        try:
            return store.checkpoints.show(setup.repo, setup.job_id, info.id)
        except Corrupt:
            continue
    raise NotFound(f"{setup.job_id} has no sound checkpoint")


def names(store: Store, setup: Setup) -> list[str]:
    """The ids of a job's checkpoints, in their order, the damaged ones last."""
    found = store.checkpoints.list(setup.repo, setup.job_id)
    return [*(info.id for info in found.checkpoints), *(damage.id for damage in found.damage if damage.id)]


def named(store: Store, setup: Setup, name: str) -> Document:
    """The checkpoint of that id, or of that cut one.

    Raises:
        NotFound: there is none; suggests one with a similar id.
        Corrupt: it is damaged.
    """
    ids = names(store, setup)
    if MARK in name:
        name = completed(name, ids)
    try:
        return store.checkpoints.show(setup.repo, setup.job_id, name)
    except NotFound as error:
        raise suggesting(error, name, ids, cutoff=0.6) from error


def _show_one(out: Console, document: Document, stored: dict[str, Any]) -> None:
    out.print(document.id, style="bold", soft_wrap=True)
    rows: list[Sequence[Cell]] = [
        [(name, "dim"), _value(name, value)] for name, value in stored.items() if name not in _OPAQUE
    ]
    for line in table((Column(title=""), Column(title="")), rows, 0):
        out.print(line, soft_wrap=True)
    if document.place:
        out.print("Everything in it: --json, or the file", soft_wrap=True)
        out.print(f"  {clean(shown(document.place))}", soft_wrap=True)


def _value(name: str, value: Any) -> str:
    if name == "created_at":
        return exact(parse_time(value), SystemClock().now())
    if isinstance(value, list):
        return f"{len(value):,} entries"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_value('', inner)}" for key, inner in list(value.items())[:4]) or "none"
    return f"{value:,}" if type(value) is int and name != "epoch" else str(value)
