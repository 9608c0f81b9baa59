"""`repos`: which projects have data."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console

from prodigy_storage.cli.output import say
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.verbs import common, example, pass_settings
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
    data = {"repos": [{"name": repo.name, "jobs": list(repo.jobs)} for repo in found]}
    settings.answer(data, (), lambda out: _show(settings, out, found))


def _show(settings: Settings, out: Console, found: Sequence[Repo]) -> None:
    if not found:
        say(f"No projects yet. Start a job in one: {settings.command('demo')}")
        return
    rows: list[Sequence[Cell]] = [[repo.name, f"{len(repo.jobs):,}", max(repo.jobs, default="")] for repo in found]
    for line in table(_COLUMNS, rows, out.width):
        out.print(line, soft_wrap=True)
