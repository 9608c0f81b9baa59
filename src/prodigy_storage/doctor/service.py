"""`store.doctor`: what is wrong with a store, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from prodigy_storage.doctor.documents import Documents
from prodigy_storage.doctor.findings import Finding, Looked, corrupt
from prodigy_storage.doctor.jobs import Jobs
from prodigy_storage.doctor.letters import Letters
from prodigy_storage.doctor.streams import Streams
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.doctor.worktrees import Folders
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.ports.storage import Damage

_IN_THE_WAY = "The rest of its kind could not be looked at: move the file elsewhere, and look again."


class Doctor:
    """`store.doctor`. Examining changes nothing; repairing loses no byte and touches nothing that is alive."""

    def __init__(self, around: DoctorSurroundings) -> None:
        self._around = around

    def examine(self, repo: str | None = None, *, looked: Looked | None = None) -> Iterator[Finding]:
        """Everything that is not as it should be, as it is found.

        Args:
            repo: Of one project, or of all. What names no project is looked at too, if it cannot be read.
            looked: Told of what was looked at: what it is, and how many more of it.
        """
        around, told = self._around, looked or _nobody
        parts = (
            Documents(around, repo, told),
            Streams(around.storage, repo, told),
            Jobs(around, repo, told),
            Letters(around, repo, told),
            Folders(around, repo, told),
        )
        for part in parts:
            try:
                yield from part.examine()
            except Corrupt as error:  # it stands in the way of the rest of this part
                yield corrupt(Damage(error.place, error.offset, error.reason), "", advice=_IN_THE_WAY)

    def repair(self, finding: Finding) -> str:
        """Do what a finding's `repair` says; gives what was done.

        Raises:
            InvalidValue: the finding has no repair; its advice says what to do by hand.
            Locked: what it concerns is being run.
            Conflict: it was changed since it was found; nothing was changed by this.
            StorageError: it could not be written.
        """
        if not finding.repair:
            raise InvalidValue(f"nothing repairs this: {finding.message}", hint=finding.advice)
        return finding.mend()


def _nobody(_what: str, _count: int) -> None:
    """Nobody wants to know what was looked at."""
