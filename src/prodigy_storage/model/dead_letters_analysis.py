"""What many dead letters have in common: numbers, patterns, and whether retrying helps."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import attrs

from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_signatures import signature

_SAMPLES = 3


@attrs.frozen(kw_only=True)
class DeadLetterStats:
    """Numbers over dead letters; `by_type` and `by_signature` count letters, most frequent first."""

    total: int
    eligible: int
    manual_review: int
    failures: int
    oldest: datetime | None
    newest: datetime | None
    by_type: dict[str, int]
    by_signature: dict[str, int]


def summarise(letters: Sequence[DeadLetter]) -> DeadLetterStats:
    """Count `letters`; the type of a letter is that of its last failure."""
    return DeadLetterStats(
        total=len(letters),
        eligible=sum(letter.reprocess_eligible for letter in letters),
        manual_review=sum(letter.manual_review_required for letter in letters),
        failures=sum(letter.failure_count for letter in letters),
        oldest=min((letter.first_attempt for letter in letters), default=None),
        newest=max((letter.last_attempt for letter in letters), default=None),
        by_type=_counted(letter.error_type.name for letter in letters if letter.failure_history),
        by_signature=_counted(letter.error_signature for letter in letters),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


@attrs.frozen(kw_only=True)
class Recovery:
    """A dead letter that a redrive brought to an end: its last pattern, and how often it had failed until then."""

    signature: str
    failures: int


class Verdict(enum.Enum):
    """What retrying does to failures of one pattern."""

    FLAKY = "flaky"
    """A retry has succeeded."""
    PERMANENT = "permanent"
    """There were retries, and none has succeeded."""
    UNTRIED = "untried"
    """Nothing was retried yet."""


@attrs.frozen(kw_only=True)
class Pattern:
    """Dead letters whose last failures differ only in paths, numbers, ids, addresses or times.

    Args:
        signature: What they share.
        count: How many letters.
        first, last: The earliest first failure and the latest last one, UTC.
        samples: Up to three of them, the newest first.
        retries: How often an item of this pattern was tried again, within runs and by redrives.
        succeeded: How many of these retries succeeded; those items are no dead letters any more.
        new: Whether nothing of it had failed before the time that was asked about.
    """

    signature: str
    count: int
    first: datetime
    last: datetime
    samples: Sequence[DeadLetter]
    retries: int
    succeeded: int
    new: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether retrying helps."""
        if self.succeeded:
            return Verdict.FLAKY
        return Verdict.PERMANENT if self.retries else Verdict.UNTRIED


@attrs.frozen(kw_only=True)
class Analysis:
    """What is wrong, and how often.

    Args:
        total: How many letters.
        patterns: Groups of letters, the largest first.
        error_distribution: Failures by their type, as text (`CommandFailed(1)`), the most frequent first.
        temporal_distribution: Failures by the hour, UTC, in order; hours without any are left out.
        since: The time that `Pattern.new` is about, if one was given.
    """

    total: int
    patterns: Sequence[Pattern]
    error_distribution: dict[str, int]
    temporal_distribution: Sequence[tuple[datetime, int]]
    since: datetime | None = None


def analyse(
    letters: Sequence[DeadLetter], recoveries: Iterable[Recovery] = (), *, since: datetime | None = None
) -> Analysis:
    """Group and count.

    Args:
        letters: What to analyse.
        recoveries: What redrives have brought to an end, for the question whether retrying helps.
        since: A pattern is new if nothing of it failed before this time.
    """
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        groups[_pattern(letter)].append(letter)
    recovered: dict[str, list[Recovery]] = defaultdict(list)
    for recovery in recoveries:
        recovered[recovery.signature].append(recovery)
    patterns = [_grouped(name, group, recovered[name], since) for name, group in groups.items()]
    failures = [failure for letter in letters for failure in letter.failure_history]
    hours = Counter(_hour(failure.timestamp) for failure in failures)
    return Analysis(
        total=len(letters),
        patterns=sorted(patterns, key=lambda pattern: (-pattern.count, pattern.signature)),
        error_distribution=_counted(str(failure.error_type) for failure in failures),
        temporal_distribution=sorted(hours.items()),
        since=since,
    )


def _pattern(letter: DeadLetter) -> str:
    """Computed anew, since other programs store digests of whole messages, which never group anything."""
    return signature(letter.failure_history[-1].error_message) if letter.failure_history else letter.error_signature


def _grouped(
    name: str, letters: Sequence[DeadLetter], recoveries: Sequence[Recovery], since: datetime | None
) -> Pattern:
    newest = sorted(letters, key=lambda letter: letter.last_attempt, reverse=True)
    first = min(letter.first_attempt for letter in letters)
    failed = sum(max(0, letter.failure_count - 1) for letter in letters)
    return Pattern(
        signature=name,
        count=len(letters),
        first=first,
        last=newest[0].last_attempt,
        samples=newest[:_SAMPLES],
        retries=failed + sum(max(1, recovery.failures) for recovery in recoveries),
        succeeded=len(recoveries),
        new=since is not None and first >= since,
    )


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
