"""`usage`: how much is stored, by kind, project and job."""

from __future__ import annotations

from typing import Any

import attrs
import click
from rich.console import Console

from prodigy_storage.cli import usage_screen
from prodigy_storage.cli.output import say
from prodigy_storage.cli.scopes import place_of, scoped
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.ports.measuring import Measure
from prodigy_storage.services.usage import Usage


@click.command(epilog=example("usage", "usage --repo lib", "usage --json"))
@scoped
@common
@pass_settings
def usage(settings: Settings, repo: str | None, job_id: str | None) -> None:
    """Show how much is stored, by kind, by project and by job.

    Sizes are those of the files, compressed ones as they are; links are not followed. Sessions lie beside the
    projects: they are counted when everything is.
    """
    with settings.open() as store:
        place = place_of(store, repo, job_id)
        found = store.usage(repo=place[0], job=place[1])
    settings.finish(_data(found), [], lambda out: _show(settings, out, found, place))


def _data(found: Usage) -> dict[str, Any]:
    return {
        "measures": [_measure(row) for row in found.rows],
        "kinds": [{"form": form.value, "of": of, **attrs.asdict(a)} for (form, of), a in found.by_kind().items()],
        "repos": [{"repo": repo, **attrs.asdict(amount)} for repo, amount in found.by_repo().items()],
        "jobs": [{"repo": repo, "job_id": job, **attrs.asdict(a)} for (repo, job), a in found.by_job().items()],
        "total": attrs.asdict(found.total),
        "stored": found.stored,
    }


def _measure(row: Measure) -> dict[str, Any]:
    names = dict(zip(("repo", "job_id"), row.scope, strict=False))
    return {"form": row.form.value, "of": row.of, **names, "count": row.count, "bytes": row.bytes}


def _show(settings: Settings, out: Console, found: Usage, place: tuple[str | None, str | None]) -> None:
    if not found.rows:
        say(f"Nothing is stored yet. Start a job: {settings.command('demo')}")
        return
    for line in usage_screen.kinds(found, out.width):
        out.print(line, soft_wrap=True)
    groups = usage_screen.jobs(found, out.width) if place[0] else usage_screen.repos(found, out.width)
    if place[1] is None and groups:
        out.print()
        for line in groups:
            out.print(line, soft_wrap=True)
    if not place[0] and found.by_repo():
        say(f"The jobs of one project: {settings.prefix} usage --repo NAME")
