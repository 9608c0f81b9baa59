"""The dead letter queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Ambiguous, InvalidValue, NotFound
from prodigy_storage.model.dead_letters import DeadLetter, ErrorType, Failure
from prodigy_storage.model.values import Json
from prodigy_storage.services.dead_letters import DeadLetters

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def letter(
    item: str = "item_1", *, session: str = "s1", attempts: int = 1, data: Json = None, at: int = 0
) -> DeadLetter:
    failures = [
        Failure(
            attempt_number=number,
            timestamp=NOW + timedelta(seconds=at + number),
            error_type=ErrorType("CommandFailed", 3),
            error_message=f"exit code 3 in /tmp/run{number}/x.py line {number}",
            session_id=session,
        )
        for number in range(1, attempts + 1)
    ]
    return DeadLetter.of(item, data, failures)


@pytest.fixture
def dlq() -> DeadLetters:
    return DeadLetters(MemoryStorage())


def test_a_letter_comes_back_whole(dlq: DeadLetters) -> None:
    """Every field survives the store."""
    stored = letter(attempts=3, data={"deep": [1, 2.5, "ä", None]})
    assert dlq.add("repo", "job", stored) == stored
    assert dlq.get("repo", "job", "item_1") == stored


def test_failures_accumulate_and_repeats_add_nothing(dlq: DeadLetters) -> None:
    """The history is merged by session and attempt; the first attempt stays the first."""
    dlq.add("repo", "job", letter(attempts=2))
    dlq.add("repo", "job", letter(attempts=2))
    assert dlq.get("repo", "job", "item_1").failure_count == 2
    merged = dlq.add("repo", "job", letter(session="s2", attempts=1, at=100))
    assert (merged.failure_count, len(merged.failure_history)) == (3, 3)
    assert merged.first_attempt == NOW + timedelta(seconds=1)
    assert merged.last_attempt == NOW + timedelta(seconds=101)


def test_a_removed_letter_is_given_back_and_gone(dlq: DeadLetters) -> None:
    """Removing twice says that there is nothing."""
    dlq.add("repo", "job", letter())
    assert dlq.remove("repo", "job", "item_1") == letter()
    with pytest.raises(NotFound, match="item_1"):
        dlq.remove("repo", "job", "item_1")


def test_an_item_in_two_jobs_is_ambiguous_without_one(dlq: DeadLetters) -> None:
    """The candidates are listed, and naming the job decides."""
    dlq.add("repo", "a", letter())
    dlq.add("repo", "b", letter())
    with pytest.raises(Ambiguous) as caught:
        dlq.find("item_1")
    assert caught.value.candidates == ("repo/a", "repo/b")
    assert dlq.find("item_1", job="b").document.scope == ("repo", "b")
    with pytest.raises(NotFound):
        dlq.find("item_2")


def test_lists_cover_a_job_a_repo_or_everything(dlq: DeadLetters) -> None:
    """Letters are ordered by their last failure, wherever they are."""
    dlq.add("x", "a", letter("i1", at=20))
    dlq.add("x", "b", letter("i2", at=10))
    dlq.add("y", "a", letter("i3", at=0))
    assert [found.item_id for found in dlq.list().values] == ["i3", "i2", "i1"]
    assert [found.item_id for found in dlq.list("x").values] == ["i2", "i1"]
    assert [found.item_id for found in dlq.list(job="a").values] == ["i3", "i1"]
    assert [found.item_id for found in dlq.list(eligible=False).values] == []


def test_stats_count_types_signatures_and_failures(dlq: DeadLetters) -> None:
    """Failures that differ in paths and numbers share a signature."""
    dlq.add("x", "a", letter("i1", attempts=2))
    dlq.add("x", "a", letter("i2", attempts=1))
    stats = dlq.stats()
    assert (stats.total, stats.failures, stats.eligible) == (2, 3, 2)
    assert stats.by_type == {"CommandFailed": 2}
    assert stats.by_signature == {"exit code <n> in <path> line <n>": 2}


def test_an_item_that_is_no_json_is_refused(dlq: DeadLetters) -> None:
    """Nothing is stored of a letter with a value that JSON cannot say."""
    with pytest.raises(InvalidValue):
        dlq.add("x", "a", letter(data=float("nan")))
    assert dlq.list().values == []
