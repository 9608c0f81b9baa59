"""`repos`: which projects have data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.model.projects import Project
from prodigy_storage.services.catalog import Repo

_COLUMNS = (
    Column(title="repo", cut="end", least=16),
    Column(title="jobs", right=True),
    Column(title="newest job", cut="middle", least=20),
)


@click.command(epilog=example("repos", "repos --json"))
@common
@pass_settings
def repos(settings: Settings) -> None:
    """List the projects that have data, with their jobs."""
    with settings.open() as store:
        found = store.repos()
        claims = store.projects.claims()
    data = {"repos": [_members(repo, claims) for repo in found]}
    settings.finish(data, clashes(claims), lambda out: _show(settings, out, found))


def _members(repo: Repo, claims: Mapping[str, Sequence[Project]]) -> dict[str, Any]:
    return {"name": repo.name, "jobs": list(repo.jobs), "paths": [one.path for one in claims.get(repo.name, ())]}


def clashes(claims: Mapping[str, Sequence[Project]]) -> list[Diagnostic]:
    """A finding for each name that several directories have which exist here."""
    return [
        Diagnostic(
            code="same-name",
            message=f"{name} is the name of {len(there)} projects, which share their data: {', '.join(there)}",
            hint="Open one of them under another name: store.repo(PATH, name=NAME).",
        )
        for name, projects in claims.items()
        if len(there := [one.path for one in projects if Path(one.path).is_dir()]) > 1
    ]


def _show(settings: Settings, out: Console, found: Sequence[Repo]) -> None:
    if not found:
        say(f"No projects yet. Start a job in one: {settings.command('demo')}")
        return
    rows: list[Sequence[Cell]] = [[repo.name, f"{len(repo.jobs):,}", max(repo.jobs, default="")] for repo in found]
    for line in table(_COLUMNS, rows, out.width):
        out.print(line, soft_wrap=True)
