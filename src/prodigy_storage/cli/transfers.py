"""What `restore` and `migrate` say of a transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.settings import Settings
from prodigy_storage.transfer import Difference, Report

PARTIAL = 6


def report_members(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    names = ("copied", "same", "replaced", "records", "known", "bytes")
    differing = [
        {"kind": one.kind, **dict(zip(("repo", "job_id"), one.scope, strict=False)), "id": one.id}
        for one in sorted(report.differing)
    ]
    return {**{name: getattr(report, name) for name in names}, "conflicts": differing}


def summary(report: Report) -> str:
    """The report in one sentence."""
    parts = [f"{report.copied:,} documents and {report.records:,} records"]
    if report.replaced:
        parts.append(f"{report.replaced:,} documents overwritten")
    if report.same or report.known:
        parts.append(f"{report.same:,} documents and {report.known:,} records were there already")
    return "; ".join(parts) + "."


def named(one: Difference) -> str:
    """A document, as it is shown."""
    return "/".join((one.kind, *one.scope, one.id))


def finish(
    settings: Settings,
    data: Mapping[str, Any],
    report: Report,
    show: Callable[[Console], None],
    warnings: Sequence[Diagnostic] = (),
) -> None:
    """Answer; exit with 6 if something did not come over, with 1 if there is only something to look at."""
    hint = "It was kept as it is; --force overwrites it."
    found = [
        Diagnostic(code="conflict", message=f"{named(one)} has other content here", hint=hint)
        for one in sorted(report.differing)
    ]
    found += [Diagnostic.of_damage(one) for one in report.damage]
    if found:
        settings.finish(data, [*found, *warnings], show, status="partial")
        raise click.exceptions.Exit(PARTIAL)
    settings.finish(data, warnings, show)
