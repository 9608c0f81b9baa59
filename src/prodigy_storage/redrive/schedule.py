"""What is tried when: the canary first, then the rest, until everything is settled or it is time to stop."""

from __future__ import annotations

import attrs

from prodigy_storage.model.redrives import (
    Canary,
    ItemOutcome,
    Redrive,
    RedriveState,
    RedriveStatus,
    TrialOutcome,
)
from prodigy_storage.redrive.queue import Queue


@attrs.define(eq=False)
class Schedule:
    """Pure; times are monotonic seconds. All calls are made under the mutex of the redrive.

    Args:
        redrive: What is to be tried, and how.
        state: What became of each item so far.
        note: Why it stopped early; empty if it did not.
    """

    redrive: Redrive
    state: RedriveState
    note: str = ""
    _queue: Queue = attrs.field(init=False)
    _canary: Canary | None = attrs.field(init=False)
    _later: list[str] = attrs.field(init=False)
    _pending: int = attrs.field(init=False)
    _stopped: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        settings, items = self.redrive.settings, self.redrive.items
        self._queue = Queue(1.0 / settings.rate if settings.rate else 0.0)
        self._canary = settings.canary
        first = self._canary.items if self._canary else len(items)
        self._queue.extend(item for item in items[:first] if not self.state.closed(item))
        self._later = [item for item in items[first:] if not self.state.closed(item)]
        self._pending = sum(not self.state.closed(item) for item in items)
        self._look_at_canary()

    @property
    def finished(self) -> bool:
        """Whether nothing further will be tried."""
        return self._stopped or not self._pending

    @property
    def status(self) -> RedriveStatus:
        """Where the redrive stands when it is left now."""
        if not self._pending:
            return RedriveStatus.COMPLETED
        return RedriveStatus.STOPPED if self.note else RedriveStatus.INTERRUPTED

    def take(self, now: float) -> str | None:
        """The item to try next; None if there is none now."""
        return None if self._stopped else self._queue.take(now)

    def put(self, item: str) -> None:
        """The item was not tried after all."""
        self._queue.put(item)

    def stop(self, note: str = "") -> None:
        """Let nothing more be taken."""
        self._stopped = True
        self.note = self.note or note

    def fold(self, outcome: ItemOutcome, now: float) -> None:
        """Take in what became of an item."""
        before = self.state.closed(outcome.item)
        self.state.fold(outcome)
        self._pending -= self.state.closed(outcome.item) - before
        if outcome.outcome is TrialOutcome.RETRYING:
            self._queue.put(outcome.item, now + self.redrive.settings.backoff.seconds(outcome.attempt))
        else:
            self._look_at_canary()

    def _look_at_canary(self) -> None:
        """When all of the canary is closed: go on with the rest, or stop."""
        canary = self._canary
        if canary is None:
            return
        first = self.redrive.items[: canary.items]
        if not all(self.state.closed(item) for item in first):
            return
        self._canary = None
        failed = sum(self.state.last[item].outcome is TrialOutcome.FAILED for item in first)
        if self._later and failed / len(first) > canary.stop_above:
            self.stop(f"the canary failed: {failed} of {len(first)}, allowed are {canary.stop_above:.0%}")
        else:
            self._queue.extend(self._later)
            self._later = []
