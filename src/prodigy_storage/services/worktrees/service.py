"""Worktrees of sessions: which there are, how they stand, and those whose cleaning failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import Listing, Loaded
from prodigy_storage.codecs.kinds import WORKTREE
from prodigy_storage.codecs.prodigy.documents import WORKTREES
from prodigy_storage.errors import Conflict, NotFound, Unsupported
from prodigy_storage.model.prodigy.worktrees import OrphanedWorktree, WorktreeState, WorktreeStatus
from prodigy_storage.ports.checkouts import Checkout, Checkouts
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.storage import Storage
from prodigy_storage.services.worktrees.cleaning import Cleaned, Cleaning, remove
from prodigy_storage.services.worktrees.orphans import Orphans

_UNDER_WAY = frozenset({WorktreeStatus.IN_PROGRESS, WorktreeStatus.INTERRUPTED})


class Worktrees:
    """`store.worktrees`. A worktree is named by its repo and name; its record outlives its folder until it is cleaned.

    Args:
        storage: Where the records are kept.
        clock: The time.
        checkouts: Makes and removes the folders; None where there are none.
        busy: Whether a session is being run.
    """

    def __init__(
        self, storage: Storage, clock: Clock, checkouts: Checkouts | None, busy: Callable[[str], bool]
    ) -> None:
        self._records = Collection(storage, WORKTREE, WORKTREES)
        self.orphans: Orphans = Orphans(storage)
        self._clock = clock
        self._checkouts = checkouts
        self._busy = busy

    # --- records

    def create(
        self, repo: str, session_id: str, *, project: str, name: str | None = None, base: str | None = None
    ) -> WorktreeState:
        """Make a worktree for a session, on a new branch `prodigy-{name}`, and record it.

        Args:
            repo: The name of the project.
            session_id: Whose it is.
            project: The directory of the project.
            name: Its name; that of the session if None.
            base: Where its branch starts; None for what is checked out in the project.

        Raises:
            Conflict: there is one of that name.
            CheckoutFailed: it could not be made; nothing is recorded.
            Unsupported: the store has no place for worktrees.
        """
        name = name or session_id
        made = self.register(repo, session_id, name=name, original_branch=base or "")
        try:
            self._folders().create(repo, name, project=project, branch=made.branch, base=base)
        except BaseException:
            self.forget(repo, name)
            raise
        return made

    def register(
        self,
        repo: str,
        session_id: str,
        *,
        name: str | None = None,
        branch: str | None = None,
        original_branch: str = "",
    ) -> WorktreeState:
        """Record a worktree that somebody else makes.

        Raises:
            Conflict: there is one of that name.
        """
        name, now = name or session_id, self._clock.now()

        def decide(known: WorktreeState | None) -> WorktreeState:
            if known is not None:
                raise Conflict(f"there is a worktree {name} of {repo} already", kind=WORKTREE.name, id=name)
            return WorktreeState(
                session_id=session_id,
                worktree_name=name,
                branch=branch or f"prodigy-{name}",
                original_branch=original_branch,
                created_at=now,
                updated_at=now,
            )

        made = self._records.change((repo,), name, decide)
        assert made is not None  # decide never removes
        return made

    def get(self, repo: str, name: str) -> WorktreeState:
        """One record.

        Raises:
            NotFound: there is none.
            Corrupt: it is damaged.
        """
        return self._records.load((repo,), name).value

    def list(self, repo: str | None = None, *, status: WorktreeStatus | None = None) -> Listing[WorktreeState]:
        """The records of one project or of all, oldest first."""
        return self._records.list((repo,) if repo else (), tags={"status": status.value} if status else {})

    def mark(self, repo: str, name: str, status: WorktreeStatus, *, error: str | None = None) -> WorktreeState:
        """Say how a worktree stands now.

        Raises:
            NotFound: there is none of that name.
        """
        now = self._clock.now()

        def decide(known: WorktreeState | None) -> WorktreeState:
            if known is None:
                raise NotFound(f"there is no worktree {name} of {repo}")
            merged = status is WorktreeStatus.MERGED
            return attrs.evolve(
                known,
                status=status,
                updated_at=now,
                error=error if error is not None else known.error,
                merged=known.merged or merged,
                merged_at=now if merged else known.merged_at,
                interrupted_at=now if status is WorktreeStatus.INTERRUPTED else known.interrupted_at,
            )

        marked = self._records.change((repo,), name, decide)
        assert marked is not None  # decide never removes
        return marked

    def forget(self, repo: str, name: str) -> None:
        """Remove a record, whatever its folder is; nothing happens if there is none."""
        self._records.change((repo,), name, lambda _: None)

    # --- folders

    def look(self, repo: str, name: str) -> Checkout | None:
        """What is in the folder of a worktree; None if it is gone, or the store has no place for worktrees."""
        return self._checkouts.look(self._checkouts.path(repo, name)) if self._checkouts else None

    def clean(
        self,
        repo: str | None = None,
        names: Sequence[str] = (),
        *,
        before: datetime | None = None,
        merged_only: bool = False,
        force: bool = False,
        dry_run: bool = False,
    ) -> Sequence[Cleaned]:
        """Remove worktrees, folder and record. What could not be removed is registered as orphaned.

        Kept are those that are under way, and those with work that nothing else has; of a session that is being
        run also by force.

        Args:
            repo: Of one project, or of all.
            names: These only; all if empty.
            before: Only those that were last changed before.
            merged_only: Only those that were merged.
            force: Also those that are under way or hold work.
            dry_run: Only say what would happen.
        """
        chosen = [
            loaded
            for loaded in self.list(repo).loaded
            if (not names or loaded.value.worktree_name in names)
            and (before is None or loaded.value.updated_at < before)
            and (not merged_only or loaded.value.merged)
        ]
        return [self._clean(loaded, force=force, dry_run=dry_run) for loaded in chosen]

    def _clean(self, loaded: Loaded[WorktreeState], *, force: bool, dry_run: bool) -> Cleaned:
        (repo,), state, name = loaded.document.scope, loaded.value, loaded.document.id
        path, in_use = self._folders().path(repo, name), self._in_use(state, force=force)
        if in_use:
            return Cleaned(repo=repo, name=name, path=path, outcome=Cleaning.KEPT, reason=in_use)
        done = remove(self._folders(), repo, name, path, force=force, dry_run=dry_run)
        if not dry_run and done.outcome is Cleaning.FAILED:
            self.register_orphan(repo, name, path=path, error=done.reason, agent_id=name)
        if not dry_run and done.outcome is Cleaning.REMOVED:
            self.forget(repo, name)
        return done

    def _in_use(self, state: WorktreeState, *, force: bool) -> str:
        if self._busy(state.session_id):
            return f"{state.session_id} is being run"
        return f"it is {state.status.value.replace('_', ' ')}" if state.status in _UNDER_WAY and not force else ""

    def _folders(self) -> Checkouts:
        if self._checkouts is None:
            raise Unsupported(
                "this store has no place for worktrees", hint="Open one in files, or give Store(checkouts=…)."
            )
        return self._checkouts

    # --- orphans

    def register_orphan(
        self, repo: str, job: str, *, path: str, error: str, agent_id: str = "", item_id: str = ""
    ) -> None:
        """Remember a worktree whose cleaning failed; one that is known already is told again."""
        at = self._clock.now()
        orphan = OrphanedWorktree(path=path, agent_id=agent_id, item_id=item_id, failed_at=at, error=error)
        self.orphans.add(repo, job, orphan)

    def clean_orphaned(
        self, repo: str | None = None, job: str | None = None, *, force: bool = False, dry_run: bool = False
    ) -> Sequence[Cleaned]:
        """Try again to remove orphaned worktrees; those that are gone are forgotten.

        Args:
            repo: Of one project, or of all.
            job: Of one job, or of all.
            force: Also those that hold work.
            dry_run: Only say what would happen.
        """
        done: list[Cleaned] = []
        for loaded in self.orphans.all(repo).loaded:
            (project,), id = loaded.document.scope, loaded.document.id
            if job not in (None, id):
                continue
            here = [
                remove(self._folders(), project, one.agent_id or id, one.path, force=force, dry_run=dry_run)
                for one in loaded.value
            ]
            done += here
            if not dry_run:
                self.orphans.drop(project, id, {one.path for one in here if one.outcome is Cleaning.REMOVED})
        return done
