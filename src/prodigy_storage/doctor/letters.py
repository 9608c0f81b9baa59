"""Dead letters that somebody claimed who is gone, and redrives that were interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.doctor.findings import Finding, Looked, Severity
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.errors import NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.redrives import Redrive, RedriveStatus

_LEFT = frozenset({RedriveStatus.RUNNING, RedriveStatus.INTERRUPTED})


@attrs.frozen
class Letters:
    """Looks at dead letters.

    Args:
        around: The store's parts.
        repo: The project; None for all.
        looked: Told of what was looked at.
    """

    around: DoctorSurroundings
    repo: str | None
    looked: Looked

    def examine(self) -> Iterator[Finding]:
        """Claims that are over, and redrives with items left."""
        listed = self.around.redrives.list(self.repo).loaded
        claimed = list(self.around.redrives.claimed(self.repo))
        self.looked("claim", len(claimed))
        yield from (self._claimed(letter) for letter, over in claimed if over)
        living = {letter.value.claim.redrive_id for letter, over in claimed if letter.value.claim and not over}
        yield from (_interrupted(one) for one in listed if one.value.id not in living and self._is_left(one))

    def _is_left(self, loaded: Loaded[Redrive]) -> bool:
        """Whether it is not over, and was not over since it was read."""
        scope, id = loaded.document.scope, loaded.value.id
        if loaded.value.status not in _LEFT:
            return False
        try:
            return self.around.redrives.show(id, repo=scope[0], job=scope[-1]).redrive.status in _LEFT
        except NotFound:
            return False

    def _claimed(self, letter: Loaded[DeadLetter]) -> Finding:
        claim, document = letter.value.claim, letter.document
        assert claim is not None  # else it would not be here

        def mend() -> str:
            self.around.redrives.free(letter)
            return "the claim is over"

        return Finding(
            code="dead-claim",
            severity=Severity.WARNING,
            message=f"{document.id} is claimed by pid {claim.owner.pid} on {claim.owner.host}, whose claim is over",
            place=document.place or "/".join(("dead_letter", *document.scope, document.id)),
            repair="end the claim",
            mend=mend,
        )


def _interrupted(loaded: Loaded[Redrive]) -> Finding:
    redrive, document = loaded.value, loaded.document
    of = f"{redrive.id} of {'/'.join(document.scope)}"
    running = "is Running, and nobody living has claimed an item: it was killed, unless it waits between two tries"
    return Finding(
        code="interrupted-redrive",
        severity=Severity.WARNING,
        message=f"{of} {running if redrive.status is RedriveStatus.RUNNING else 'was interrupted'}",
        place=document.place or "/".join(("redrive", *document.scope, document.id)),
        advice=f"Look at it, and resume it:\nprodigy-storage dlq redrives show {redrive.id}",
    )
