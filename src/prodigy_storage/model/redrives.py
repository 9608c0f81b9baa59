"""Redrives: dead letters that are run again, with what became of each."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.values import Json


class RedriveStatus(enum.Enum):
    """Where a redrive stands."""

    RUNNING = "Running"
    """Somebody works on it, or has died."""
    INTERRUPTED = "Interrupted"
    """It was left before every item was settled; it can be resumed."""
    STOPPED = "Stopped"
    """Its canary failed; it can be resumed, and then goes on without one."""
    COMPLETED = "Completed"
    """Every item is settled."""


@attrs.frozen(kw_only=True)
class Canary:
    """A small part that goes first.

    Args:
        items: How many.
        stop_above: The share of them, 0 to 1, that may fail; with more the redrive stops.

    Raises:
        InvalidValue: a number is out of its range.
    """

    items: int
    stop_above: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.items < 1:
            raise InvalidValue(f"a canary has at least one item, not {self.items}")
        if not 0 <= self.stop_above <= 1:
            raise InvalidValue(f"the share that may fail is between 0 and 1, not {self.stop_above}")


@attrs.frozen(kw_only=True)
class RedriveSettings:
    """How items are run again; stored with the redrive, so that a resumed one behaves the same.

    Args:
        max_retries: How often an item is tried in this redrive at most.
        force: Also items that are not eligible or wait for a review.
        backoff: How long an item waits between two tries.
        rate: How many tries may start in a second, all workers together; None for any number.
        canary: What goes first; None for nothing.

    Raises:
        InvalidValue: a number is out of its range.
    """

    max_retries: int = 3
    force: bool = False
    backoff: Backoff = attrs.field(factory=Backoff)
    rate: float | None = None
    canary: Canary | None = None

    def __attrs_post_init__(self) -> None:
        if self.max_retries < 1:
            raise InvalidValue(f"an item is tried at least once, not {self.max_retries} times")
        if self.rate is not None and not (self.rate > 0 and math.isfinite(self.rate)):
            raise InvalidValue(f"a rate is positive, unlike {self.rate}")


@attrs.frozen(kw_only=True)
class Redrive:
    """One retry of dead letters, as it is stored.

    Args:
        id: `redrive-` and a UUID.
        job_id: The job whose dead letters they are.
        status: Where it stands.
        created_at, updated_at: UTC.
        items: The ids of the chosen letters, in the order in which they are tried.
        filter: The expression that chose them, if there was one.
        reason: Why, in somebody's words.
        settings: How they are tried.
        correlation_id: What its events have in common.
        note: Why it stopped, if it did.
    """

    id: str
    job_id: str
    status: RedriveStatus
    created_at: datetime
    updated_at: datetime
    items: Sequence[str]
    filter: str | None = None
    reason: str = ""
    settings: RedriveSettings = attrs.field(factory=RedriveSettings)
    correlation_id: str = ""
    note: str = ""


class TrialOutcome(enum.Enum):
    """What became of one try at an item."""

    DONE = "done"
    """It succeeded, and the dead letter is gone."""
    RETRYING = "retrying"
    """It failed, and another try follows."""
    FAILED = "failed"
    """It failed for the last time in this redrive."""
    SKIPPED = "skipped"
    """It was not tried, or its result was refused; `error` says why. A resumed redrive looks again."""


SETTLING = frozenset({TrialOutcome.DONE, TrialOutcome.FAILED})
"""Outcomes after which an item is not tried again in the same redrive."""


@attrs.frozen(kw_only=True)
class ItemOutcome:
    """One acknowledged outcome.

    Args:
        redrive: The redrive's id.
        item: The item's id.
        outcome: What became of it.
        attempt: The number of the try in this redrive, from 1; 0 if there was none.
        at: When, microseconds since 1970-01-01 UTC.
        ms: How long the try took, milliseconds.
        signature: The pattern of the letter's last failure before the try.
        failures: How often it had failed before the try.
        error: What went wrong or why it was skipped.
        result: What the work gave.
    """

    redrive: str
    item: str
    outcome: TrialOutcome
    attempt: int = 0
    at: int = 0
    ms: int = 0
    signature: str = ""
    failures: int = 0
    error: str | None = None
    result: Json = None


@attrs.define
class RedriveState:
    """The fold of a redrive's outcomes.

    Args:
        last: The last outcome of each item that has one.
        tries: How often each item failed in this redrive.
    """

    last: dict[str, ItemOutcome] = attrs.field(factory=dict)
    tries: dict[str, int] = attrs.field(factory=dict)

    def fold(self, outcome: ItemOutcome) -> bool:
        """Take one outcome in; False if its item was settled before."""
        if self.settled(outcome.item):
            return False
        self.last[outcome.item] = outcome
        self.tries[outcome.item] = max(outcome.attempt, self.tries.get(outcome.item, 0))
        return True

    def settled(self, item: str) -> bool:
        """Whether it is not tried again in this redrive."""
        last = self.last.get(item)
        return last is not None and last.outcome in SETTLING

    @property
    def settled_count(self) -> int:
        """How many items are settled."""
        return sum(last.outcome in SETTLING for last in self.last.values())

    def closed(self, item: str) -> bool:
        """Whether it is settled, or was skipped."""
        last = self.last.get(item)
        return last is not None and last.outcome is not TrialOutcome.RETRYING

    def counts(self, items: Sequence[str]) -> Mapping[str, int]:
        """How many items are `done`, `failed`, `skipped` and `pending`."""
        found = Counter(self.last[item].outcome for item in items if self.closed(item))
        named = {outcome.value: found[outcome] for outcome in TrialOutcome if outcome is not TrialOutcome.RETRYING}
        return {**named, "pending": len(items) - sum(named.values())}
