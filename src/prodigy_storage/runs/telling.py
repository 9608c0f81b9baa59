"""The events of a run: told after the fact, each once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

from prodigy_storage.model.jobs import Progress
from prodigy_storage.runs.facts import Fact, Facts
from prodigy_storage.services.events import EventLogger


@attrs.define
class Teller:
    """Logs what happened to items. All calls are made under the mutex of the run.

    An attempt is acknowledged by its progress record alone. Its events are made from that record a moment later, so
    that nobody waits for them; whatever a death leaves untold, the next resume tells.

    Args:
        facts: Makes the events of a record.
        logger: Where they go.
        known: Ids of events that the store has already.
    """

    facts: Facts
    logger: EventLogger
    known: set[str]
    _untold: deque[Progress] = attrs.field(factory=deque)

    def started(self, item: str, attempt: int) -> None:
        """An item was taken."""
        self.expect((self.facts.started(item, attempt),))

    def settled(self, progress: Progress) -> None:
        """An attempt was acknowledged; `tell` logs it."""
        self._untold.append(progress)

    def tell(self) -> None:
        """Log what was acknowledged since the last call.

        Raises:
            StorageError: the event log is full; what is not told yet is told by a later call.
        """
        while self._untold:
            self.expect(self.facts.settled(self._untold[0]))
            self._untold.popleft()

    def expect(self, facts: Iterable[Fact]) -> None:
        """Log those facts that the store lacks."""
        for fact in facts:
            if fact.id not in self.known:
                self.logger.log(fact.event, id=fact.id, metadata={"item_id": fact.item, "attempt": fact.attempt})
