"""The dead letter queue: what failed for good, kept until somebody deals with it."""

from __future__ import annotations

from collections.abc import Sequence

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import DEAD_LETTERS, Listing, Loaded
from prodigy_storage.codecs.kinds import DEAD_LETTER
from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.model.dead_letters import DeadLetter, DeadLetterStats, summarise
from prodigy_storage.ports.names import Scope, check_name
from prodigy_storage.ports.storage import Durability, Operation, Storage


class DeadLetters:
    """`store.dlq`. An item is named by its repo, job and item id; nothing is ever dropped silently."""

    def __init__(self, storage: Storage) -> None:
        self._letters = Collection(storage, DEAD_LETTER, DEAD_LETTERS)

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
            Conflict: an operation of `guard` did not hold.
        """

        def merge(known: DeadLetter | None) -> DeadLetter:
            return known.merged(letter) if known else letter

        stored = self._letters.change((repo, job), letter.item_id, merge, guard=guard, durability=durability)
        assert stored is not None  # merge never removes
        return stored

    def get(self, repo: str, job: str, item: str) -> DeadLetter:
        """One dead letter.

        Raises:
            NotFound: there is none.
            Corrupt: its document is damaged.
        """
        return self._letters.load((repo, job), item).value

    def find(self, item: str, *, repo: str | None = None, job: str | None = None) -> Loaded[DeadLetter]:
        """One dead letter by its item id alone, searched in every repo and job that fits.

        Raises:
            NotFound: there is none.
            Ambiguous: several jobs have one; the candidates are listed as `repo/job`.
        """
        found = [loaded for scope in self._scopes(repo, job) if (loaded := self._letters.find(scope, item))]
        if not found:
            raise NotFound(f"there is no dead letter {item}", hint="prodigy-storage dlq list shows what is there")
        if len(found) > 1:
            places = tuple("/".join(loaded.document.scope) for loaded in found)
            raise Ambiguous(f"{len(found)} jobs have a dead letter {item}", candidates=places)
        return found[0]

    def _scopes(self, repo: str | None, job: str | None) -> list[Scope]:
        return [
            scope
            for scope in self._letters.storage.scopes(DEAD_LETTER)
            if repo in (None, scope[0]) and job in (None, scope[-1])
        ]

    def list(
        self, repo: str | None = None, job: str | None = None, *, eligible: bool | None = None
    ) -> Listing[DeadLetter]:
        """Dead letters of one job, one repo, or all, ordered by their last failure.

        Args:
            repo, job: Where; None for every one.
            eligible: Only those that may, or may not, be retried without a look at them.
        """
        tags = {} if eligible is None else {"eligible": "yes" if eligible else "no"}
        if job is None or repo is not None:
            scope = tuple(name for name in (repo, job) if name is not None)
            return self._letters.list(scope, tags=tags)
        listings = [self._letters.list(scope, tags=tags) for scope in self._scopes(repo, job)]
        loaded = sorted((one for many in listings for one in many.loaded), key=lambda one: one.value.last_attempt)
        return Listing(loaded, [damage for many in listings for damage in many.damage])

    def stats(self, repo: str | None = None, job: str | None = None) -> DeadLetterStats:
        """Numbers over the letters of one job, one repo, or all."""
        return summarise(self.list(repo, job).values)

    def remove(self, repo: str, job: str, item: str) -> DeadLetter:
        """Remove a dead letter and return it as it was.

        Raises:
            NotFound: there is none.
        """
        removed: list[DeadLetter] = []

        def take(known: DeadLetter | None) -> None:
            if known is None:
                raise NotFound(f"there is no dead letter {check_name(item)} in {repo}/{job}")
            removed[:] = [known]

        self._letters.change((repo, job), item, take)
        return removed[0]
