"""Worktrees whose cleaning failed, by project and job."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import Listing
from prodigy_storage.codecs.kinds import ORPHANED_WORKTREES
from prodigy_storage.codecs.prodigy.documents import ORPHANED_WORKTREES as ORPHANS
from prodigy_storage.model.prodigy.worktrees import OrphanedWorktree
from prodigy_storage.ports.storage import Storage


class Orphans:
    """The registry of orphaned worktrees: one list for each project and job."""

    def __init__(self, storage: Storage) -> None:
        self._lists = Collection(storage, ORPHANED_WORKTREES, ORPHANS)

    def all(self, repo: str | None = None) -> Listing[Sequence[OrphanedWorktree]]:
        """The lists of one project or of all."""
        return self._lists.list((repo,) if repo else ())

    def add(self, repo: str, job: str, orphan: OrphanedWorktree) -> None:
        """Remember a worktree; what was known of the same path is replaced."""
        self._lists.change((repo,), job, lambda known: [*_others(known, {orphan.path}), orphan])

    def drop(self, repo: str, job: str, paths: AbstractSet[str]) -> None:
        """Forget these paths; a list that is empty then goes."""
        self._lists.change((repo,), job, lambda known: _others(known, paths) or None)


def _others(known: Sequence[OrphanedWorktree] | None, paths: AbstractSet[str]) -> list[OrphanedWorktree]:
    return [one for one in known or () if one.path not in paths]
