"""The dead letter queue: what failed for good, kept until somebody deals with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.codecs.telling import Teller
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_analysis import Analysis
from prodigy_storage.model.dead_letters_limits import DeadLetterLimits
from prodigy_storage.model.events import DLQAnalysisGenerated, DLQItemAdded, Event
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.storage import Batch, Durability, Operation, Storage
from prodigy_storage.services.dead_letters.capacity import Capacity
from prodigy_storage.services.dead_letters.reading import Reading
from prodigy_storage.services.dead_letters.removing import Removed, Remover


class DeadLetters(Reading):
    """`store.dlq`. An item is named by its repo, job and item id; nothing is ever dropped silently.

    Args:
        storage: Where the letters are.
        teller: Makes the events of what changes; None for no events.
        clock: For ages; needed by `purge` alone.
        limits: Capacity and retention.
        tells_additions: Whether `add` writes an event; False for a run, which tells of its failures itself.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        teller: Teller | None = None,
        clock: Clock | None = None,
        limits: DeadLetterLimits | None = None,
        tells_additions: bool = True,
    ) -> None:
        super().__init__(storage)
        self.limits: DeadLetterLimits = limits or DeadLetterLimits()
        self._teller = teller
        self._clock = clock
        self._tells_additions = tells_additions
        self._capacity = Capacity(storage, self.limits, self._tell)
        self._remover = Remover(self._letters, self._tell)

    def _tell(self, events: Sequence[Event]) -> Sequence[Operation]:
        return self._teller.telling(events) if self._teller else ()

    def add(
        self,
        repo: str,
        job: str,
        letter: DeadLetter,
        *,
        guard: Sequence[Operation] = (),
        durability: Durability = Durability.FULL,
    ) -> DeadLetter:
        """Keep a dead letter; failures of one that is already there accumulate, and repeats add nothing.

        Args:
            repo, job: Where it belongs.
            letter: The failed item with its history.
            guard: Operations that must hold, or happen, with it.
            durability: What a return means.

        Returns:
            The letter as it is stored now.

        Raises:
            InvalidValue: the item holds something that is no JSON.
            QueueFull: the job has as many letters as it may.
            Conflict: an operation of `guard` did not hold.
        """
        scope = (repo, job)
        self._capacity.make_room(scope, letter.item_id)

        def merge(known: DeadLetter | None) -> DeadLetter:
            return known.merged(letter) if known else letter

        def told(before: DeadLetter | None, after: DeadLetter | None) -> Sequence[Operation]:
            if not self._tells_additions or after is None or after == before:
                return ()
            return self._tell([DLQItemAdded(job, after.item_id, after.error_signature, after.failure_count)])

        stored = self._letters.change(scope, letter.item_id, merge, guard=guard, also=told, durability=durability)
        assert stored is not None  # merge never removes
        return stored

    def tell_of(self, analysis: Analysis, repo: str | None = None, job: str | None = None) -> None:
        """Log `dlq_analysis_generated` in every job that was analysed: for an analysis that is kept.

        Args:
            analysis: What `analyze` gave.
            repo, job: What it was asked for.
        """
        for scope in sorted({loaded.document.scope for loaded in self.list(repo, job).loaded}):
            told = self._tell([DLQAnalysisGenerated(scope[-1], len(analysis.patterns))])
            if told:
                self._storage.commit(Batch(scope, told))

    # --- taking them out

    def remove(self, repo: str, job: str, item: str) -> DeadLetter:
        """Remove a dead letter and return it as it was.

        Raises:
            NotFound: there is none.
            InvalidTransition: it is being retried.
        """
        removed = self._remover.remove((repo, job), item)
        assert removed is not None  # without a condition every letter fits
        return removed

    def purge(self, repo: str | None = None, job: str | None = None, *, older_than: timedelta | None = None) -> Removed:
        """Remove the letters of one job, one repo, or all whose last failure is too long ago.

        Letters that are being retried stay.

        Args:
            repo, job: Where; None for every one.
            older_than: The age above which they go; the retention of the limits if None.

        Raises:
            InvalidValue: there is no age, or it is negative.
        """
        cutoff = self._cutoff(older_than)
        return self._remover.remove_all(
            self.aged(repo, job, older_than=older_than), lambda one: one.last_attempt < cutoff
        )

    def aged(
        self, repo: str | None = None, job: str | None = None, *, older_than: timedelta | None = None
    ) -> Sequence[Loaded[DeadLetter]]:
        """What `purge` would remove.

        Raises:
            InvalidValue: there is no age, or it is negative.
        """
        cutoff = self._cutoff(older_than)
        return [one for one in self.list(repo, job).loaded if one.value.last_attempt < cutoff]

    def clear(self, repo: str, job: str) -> Removed:
        """Remove every letter of a job but those that are being retried."""
        return self._remover.remove_all(self.list(repo, job).loaded, lambda _: True)

    def _cutoff(self, older_than: timedelta | None) -> datetime:
        age = self.limits.retention if older_than is None else older_than
        if age is None or age < timedelta() or self._clock is None:
            raise InvalidValue(f"the age above which dead letters go is a length of time, not {age}")
        try:
            return self._clock.now() - age
        except OverflowError as error:
            raise InvalidValue(f"{age} is longer than the calendar") from error
