"""How an analysis of dead letters looks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from prodigy_storage.cli.tables import Column, clean, cut, table
from prodigy_storage.cli.times import local, span
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.model.dead_letters_analysis import Analysis, Pattern, Verdict

_HOURS = 24
_BAR = 30
_STYLES = {Verdict.FLAKY: "yellow", Verdict.PERMANENT: "red", Verdict.UNTRIED: ""}


def shown(analysis: Analysis, width: int, now: datetime) -> Iterator[Text]:
    """The patterns, the largest first; then kinds and hours."""
    if not analysis.total:
        return
    letters, patterns = analysis.total, len(analysis.patterns)
    yield Text(f"{counted(letters, 'dead letter')}, {counted(patterns, 'pattern')}")
    room = max(len(f"{pattern.count:,}") for pattern in analysis.patterns)
    for pattern in analysis.patterns:
        yield from _pattern(pattern, room, width, now)
    yield Text("")
    rows = [[f"{count:,}", name] for name, count in analysis.error_distribution.items()]
    yield from table((Column(title="failures", right=True), Column(title="kind")), rows, width)
    yield Text("")
    yield from _hours(analysis, width)


def _pattern(pattern: Pattern, room: int, width: int, now: datetime) -> Iterator[Text]:
    indent = " " * (room + 4)
    yield Text(f"  {pattern.count:>{room},}  {cut(clean(pattern.signature), max(20, width - room - 4))}")
    first, last = ((span((now - at).total_seconds())) for at in (pattern.first, pattern.last))
    line = Text(f"{indent}first {first}, last {last} ago   ", "dim")
    line.append(_judged(pattern), _STYLES[pattern.verdict])
    line.append("   new" if pattern.new else "", "yellow")
    yield line
    samples = " · ".join(clean(letter.item_id) for letter in pattern.samples)
    yield Text(f"{indent}{cut(samples, max(20, width - len(indent)), 'middle')}", "dim")


def _judged(pattern: Pattern) -> str:
    if pattern.verdict is Verdict.UNTRIED:
        return "not retried yet"
    retries = f"retr{'y' if pattern.retries == 1 else 'ies'}"
    return f"{pattern.verdict.value} ({pattern.succeeded:,} of {pattern.retries:,} {retries} succeeded)"


def _hours(analysis: Analysis, width: int) -> Iterator[Text]:
    hours = analysis.temporal_distribution
    most = max((count for _, count in hours), default=1)
    rows = [
        [f"{local(hour):%Y-%m-%d %H:%M %Z}", f"{count:,}", "█" * max(1, round(count / most * _BAR))]
        for hour, count in hours[-_HOURS:]
    ]
    yield from table((Column(title="hour"), Column(title="failures", right=True), Column(title="")), rows, width)
    if len(hours) > _HOURS:
        yield Text(f"  the last {_HOURS} of {len(hours):,} hours with failures", "dim")
