"""How many dead letters a job has, and making room without losing any."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import DEAD_LETTERS
from prodigy_storage.codecs.kinds import ARCHIVED_LETTER, DEAD_LETTER
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import Conflict, Corrupt, QueueFull
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_limits import DeadLetterLimits, WhenFull
from prodigy_storage.model.events import DLQItemsEvicted, Event
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Delete, Document, Operation, Query, Storage

Tell = Callable[[Sequence[Event]], Sequence[Operation]]
_RECOUNT = 100
_ROUNDS = 100


@attrs.define(eq=False)
class Capacity:
    """Keeps each job below its limit. Counts anew after every 100 additions, and when the limit seems reached.

    Args:
        storage: Where the letters are.
        limits: How many there may be, and what happens then.
        tell: From events to the operations that log them.
    """

    storage: Storage
    limits: DeadLetterLimits
    tell: Tell
    _known: dict[Scope, tuple[int, int]] = attrs.field(factory=dict)

    def make_room(self, scope: Scope, item: str) -> None:
        """Make sure that the item can be added.

        Raises:
            QueueFull: there is no room, and the policy is to refuse, or everything is claimed.
        """
        limit = self.limits.max_items
        if limit is None or self.storage.fetch(scope, DEAD_LETTER, [item]):
            return
        count, added = self._known.get(scope, (0, _RECOUNT))
        if added >= _RECOUNT or count + added >= limit:
            count, added = self._count(scope), 0
        for _ in range(_ROUNDS):
            if count < limit:
                break
            self._refuse_or_evict(scope, item, limit)
            count = self._count(scope)
        self._known[scope] = (count, added + 1)

    def _count(self, scope: Scope) -> int:
        return sum(len(page.documents) + len(page.damage) for page in walk(self.storage, _query(scope)))

    def _refuse_or_evict(self, scope: Scope, item: str, limit: int) -> None:
        if self.limits.when_full is WhenFull.REFUSE:
            raise QueueFull(
                f"{'/'.join(scope)} has {limit} dead letters, as many as it may; {item} was not added",
                hint="Retry or purge some of them, or raise max_items, or let the oldest be archived when it is full.",
                limit=limit,
            )
        pages = walk(self.storage, _query(scope))
        if not any(self._archived(scope, document) for page in pages for document in page.documents):
            raise QueueFull(
                f"{'/'.join(scope)} has {limit} dead letters, as many as it may, and none could be archived",
                hint="They are being retried now, or damaged. Wait for the redrive, or raise max_items.",
                limit=limit,
            )

    def _archived(self, scope: Scope, document: Document) -> bool:
        """Move one letter to the archive; False if it is being retried, damaged, or changed meanwhile."""
        try:
            letter = DEAD_LETTERS.decode(document)
        except Corrupt:
            return False
        if letter.claim is not None:
            return False
        gone = Delete(DEAD_LETTER, letter.item_id, document.version)
        told = self.tell([DLQItemsEvicted(scope[-1], 1)])
        try:
            Collection(self.storage, ARCHIVED_LETTER, DEAD_LETTERS).change(
                scope, letter.item_id, lambda known: _merged(known, letter), guard=(gone, *told)
            )
        except Conflict:
            return False
        return True


def _merged(known: DeadLetter | None, letter: DeadLetter) -> DeadLetter:
    return known.merged(letter) if known else letter


def _query(scope: Scope) -> Query:
    return Query(DEAD_LETTER, scope, limit=1000)
