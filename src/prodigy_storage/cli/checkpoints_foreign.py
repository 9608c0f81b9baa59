"""Checkpoints that Prodigy wrote, for `checkpoints list` and `show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.settings import Settings
from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.cli.times import span
from prodigy_storage.codecs.values import time_text
from prodigy_storage.services.foreign_checkpoints import ForeignCheckpoint

_COLUMNS = (
    Column(title="of Prodigy", cut="middle", least=20),
    Column(title="what"),
    Column(title="state"),
    Column(title="of", cut="middle", least=12),
    Column(title="made", right=True),
)


def members(one: ForeignCheckpoint) -> dict[str, Any]:
    """One of a listing, for `--json`."""
    said = {"id": one.id, "type": one.sort.value, "of": one.of, "repo": one.repo, "state": one.state}
    return {**said, "created_at": time_text(one.at), "path": one.document.place}


def show_foreign(settings: Settings, out: Console, found: Sequence[ForeignCheckpoint]) -> str:
    """Print a table of them; returns how one is shown whole."""
    now = SystemClock().now()
    rows: list[Sequence[Cell]] = [
        [one.id, one.sort.value, one.state, one.of, span((now - one.at).total_seconds())] for one in found
    ]
    for line in table(_COLUMNS, rows, out.width):
        out.print(line, soft_wrap=True)
    return settings.command("checkpoints", "show", found[-1].of, found[-1].id)
