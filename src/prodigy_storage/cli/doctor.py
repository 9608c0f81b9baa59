"""`doctor`: what is wrong with the store, and repairing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import attrs
import click
from rich.console import Console

from prodigy_storage.cli.asking import agreed, destructive
from prodigy_storage.cli.diagnostics import Diagnostic
from prodigy_storage.cli.output import say, shown
from prodigy_storage.cli.progress import counting, tracked
from prodigy_storage.cli.settings import NAME, Settings
from prodigy_storage.cli.tables import clean
from prodigy_storage.cli.verbs import common, example, pass_settings
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.doctor import Finding, Severity
from prodigy_storage.errors import StorageError
from prodigy_storage.store import Store

_PARTIAL = 6
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@attrs.frozen(kw_only=True)
class _Treated:
    """A finding, and what became of it: what was done, or why nothing could be."""

    finding: Finding
    done: str = ""
    failed: str = ""


@click.command(epilog=example("doctor", "doctor --repair --dry-run", "doctor --repo shop --repair --yes"))
@click.option("--repo", metavar="NAME", help="Of one project; otherwise of all.")
@click.option("--repair", is_flag=True, help="Repair what can be repaired without a loss.")
@destructive
@common
@pass_settings
def doctor(settings: Settings, *, repo: str | None, repair: bool, yes: bool, dry_run: bool) -> None:
    """Look for what is damaged, was killed, or was left behind; with --repair, put it in order.

    Looking changes nothing. A repair keeps every byte: what is damaged goes to quarantine; and it touches nothing that
    is being run. What needs a decision is only named, with the command for it.

    Exit code 1: something was found. With --repair, 6: some of it is left, or would be.
    """
    looked: Counter[str] = Counter()
    with settings.open() as store:
        found = _found(store, repo, looked)
        fixable = [one for one in found if one.repair]
        lines = [f"{one.message}: {one.repair}" for one in fixable]
        what = f"Repair {_counted(len(fixable), 'finding')} of {len(found):,}"
        wanted = repair and bool(fixable) and agreed(what, yes=yes, dry_run=dry_run, lines=lines)
        treated = _treated(store, found) if wanted else [_Treated(finding=one) for one in found]
    left = [one for one in treated if not (one.done or (dry_run and one.finding.repair))]
    status = "ok" if not left else "partial" if repair else "findings"
    data = {
        "findings": [_members(one) for one in treated],
        "looked_at": dict(looked),
        "repaired": sum(bool(one.done) for one in treated),
        "dry_run": dry_run,
    }
    diagnostics = [_diagnostic(settings, one, repair=repair) for one in left] if settings.json else []
    settings.finish(data, diagnostics, lambda out: _show(settings, out, treated, looked, repair=repair), status=status)
    if status == "partial":
        raise click.exceptions.Exit(_PARTIAL)


def _found(store: Store, repo: str | None, looked: Counter[str]) -> list[Finding]:
    """Everything, errors first."""
    with counting("looked") as counted:

        def tell(what: str, count: int) -> None:
            looked[what] += count
            counted(what)

        found = list(store.doctor.examine(repo, looked=tell))
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def _treated(store: Store, found: Sequence[Finding]) -> list[_Treated]:
    treated = []
    for one in tracked(found, "repair", len(found)):
        try:
            treated.append(_Treated(finding=one, done=store.doctor.repair(one) if one.repair else ""))
        except StorageError as error:
            treated.append(_Treated(finding=one, failed=str(error)))
    return treated


def _members(one: _Treated) -> dict[str, Any]:
    found = one.finding
    return {
        "code": found.code,
        "severity": found.severity.value,
        "message": found.message,
        "place": found.place,
        "offset": found.offset,
        "repair": found.repair,
        "advice": found.advice,
        "done": one.done,
        "failed": one.failed,
    }


def _diagnostic(settings: Settings, one: _Treated, *, repair: bool) -> Diagnostic:
    found = one.finding
    return Diagnostic(
        level=found.severity.value,
        code=found.code,
        message=found.message,
        hint=_next(settings, one, repair=repair),
        path=found.place,
        offset=found.offset,
    )


def _next(settings: Settings, one: _Treated, *, repair: bool) -> str:
    """What to do about it; commands are for the same store."""
    if one.failed:
        return f"Not repaired: {one.failed}"
    if one.finding.repair:
        return f"{'' if repair else 'doctor --repair: '}{one.finding.repair}"
    return one.finding.advice.replace(f"{NAME} ", f"{settings.prefix} ")


def _show(settings: Settings, out: Console, treated: Sequence[_Treated], looked: Counter[str], *, repair: bool) -> None:
    for severity in Severity:
        here = [one for one in treated if one.finding.severity is severity]
        if here:
            out.print(_counted(len(here), severity.value), style=f"bold {_STYLES[severity]}")
        for one in here:
            _show_one(settings, out, one, repair=repair)
    say(f"Looked at {_sum(looked)}: {_verdict(treated)}.")


def _show_one(settings: Settings, out: Console, one: _Treated, *, repair: bool) -> None:
    found = one.finding
    at = f": byte {found.offset}" if found.offset is not None else ""
    for line in _folded(out, clean(found.message)):
        out.print(f"  {line}", soft_wrap=True)
    if found.place:
        out.print(f"    {clean(shown(found.place))}{at}", style="dim", soft_wrap=True)
    todo = (one.done or _next(settings, one, repair=repair)).splitlines()
    for number, line in enumerate(folded for one_line in todo for folded in _folded(out, clean(one_line), 6)):
        out.print(f"    {' ' if number else '→'} {line}", style="green" if one.done else "", soft_wrap=True)


def _folded(out: Console, text: str, indent: int = 2) -> list[str]:
    """The lines of a message: as many as a terminal needs, one elsewhere and for a command to copy."""
    if not out.is_terminal or NAME in text:
        return [text]
    return wrap(text, max(20, out.width - indent), break_long_words=False, break_on_hyphens=False)


def _sum(looked: Counter[str]) -> str:
    parts = [_counted(count, what) for what, count in looked.items() if count]
    return ", ".join(parts) or "an empty store"


def _verdict(treated: Sequence[_Treated]) -> str:
    done = sum(bool(one.done) for one in treated)
    left = len(treated) - done
    if not treated:
        return "nothing is wrong"
    return f"{done:,} repaired, {left:,} left" if done else _counted(left, "finding")


def _counted(count: int, what: str) -> str:
    """`1 session`, `2 documents in quarantine`."""
    noun, preposition, rest = what.partition(next((one for one in (" in ", " of ") if one in what), "\n"))
    return f"{counted(count, noun)}{preposition}{rest}"
