"""Claims: the stored right to run a dead letter, one at a time, and what its holder alone may write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import DEAD_LETTERS
from prodigy_storage.codecs.kinds import DEAD_LETTER
from prodigy_storage.codecs.values import micros, time_text
from prodigy_storage.errors import Fenced, Locked, NotFound
from prodigy_storage.model.dead_letters import Claim, DeadLetter, Failure, Owner
from prodigy_storage.model.events import DLQItemAdded, DLQItemRemoved, Event
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Append, Durability, Operation
from prodigy_storage.redrive.surroundings import Surroundings


@attrs.frozen
class Claims:
    """The claims of one redrive.

    A claim is free when its expiry has passed, or at once when its owner is known to be dead.

    Args:
        scope: The job.
        redrive_id: For which redrive.
        correlation_id: What its events have in common.
        ttl: Seconds after which a claim that is not renewed is over.
    """

    _around: Surroundings
    scope: Scope
    redrive_id: str
    correlation_id: str
    ttl: float

    def take(self, item: str) -> DeadLetter:
        """Claim an item and return its letter.

        Raises:
            NotFound: there is no such letter any more.
            Locked: somebody else has claimed it.
        """

        def decide(known: DeadLetter | None) -> DeadLetter:
            if known is None:
                raise NotFound(f"there is no dead letter {item} any more")
            if known.claim is not None and not self._over(known.claim):
                raise _locked(item, known.claim)
            return attrs.evolve(known, claim=self._claim(known.claim))

        taken = self._letters.change(self.scope, item, decide, durability=Durability.OS)
        assert taken is not None  # decide never removes
        return taken

    def renew(self, letter: DeadLetter) -> None:
        """Put off the expiry of a claim.

        Raises:
            Fenced: it was lost.
        """
        expires = self._expiry()

        def decide(known: DeadLetter | None) -> DeadLetter:
            mine = _mine(known, letter)
            return attrs.evolve(mine, claim=mine.claim and attrs.evolve(mine.claim, expires_at=expires))

        self._letters.change(self.scope, letter.item_id, decide, durability=Durability.OS)

    def give_back(self, letter: DeadLetter) -> None:
        """Free the item; does nothing if the claim was lost."""

        def decide(known: DeadLetter | None) -> DeadLetter | None:
            free = known is None or known.claim is None or letter.claim is None or known.claim.id != letter.claim.id
            return known if free or known is None else attrs.evolve(known, claim=None)

        self._letters.change(self.scope, letter.item_id, decide, durability=Durability.OS)

    def forfeit(self, letter: DeadLetter) -> None:
        """End a claim that is over; does nothing if it was renewed or taken since the letter was read."""

        def decide(known: DeadLetter | None) -> DeadLetter | None:
            if known is None or known.claim is None or known.claim != letter.claim or not self._over(known.claim):
                return known
            return attrs.evolve(known, claim=None)

        self._letters.change(self.scope, letter.item_id, decide)

    def remove(self, letter: DeadLetter, outcome: Append) -> None:
        """The item succeeded: in one batch its outcome is kept and the letter removed.

        A letter that gathered further failures while it was claimed stays, without the claim.

        Raises:
            Fenced: the claim was lost; nothing was written.
        """

        def decide(known: DeadLetter | None) -> DeadLetter | None:
            mine = _mine(known, letter)
            return None if mine.failure_count == letter.failure_count else attrs.evolve(mine, claim=None)

        def also(_: DeadLetter | None, after: DeadLetter | None) -> Sequence[Operation]:
            return [] if after else self._telling(DLQItemRemoved(self.scope[-1], letter.item_id))

        self._letters.change(self.scope, letter.item_id, decide, guard=(outcome,), also=also)

    def accumulate(self, letter: DeadLetter, failure: Failure, outcome: Append) -> None:
        """The item failed again: in one batch its outcome is kept, the history grows and the claim ends.

        Raises:
            Fenced: the claim was lost; nothing was written.
        """

        def decide(known: DeadLetter | None) -> DeadLetter:
            return attrs.evolve(_mine(known, letter).failed_again(failure), claim=None)

        def also(_: DeadLetter | None, after: DeadLetter | None) -> Sequence[Operation]:
            assert after is not None  # decide never removes
            event = DLQItemAdded(self.scope[-1], after.item_id, after.error_signature, after.failure_count)
            return self._telling(event)

        self._letters.change(self.scope, letter.item_id, decide, guard=(outcome,), also=also)

    # --- inside

    @property
    def _letters(self) -> Collection[DeadLetter]:
        return Collection(self._around.storage, DEAD_LETTER, DEAD_LETTERS)

    def _telling(self, event: Event) -> Sequence[Operation]:
        more = {"redrive_id": self.redrive_id}
        return self._around.teller.telling([event], correlation_id=self.correlation_id, metadata=more)

    def _over(self, claim: Claim) -> bool:
        return is_over(self._around, claim)

    def _claim(self, former: Claim | None) -> Claim:
        runtime, presence = self._around.runtime, self._around.presence
        me = presence.me() if presence else runtime.background.identity()
        return Claim(
            id=runtime.ids.new(),
            epoch=max(micros(runtime.clock.now()), former.epoch + 1 if former else 0),
            redrive_id=self.redrive_id,
            owner=Owner(writer=me.writer, pid=me.pid, host=me.host, boot=me.boot, started=me.started),
            expires_at=self._expiry(),
        )

    def _expiry(self) -> datetime:
        return self._around.runtime.clock.now() + timedelta(seconds=self.ttl)


def is_over(around: Surroundings, claim: Claim) -> bool:
    """Whether anybody may take the item: the claim has expired, or its owner is known to be dead."""
    presence = around.presence
    return claim.expires_at <= around.runtime.clock.now() or (
        presence is not None and presence.alive(_token(claim.owner)) is False
    )


def _mine(known: DeadLetter | None, letter: DeadLetter) -> DeadLetter:
    """The letter as it is stored now, if the claim still stands."""
    if known is None or known.claim is None or letter.claim is None or known.claim.id != letter.claim.id:
        raise Fenced(
            f"the claim on {letter.item_id} was lost; its result is refused", kind=DEAD_LETTER.name, id=letter.item_id
        )
    return known


def _token(owner: Owner) -> Token:
    return Token(owner.writer, owner.pid, owner.host, owner.boot, owner.started)


def _locked(item: str, claim: Claim) -> Locked:
    owner = claim.owner
    return Locked(
        f"{item} is being retried by pid {owner.pid} on {owner.host} until {time_text(claim.expires_at)}",
        hint="Wait for it; the claim of a dead process comes back by itself.",
        name=item,
        holder=claim.redrive_id,
        pid=owner.pid,
        host=owner.host,
        epoch=claim.epoch,
    )
