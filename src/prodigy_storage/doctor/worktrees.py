"""Worktrees without a record, records without a worktree, and orphaned ones."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.doctor.findings import Finding, Looked, Severity
from prodigy_storage.doctor.surroundings import DoctorSurroundings
from prodigy_storage.model.prodigy.worktrees import WorktreeState, WorktreeStatus
from prodigy_storage.ports.checkouts import Checkouts


@attrs.frozen
class Folders:
    """Looks at worktrees.

    Args:
        around: The store's parts.
        repo: The project; None for all.
        looked: Told of what was looked at.
    """

    around: DoctorSurroundings
    repo: str | None
    looked: Looked

    def examine(self) -> Iterator[Finding]:
        """What has no folder, what has no record, and what could not be removed."""
        if self.around.checkouts is not None:
            yield from self._unmatched(self.around.checkouts)
        yield from self._orphaned()

    def _unmatched(self, checkouts: Checkouts) -> Iterator[Finding]:
        there = {one for one in checkouts.names() if self.repo in (None, one[0])}
        listing = self.around.worktrees.list(self.repo)
        known = {(loaded.document.scope[0], loaded.document.id) for loaded in listing.loaded}
        unreadable = {one.id for one in listing.damage}
        self.looked("worktree", len(there))
        for loaded in listing.loaded:
            if (
                loaded.document.scope[0],
                loaded.document.id,
            ) not in there and loaded.value.status is not WorktreeStatus.CLEANED_UP:
                yield _gone(loaded)
        for repo, name in sorted(there - known):
            if name not in unreadable:
                yield _unknown(repo, name, checkouts.path(repo, name))

    def _orphaned(self) -> Iterator[Finding]:
        for loaded in self.around.worktrees.orphans.all(self.repo).loaded:
            for orphan in loaded.value:
                yield Finding(
                    code="orphaned-worktree",
                    severity=Severity.WARNING,
                    message=f"a worktree of {'/'.join((*loaded.document.scope, loaded.document.id))} "
                    f"could not be removed: {orphan.error}",
                    place=orphan.path,
                    advice="prodigy-storage worktree clean-orphaned",
                )


def _gone(loaded: Loaded[WorktreeState]) -> Finding:
    (repo,), name = loaded.document.scope, loaded.document.id
    return Finding(
        code="no-folder",
        severity=Severity.WARNING,
        message=f"the worktree {name} of {repo} is recorded as {loaded.value.status.value}, and its folder is gone",
        place=loaded.document.place or f"worktree/{repo}/{name}",
        advice=f"Forget it: prodigy-storage worktree clean {name} --force",
    )


def _unknown(repo: str, name: str, path: str) -> Finding:
    return Finding(
        code="no-record",
        severity=Severity.WARNING,
        message=f"the folder {name} of {repo} is a worktree that nothing is recorded of",
        place=path,
        advice="Look at it, and remove it if it is not needed: git worktree remove",
    )
