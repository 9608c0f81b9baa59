"""Which dead letters a redrive is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from prodigy_storage.errors import NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.ports.storage import Damage
from prodigy_storage.services.dead_letters import DeadLetters


@attrs.frozen(kw_only=True)
class Selection:
    """Chosen before anything is written.

    Args:
        letters: What will be tried, the oldest last failure first.
        refused: Letters that were asked for by their ids and may not be tried without `force`.
        passed_over: How many others matched and may not be tried without `force`.
        damage: Letters that cannot be read.
    """

    letters: Sequence[DeadLetter]
    refused: Sequence[DeadLetter] = ()
    passed_over: int = 0
    damage: Sequence[Damage] = ()

    @property
    def items(self) -> tuple[str, ...]:
        """The ids of everything that the redrive has to account for."""
        return tuple(letter.item_id for letter in (*self.letters, *self.refused))


def select(
    dlq: DeadLetters,
    repo: str,
    job: str,
    *,
    filter: str | None,  # noqa: A002  # what the documents call it
    ids: Collection[str] | None,
    force: bool,
) -> Selection:
    """Choose.

    Raises:
        InvalidFilter: the filter cannot be parsed, or cannot be applied to one of the letters.
        NotFound: one of the ids names no dead letter of the job.
    """
    wanted = frozenset(ids) if ids is not None else None
    listing = dlq.list(repo, job, filter=filter)
    found = [letter for letter in listing.values if wanted is None or letter.item_id in wanted]
    if wanted is not None:
        _check(dlq, repo, job, wanted, found)
    allowed = [letter for letter in found if force or letter.retryable]
    others = [letter for letter in found if not (force or letter.retryable)]
    return Selection(
        letters=allowed,
        refused=others if wanted is not None else (),
        passed_over=0 if wanted is not None else len(others),
        damage=listing.damage,
    )


def _check(dlq: DeadLetters, repo: str, job: str, wanted: frozenset[str], found: Sequence[DeadLetter]) -> None:
    """A missing id is an error; one that the filter left out is none."""
    for item in sorted(wanted - {letter.item_id for letter in found}):
        try:
            dlq.get(repo, job, item)
        except NotFound as error:
            error.hint = "prodigy-storage dlq list shows what is there"
            raise
