"""How dead letters look."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.text import Text

from prodigy_storage.cli.tables import Cell, Column, clean, table
from prodigy_storage.cli.times import exact, local, milliseconds, span
from prodigy_storage.codecs.quantities import counted
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_analysis import DeadLetterStats

_COLUMNS = (
    Column(title="item", cut="middle", least=20),
    Column(title="fails", right=True),
    Column(title="last", right=True),
    Column(title="error", cut="end", least=16),
    Column(title="retry"),
)


def listing(letters: Sequence[DeadLetter], width: int, now: datetime) -> list[Text]:
    """One line each: the item, how often and when it failed, the last error, whether a retry makes sense."""
    return table(_COLUMNS, [_row(letter, now) for letter in letters], width)


def _row(letter: DeadLetter, now: datetime) -> Sequence[Cell]:
    ago = span((now - letter.last_attempt).total_seconds())
    return [letter.item_id, f"{letter.failure_count:,}", ago, letter.error_message, _retry(letter)]


def _retry(letter: DeadLetter) -> Cell:
    if letter.manual_review_required:
        return ("review", "yellow")
    return ("yes", "green") if letter.reprocess_eligible else ("no", "red")


def whole(letter: DeadLetter, scope: Sequence[str], now: datetime) -> Iterator[Text]:
    """Everything that is known of one."""
    claim = letter.claim
    retry = {"yes": "yes", "review": "after a look at it", "no": "no"}[_retry(letter)[0]]
    facts = {
        "repo": scope[0] if scope else "",
        "job": scope[1] if len(scope) > 1 else "",
        "data": json.dumps(letter.item_data, ensure_ascii=False),
        "failed": counted(letter.failure_count, "time"),
        "first": exact(letter.first_attempt, now),
        "last": exact(letter.last_attempt, now),
        "pattern": letter.error_signature,
        "retry": retry,
        "claimed": f"by {claim.redrive_id}, pid {claim.owner.pid} on {claim.owner.host}" if claim else "",
    }
    yield Text(clean(letter.item_id), "bold")
    yield from _facts(facts)
    if letter.worktree_artifacts is not None:
        yield from _facts(
            {"worktree": letter.worktree_artifacts.worktree_path, "branch": letter.worktree_artifacts.branch_name}
        )
    for failure in letter.failure_history:
        yield from _failure(failure)


def _facts(facts: Mapping[str, str]) -> list[Text]:
    rows: list[Sequence[Cell]] = [[(name, "dim"), value] for name, value in facts.items() if value]
    return table((Column(title=""), Column(title="")), rows, 0)


def _failure(failure: Failure) -> Iterator[Text]:
    yield Text("")
    where = ", ".join(
        part for part in (failure.agent_id, failure.step_failed and f"step {failure.step_failed}") if part
    )
    head = f"  attempt {failure.attempt_number}   {local(failure.timestamp):%Y-%m-%d %H:%M:%S %Z}"
    yield Text(clean(f"{head}   after {milliseconds(failure.duration_ms)}   {where}"))
    code = "" if failure.error_type.exit_code is None else f", exit code {failure.error_type.exit_code}"
    known = "" if failure.error_type.name == "Unknown" else f"  ({failure.error_type.name}{code})"
    for line in f"{failure.error_message}{known}".splitlines():
        yield Text(f"    {clean(line)}", "red")
    for line in [*(failure.error_context or ()), *(failure.stack_trace or "").splitlines()]:
        yield Text(f"    {clean(line)}")
    if failure.json_log_location:
        yield Text(f"    log: {clean(failure.json_log_location)}")


def statistics(numbers: DeadLetterStats, width: int, now: datetime) -> Iterator[Text]:
    """Sums, then kinds and patterns, the most frequent first."""
    if not numbers.total or numbers.oldest is None or numbers.newest is None:
        return
    yield Text(
        f"{counted(numbers.total, 'dead letter')} from {numbers.failures:,} failures: "
        f"{numbers.eligible:,} may be retried, {numbers.manual_review:,} wait for a review"
    )
    yield Text(f"first failure {exact(numbers.oldest, now)}")
    yield Text(f"last failure  {exact(numbers.newest, now)}")
    for title, counts in (("kind", numbers.by_type), ("pattern", numbers.by_signature)):
        yield Text("")
        rows = [[f"{count:,}", name] for name, count in counts.items()]
        yield from table((Column(title="", right=True), Column(title=title, cut="end")), rows, width)
