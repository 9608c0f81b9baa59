"""Taking dead letters out of the queue: each with its event, and none that is being retried."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.errors import InvalidTransition, NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.events import DLQItemRemoved
from prodigy_storage.ports.names import Scope, check_name
from prodigy_storage.services.dead_letters.capacity import Tell


@attrs.frozen(kw_only=True)
class Removed:
    """What became of the letters that should go.

    Args:
        removed: Those that are gone.
        kept: Those that stay, because somebody retries them now, or because they failed again meanwhile.
    """

    removed: list[Loaded[DeadLetter]]
    kept: list[Loaded[DeadLetter]]


@attrs.frozen
class Remover:
    """Removes letters one by one; each removal and its event are one batch."""

    letters: Collection[DeadLetter]
    tell: Tell

    def remove(self, scope: Scope, item: str, fits: Callable[[DeadLetter], bool] = lambda _: True) -> DeadLetter | None:
        """Remove one letter and return it as it was; None if it does not fit any more.

        Raises:
            NotFound: there is none.
            InvalidTransition: it is being retried.
        """
        removed: list[DeadLetter] = []

        def take(known: DeadLetter | None) -> DeadLetter | None:
            if known is None:
                raise NotFound(f"there is no dead letter {check_name(item)} in {'/'.join(scope)}")
            if known.claim is not None:
                raise InvalidTransition(
                    f"{item} is being retried by {known.claim.redrive_id}",
                    hint="Wait for it, or resume that redrive if its process is dead.",
                )
            removed[:] = [known] if fits(known) else []
            return None if removed else known

        self.letters.change(
            scope, item, take, also=lambda _, after: [] if after else self.tell([DLQItemRemoved(scope[-1], item)])
        )
        return removed[0] if removed else None

    def remove_all(self, found: Iterable[Loaded[DeadLetter]], fits: Callable[[DeadLetter], bool]) -> Removed:
        """Remove every letter that is not being retried and still fits."""
        result = Removed(removed=[], kept=[])
        for loaded in found:
            try:
                gone = self.remove(loaded.document.scope, loaded.value.item_id, fits)
            except NotFound:
                continue
            except InvalidTransition:
                gone = None
            (result.removed if gone else result.kept).append(loaded)
        return result
