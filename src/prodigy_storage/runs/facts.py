"""The events that a progress record stands for, with ids that are the same whenever they are written again."""

from __future__ import annotations

from typing import NamedTuple

import attrs

from prodigy_storage.codecs.event_ids import derived_id
from prodigy_storage.model.dead_letters_signatures import signature
from prodigy_storage.model.events import (
    AgentCompleted,
    AgentFailed,
    AgentRetrying,
    AgentStarted,
    DLQItemAdded,
    Event,
)
from prodigy_storage.model.jobs import Outcome, Progress
from prodigy_storage.model.values import Duration


class Fact(NamedTuple):
    """An event with its derived id and what its record says beside it."""

    id: str
    event: Event
    item: str
    attempt: int


@attrs.frozen
class Facts:
    """Makes the facts of one job.

    Args:
        job_id: The job.
        session_id: The session; part of each id.
    """

    job_id: str
    session_id: str

    def started(self, item: str, attempt: int) -> Fact:
        """An item was taken."""
        event = AgentStarted(self.job_id, agent_id(item), item, "", attempt)
        return self._fact(event, item, attempt)

    def settled(self, progress: Progress) -> list[Fact]:
        """What became of an attempt, without its start."""
        item, attempt, agent = progress.item, progress.attempt, agent_id(progress.item)
        error = progress.error or ""
        events: list[Event]
        if progress.outcome is Outcome.DONE:
            events = [AgentCompleted(self.job_id, agent, Duration.of(progress.ms / 1000))]
        elif progress.outcome is Outcome.FAILED:
            wait = max(0, progress.not_before - progress.at) // 1000
            events = [
                AgentFailed(self.job_id, agent, error, retry_eligible=True),
                AgentRetrying(self.job_id, agent, attempt + 1, wait),
            ]
        else:
            events = [
                AgentFailed(self.job_id, agent, error, retry_eligible=False),
                DLQItemAdded(self.job_id, item, signature(error), attempt),
            ]
        return [self._fact(event, item, attempt) for event in events]

    @property
    def completed_id(self) -> str:
        """The id of the event that ends the job; there is one, however often the end was interrupted."""
        return derived_id(self.session_id, "job_completed")

    def _fact(self, event: Event, item: str, attempt: int) -> Fact:
        return Fact(derived_id(self.session_id, item, attempt, event.event_type), event, item, attempt)


def agent_id(item: str) -> str:
    """Who tries an item, in Prodigy's words."""
    return f"agent-{item}"
