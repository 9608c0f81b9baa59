"""Everything that a redrive writes, apart from its claims."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import REDRIVES
from prodigy_storage.codecs.kinds import REDRIVE
from prodigy_storage.codecs.redrives import OUTCOMES, encode_outcome, outcomes
from prodigy_storage.errors import NotFound
from prodigy_storage.model.events import DLQItemsReprocessed
from prodigy_storage.model.redrives import ItemOutcome, Redrive, RedriveState, RedriveStatus, TrialOutcome
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Append, Batch, Damage
from prodigy_storage.redrive.surroundings import Surroundings


@attrs.frozen
class Journal:
    """The records of one redrive.

    Args:
        scope: The job.
        id: The redrive.
    """

    _around: Surroundings
    scope: Scope
    id: str

    def create(self, redrive: Redrive) -> None:
        """Store a redrive before anything of it happens."""
        self._redrives.change(self.scope, self.id, lambda _: redrive)

    def move(self, status: RedriveStatus, *, note: str = "", reprocessed: int = 0) -> None:
        """Say where the redrive stands.

        Args:
            status: Where.
            note: Why.
            reprocessed: How many items were settled since it was started or resumed, for the event.
        """

        def decide(known: Redrive | None) -> Redrive:
            if known is None:
                raise NotFound(f"the redrive {self.id} is gone")
            return attrs.evolve(known, status=status, updated_at=self._around.runtime.clock.now(), note=note)

        correlation = self._redrives.load(self.scope, self.id).value.correlation_id
        events = [DLQItemsReprocessed(self.scope[-1], reprocessed)] if reprocessed else []
        more = {"redrive_id": self.id}
        told = self._around.teller.telling(events, correlation_id=correlation, metadata=more)
        self._redrives.change(self.scope, self.id, decide, guard=told)

    def note(self, outcome: ItemOutcome) -> None:
        """Keep an outcome that changes no letter."""
        self._around.storage.commit(Batch(self.scope, (self.noting(outcome),)))

    def noting(self, outcome: ItemOutcome) -> Append:
        """The operation that keeps an outcome.

        Raises:
            InvalidValue: the result is no JSON.
        """
        return Append(OUTCOMES, encode_outcome(outcome))

    def state(self, on_damage: Callable[[Damage], None]) -> RedriveState:
        """What became of each item so far."""
        state = RedriveState()
        for outcome in outcomes(self._around.storage, self.scope, on_damage, redrive=self.id):
            state.fold(outcome)
        return state

    @property
    def _redrives(self) -> Collection[Redrive]:
        return Collection(self._around.storage, REDRIVE, REDRIVES)


def reopened(state: RedriveState) -> RedriveState:
    """The state in which skipped items are looked at again."""
    kept = {item: last for item, last in state.last.items() if last.outcome is not TrialOutcome.SKIPPED}
    return RedriveState(kept, dict(state.tries))
