"""Looking at dead letters: one, many, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import DEAD_LETTERS, Listing, Loaded
from prodigy_storage.codecs.filters import compiled
from prodigy_storage.codecs.kinds import ARCHIVED_LETTER, DEAD_LETTER
from prodigy_storage.codecs.redrives import OUTCOMES, outcomes
from prodigy_storage.errors import Ambiguous, InvalidValue, NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.dead_letters_analysis import Analysis, DeadLetterStats, Recovery, analyse, summarise
from prodigy_storage.model.redrives import TrialOutcome
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Storage
from prodigy_storage.services.dead_letters.exporting import FORMATS


class Reading:
    """The part of `DeadLetters` that changes nothing.

    Args:
        storage: Where the letters are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._letters = Collection(storage, DEAD_LETTER, DEAD_LETTERS)

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

    def _scopes(self, repo: str | None, job: str | None) -> Sequence[Scope]:
        return [
            scope
            for scope in self._storage.scopes(DEAD_LETTER)
            if repo in (None, scope[0]) and job in (None, scope[-1])
        ]

    def list(
        self,
        repo: str | None = None,
        job: str | None = None,
        *,
        eligible: bool | None = None,
        filter: str | None = None,  # noqa: A002  # what the documents call it
        limit: int | None = None,
    ) -> Listing[DeadLetter]:
        """Dead letters of one job, one repo, or all, ordered by their last failure.

        Args:
            repo, job: Where; None for every one.
            eligible: Only those that may, or may not, be retried without a look at them.
            filter: Only those that match this expression; see `codecs.filters`.
            limit: Only the newest so many.

        Raises:
            InvalidFilter: the filter cannot be parsed, or cannot be applied to one of the letters.
            InvalidValue: the limit is negative.
        """
        if limit is not None and limit < 0:
            raise InvalidValue(f"a limit is not negative, unlike {limit}")
        matches = compiled(filter) if filter is not None else None
        found = self._gathered(self._letters, repo, job, eligible=eligible)
        loaded = [one for one in found.loaded if matches is None or matches(one.value)]
        return Listing(loaded if limit is None else loaded[max(0, len(loaded) - limit) :], found.damage)

    def archived(self, repo: str | None = None, job: str | None = None) -> Listing[DeadLetter]:
        """Dead letters that were moved to the archive because their queue was full."""
        return self._gathered(Collection(self._storage, ARCHIVED_LETTER, DEAD_LETTERS), repo, job)

    def _gathered(
        self, letters: Collection[DeadLetter], repo: str | None, job: str | None, *, eligible: bool | None = None
    ) -> Listing[DeadLetter]:
        tags = {} if eligible is None else {"eligible": "yes" if eligible else "no"}
        listings = [letters.list(scope, tags=tags) for scope in self._prefixes(letters, repo, job)]
        loaded = [one for many in listings for one in many.loaded]
        if len(listings) > 1:
            loaded.sort(key=lambda one: one.value.last_attempt)
        return Listing(loaded, [damage for many in listings for damage in many.damage])

    def _prefixes(self, letters: Collection[DeadLetter], repo: str | None, job: str | None) -> Sequence[Scope]:
        if job is None or repo is not None:
            return [tuple(name for name in (repo, job) if name is not None)]
        return [scope for scope in self._storage.scopes(letters.kind) if job == scope[-1]]

    def stats(self, repo: str | None = None, job: str | None = None) -> DeadLetterStats:
        """Numbers over the letters of one job, one repo, or all."""
        return summarise(self.list(repo, job).values)

    def analyze(self, repo: str | None = None, job: str | None = None, *, since: datetime | None = None) -> Analysis:
        """What the failures of one job, one repo, or all have in common, and whether retrying helps.

        Args:
            repo, job: Where; None for every one.
            since: Mark patterns of which nothing failed before this time, aware, as new.
        """
        return analyse(self.list(repo, job).values, self._recoveries(repo, job), since=since)

    def _recoveries(self, repo: str | None, job: str | None) -> Iterator[Recovery]:
        storage = self._storage
        for scope in storage.scopes(OUTCOMES):
            if repo in (None, scope[0]) and job in (None, scope[-1]):
                for outcome in outcomes(storage, scope, lambda _: None):
                    if outcome.outcome is TrialOutcome.DONE:
                        yield Recovery(signature=outcome.signature, failures=outcome.failures)

    def export(self, letters: Listing[DeadLetter], format: str = "json") -> Iterator[str]:  # noqa: A002  # likewise
        """Letters as text, piece by piece: `json` (an array of the items as they are on disk) or `csv`.

        Args:
            letters: What `list` gave.
            format: One of the two.

        Raises:
            InvalidValue: it is neither.
        """
        if format not in FORMATS:
            raise InvalidValue(f"{format!r} is no format; there are: {', '.join(FORMATS)}")
        return FORMATS[format](letters.loaded)
