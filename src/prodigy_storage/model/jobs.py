"""The state of a job as a pure fold: what was settled, what failed, what is left.

The truth of a run is its newest valid checkpoint plus the progress records behind it. An item settles once and an
attempt counts once, so folding a record again changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.values import Json


@attrs.frozen
class WorkItem:
    """One input of a job."""

    id: str
    data: Json


class Outcome(enum.Enum):
    """What became of an attempt."""

    DONE = "done"
    """It succeeded; the item is settled."""
    FAILED = "failed"
    """It failed and another attempt will follow."""
    DEAD = "dead"
    """It failed for good; the item is a dead letter."""


@attrs.frozen
class Progress:
    """One acknowledged attempt.

    Args:
        item: The item's id.
        outcome: What became of it.
        attempt: Its number, from 1.
        at: When it was settled, microseconds since 1970-01-01 UTC.
        ms: How long it took, milliseconds.
        result: What it gave, as encoded JSON; None unless done.
        error: What went wrong, `Type: message`; None if done.
        not_before: When the next attempt may start, microseconds; 0 if at once.
    """

    item: str
    outcome: Outcome
    attempt: int
    at: int
    ms: int = 0
    result: bytes | None = None
    error: str | None = None
    not_before: int = 0


@attrs.define
class JobState:
    """What is known of each item that was tried at least once.

    Args:
        done: The last progress of each item that succeeded.
        dead: The last progress of each item that failed for good.
        failed: The failures so far of each item that is still pending, oldest first.
        restarted: The last attempt of each item that a restart of the phase has put behind; it counts no more.
    """

    done: dict[str, Progress] = attrs.field(factory=dict)
    dead: dict[str, Progress] = attrs.field(factory=dict)
    failed: dict[str, tuple[Progress, ...]] = attrs.field(factory=dict)
    restarted: dict[str, int] = attrs.field(factory=dict)

    def settled(self, item: str) -> bool:
        """Whether nothing more will happen to the item in this run."""
        return item in self.done or item in self.dead

    def attempts(self, item: str) -> int:
        """How many attempts of a pending item have failed, since the last restart."""
        return len(self.failed.get(item, ()))

    def next_attempt(self, item: str) -> int:
        """The number of the next attempt of a pending item; numbers are never used twice, whatever is restarted."""
        return self.restarted.get(item, 0) + self.attempts(item) + 1

    def fold(self, progress: Progress) -> bool:
        """Take one record in; False if it says nothing new."""
        if self.settled(progress.item) or progress.attempt <= self.restarted.get(progress.item, 0):
            return False
        earlier = self.failed.get(progress.item, ())
        if progress.outcome is Outcome.FAILED:
            if any(known.attempt == progress.attempt for known in earlier):
                return False
            self.failed[progress.item] = (*earlier, progress)
            return True
        self.failed.pop(progress.item, None)
        (self.done if progress.outcome is Outcome.DONE else self.dead)[progress.item] = progress
        return True

    def copy(self) -> JobState:
        """An independent copy."""
        return JobState(dict(self.done), dict(self.dead), dict(self.failed), dict(self.restarted))

    def restart(self) -> JobState:
        """The state in which every item is pending again; what was done and what has failed counts no more."""
        last = dict(self.restarted)
        last |= {item: progress.attempt for item, progress in (*self.done.items(), *self.dead.items())}
        last |= {item: max(one.attempt for one in many) for item, many in self.failed.items()}
        return JobState(restarted=last)


@attrs.frozen(kw_only=True)
class Backoff:
    """How long an item waits before its next attempt: exponential, capped, without jitter, so that it is pure.

    Args:
        initial, maximum: Seconds.
        multiplier: Growth from one failure to the next.
    """

    initial: float = 1.0
    multiplier: float = 2.0
    maximum: float = 30.0

    def seconds(self, failures: int) -> float:
        """The wait after the given number of failures, at least 1."""
        exponent = min(failures - 1, 64)
        return min(self.initial * self.multiplier**exponent, self.maximum)


@attrs.frozen(kw_only=True)
class JobSettings:
    """How a job treats its items; stored with them, so that a resumed run behaves the same."""

    max_retries: int = 0
    backoff: Backoff = attrs.field(factory=Backoff)


@attrs.frozen(kw_only=True)
class StepResult:
    """A step of the setup or reduce phase that was completed.

    Args:
        name: What the program calls it.
        output: What it gave.
        at: When it was completed, microseconds since 1970-01-01 UTC.
        ms: How long it took, milliseconds.
    """

    name: str
    output: Json
    at: int
    ms: int = 0


@attrs.frozen(kw_only=True)
class Setup:
    """What a job starts from: its items and settings. Immutable once it is complete.

    Args:
        steps: The completed steps of the setup phase, in their order.
        variables: What the setup phase left for the others.
        complete: Whether the items are known; until then the job is in its setup phase.
    """

    repo: str
    job_id: str
    session_id: str
    created_at: datetime
    items: Sequence[WorkItem]
    settings: JobSettings = attrs.field(factory=JobSettings)
    correlation_id: str = ""
    metadata: Mapping[str, Json] = attrs.field(factory=dict)
    steps: Sequence[StepResult] = ()
    variables: Mapping[str, Json] = attrs.field(factory=dict)
    complete: bool = True


@attrs.frozen(kw_only=True)
class JobSummary:
    """A job in numbers: derived from its checkpoints, for people and tools; never the truth."""

    job_id: str
    session_id: str
    updated_at: datetime
    phase: str
    checkpoint: int
    total_items: int
    completed: int
    dead_letters: int
    pending: int
