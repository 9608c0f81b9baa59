"""The tables of `usage`."""

from __future__ import annotations

from collections.abc import Sequence

import humanize
from rich.text import Text

from prodigy_storage.cli.tables import Cell, Column, table
from prodigy_storage.ports.measuring import Form
from prodigy_storage.services.usage import Amount, Usage

_MOST = 20
_NAMES = {"dead_letter": "dead letters", "mapping": "mappings", "job_state": "job states", "quarantine": "quarantine"}
_UNITS = {Form.DOCUMENTS: ("document", "documents"), Form.RECORDS: ("piece", "pieces"), Form.OTHER: ("file", "files")}


def kinds(usage: Usage, width: int) -> list[Text]:
    """One line for each kind, stream and folder, and the sum."""
    columns = (
        Column(title="what", cut="end", least=12),
        Column(title="jobs", right=True),
        Column(title="count", right=True),
        Column(title=""),
        Column(title="size", right=True),
    )
    rows: list[Sequence[Cell]] = [
        [
            _name(form, of),
            f"{one.jobs:,}" if one.jobs else "",
            f"{one.count:,}",
            _UNITS[form][one.count != 1],
            size(one),
        ]
        for (form, of), one in usage.by_kind().items()
    ]
    total = usage.total
    rows.append(["everything", f"{total.jobs:,}" if total.jobs else "", "", "", size(total)])
    return table(columns, rows, width)


def _name(form: Form, of: str) -> str:
    if form is Form.OTHER:
        return {".": "files in the root", ".store": "housekeeping (.store)"}.get(of, f"other files in {of}")
    if form is Form.RECORDS:
        return of
    return _NAMES.get(of, of.replace("_", " ") + ("" if of.endswith("s") else "s"))


def repos(usage: Usage, width: int) -> list[Text]:
    """The largest projects."""
    columns = (
        Column(title="repo", cut="middle", least=16),
        Column(title="jobs", right=True),
        Column(title="size", right=True),
    )
    found = usage.by_repo()
    rows: list[Sequence[Cell]] = [[name, f"{one.jobs:,}", size(one)] for name, one in list(found.items())[:_MOST]]
    return [*(table(columns, rows, width) if rows else []), *_rest(len(found), "projects")]


def jobs(usage: Usage, width: int) -> list[Text]:
    """The largest jobs."""
    columns = (Column(title="job", cut="middle", least=20), Column(title="size", right=True))
    found = usage.by_job()
    rows: list[Sequence[Cell]] = [[job, size(one)] for (_, job), one in list(found.items())[:_MOST]]
    return [*(table(columns, rows, width) if rows else []), *_rest(len(found), "jobs")]


def _rest(count: int, what: str) -> list[Text]:
    return [Text(f"  {count - _MOST:,} smaller {what} (all: --json)", "dim")] if count > _MOST else []


def size(amount: Amount) -> str:
    """Bytes as people read them."""
    return humanize.naturalsize(amount.bytes)
