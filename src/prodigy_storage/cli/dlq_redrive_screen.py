"""How redrives look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from rich.console import Console
from rich.text import Text

from prodigy_storage.cli.output import say
from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.times import exact, span
from prodigy_storage.codecs.documents import REDRIVES
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.codecs.trees import parse
from prodigy_storage.codecs.values import moment, time_text
from prodigy_storage.model.redrives import ItemOutcome, Redrive, RedriveStatus, TrialOutcome
from prodigy_storage.redrive import RedriveView, Selection

_SHOWN = 20
_COLUMNS = (
    Column(title="redrive", cut="middle", least=20),
    Column(title="status"),
    Column(title="items", right=True),
    Column(title="started", right=True),
    Column(title="reason or filter", cut="end", least=12),
)
_ITEMS = (
    Column(title="item", cut="middle", least=16),
    Column(title="outcome"),
    Column(title="tries", right=True),
    Column(title="error", cut="end", least=16),
)
_STYLES = {
    RedriveStatus.COMPLETED: "green",
    RedriveStatus.RUNNING: "yellow",
    RedriveStatus.INTERRUPTED: "yellow",
    RedriveStatus.STOPPED: "red",
}
_OUTCOMES = {
    TrialOutcome.DONE: "green",
    TrialOutcome.RETRYING: "yellow",
    TrialOutcome.SKIPPED: "yellow",
    TrialOutcome.FAILED: "red",
}

__all__ = ["Console", "announce", "closing", "listing", "members", "selection", "whole"]


def members(view: RedriveView) -> Mapping[str, Any]:
    """What `--json` prints: the redrive as it is stored, the counts, and the last outcome of each item."""
    outcomes = [view.state.last[item] for item in view.redrive.items if item in view.state.last]
    return {
        "redrive": parse(REDRIVES.encode(view.redrive)),
        "place": {"repo": view.scope[0], "job_id": view.scope[-1]},
        "counts": dict(view.counts),
        "items": [_outcome(outcome) for outcome in outcomes],
    }


def _outcome(outcome: ItemOutcome) -> Mapping[str, Any]:
    said = attrs.asdict(outcome, filter=lambda field, value: field.name != "redrive" and value not in (None, ""))
    return {**said, "outcome": outcome.outcome.value, "at": time_text(moment(outcome.at))}


def announce(chosen: Selection) -> None:
    """What is about to be retried."""
    say(f"Retrying {_many(len(chosen.items))}.{_passed_over(chosen)}")


def _many(count: int) -> str:
    return counted(count, "dead letter")


def _passed_over(chosen: Selection) -> str:
    if not chosen.passed_over:
        return ""
    return f" {chosen.passed_over:,} more only with --force: not eligible, or waiting for a review."


def selection(out: Console, chosen: Selection) -> None:
    """What would be retried."""
    if not chosen.items:
        say(f"Nothing to retry.{_passed_over(chosen)}")
        return
    say(f"{_many(len(chosen.items))} would be retried (dry run: nothing is run).{_passed_over(chosen)}")
    for letter in chosen.letters:
        out.print(Text(clean(letter.item_id)), soft_wrap=True)
    for letter in chosen.refused:
        say(f"{clean(letter.item_id)} would be skipped: not eligible, or waiting for a review (--force retries it too)")


def closing(out: Console, view: RedriveView, again: str) -> None:
    """What became of it, and what to do next."""
    counts = view.counts
    bad = [one for one in view.state.last.values() if one.outcome in (TrialOutcome.FAILED, TrialOutcome.SKIPPED)]
    for line in _items(bad[:_SHOWN], view, out.width):
        out.print(line, soft_wrap=True)
    if len(bad) > _SHOWN:
        say(f"  … {len(bad) - _SHOWN:,} more: dlq redrives show {view.redrive.id}")
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "done")
    say(f"{'Stopped' if view.redrive.note else 'Done'}: {said}.")
    if view.redrive.note:
        say(f"{view.redrive.note[:1].upper()}{view.redrive.note[1:]}. Go on without it:\n  {again}")
    elif counts["skipped"] or counts["pending"]:
        say(f"Look at the others again:\n  {again}")


def _items(outcomes: Sequence[ItemOutcome], view: RedriveView, width: int) -> list[Text]:
    if not outcomes:
        return []
    return table(_ITEMS, [_item(one, view.state.tries.get(one.item, 0)) for one in outcomes], width)


def _item(outcome: ItemOutcome, tries: int) -> Sequence[Cell]:
    return [outcome.item, (outcome.outcome.value, _OUTCOMES[outcome.outcome]), f"{tries:,}", outcome.error or ""]


def listing(redrives: Sequence[Redrive], width: int, now: datetime) -> list[Text]:
    """One line each."""
    return table(_COLUMNS, [_row(one, now) for one in redrives], width)


def _row(redrive: Redrive, now: datetime) -> Sequence[Cell]:
    ago = span((now - redrive.created_at).total_seconds())
    status = (redrive.status.value.lower(), _STYLES[redrive.status])
    return [redrive.id, status, f"{len(redrive.items):,}", ago, redrive.reason or redrive.filter or ""]


def whole(out: Console, view: RedriveView, now: datetime) -> None:
    """Everything that is known of one."""
    for line in _whole(view, out.width, now):
        out.print(line, soft_wrap=True)


def _whole(view: RedriveView, width: int, now: datetime) -> Iterator[Text]:
    redrive, settings = view.redrive, view.redrive.settings
    canary = settings.canary
    facts = {
        "status": redrive.status.value.lower(),
        "why stopped": redrive.note,
        "repo": view.scope[0],
        "job": view.scope[-1],
        "started": exact(redrive.created_at, now),
        "changed": exact(redrive.updated_at, now),
        "reason": redrive.reason,
        "filter": redrive.filter or "",
        "tries": f"{settings.max_retries} at most{', with force' if settings.force else ''}",
        "canary": f"{canary.items}, of which {canary.stop_above:.0%} may fail" if canary else "",
        "items": ", ".join(f"{count:,} {name}" for name, count in view.counts.items() if count) or "none",
    }
    yield Text(redrive.id, "bold")
    rows: list[Sequence[Cell]] = [[(name, "dim"), value] for name, value in facts.items() if value]
    yield from table((Column(title=""), Column(title="")), rows, 0)
    yield Text("")
    yield from _items([view.state.last[item] for item in redrive.items if item in view.state.last], view, width)
