"""Dead letters that somebody claimed who is gone, and redrives that were interrupted."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.doctor.findings import Finding, Looked, Severity
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.redrives import Redrive, RedriveStatus


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
        abandoned = list(self.around.redrives.abandoned(self.repo))
        yield from map(self._claimed, abandoned)
        left = {letter.value.claim.redrive_id for letter in abandoned if letter.value.claim}
        for loaded in self.around.redrives.list(self.repo).loaded:
            redrive = loaded.value
            if redrive.status is RedriveStatus.INTERRUPTED or (
                redrive.status is RedriveStatus.RUNNING and redrive.id in left
            ):
                yield _interrupted(loaded)

    def _claimed(self, letter: Loaded[DeadLetter]) -> Finding:
        claim, document = letter.value.claim, letter.document
        assert claim is not None  # else it would not be abandoned

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
    return Finding(
        code="interrupted-redrive",
        severity=Severity.WARNING,
        message=f"{redrive.id} of {'/'.join(document.scope)} was interrupted ({redrive.status.value})",
        place=document.place or "/".join(("redrive", *document.scope, document.id)),
        advice=f"Look at it, and resume it: prodigy-storage dlq redrives show {redrive.id}",
    )
