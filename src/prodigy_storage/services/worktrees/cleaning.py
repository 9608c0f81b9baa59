"""Removing one worktree: what became of it, and why."""

from __future__ import annotations

import enum

import attrs

from prodigy_storage.errors import CheckoutFailed, WorkAtRisk
from prodigy_storage.ports.checkouts import Checkouts


class Cleaning(enum.Enum):
    """What became of a worktree that was to be cleaned."""

    REMOVED = "removed"
    KEPT = "kept"
    """It holds work, or is in use."""
    FAILED = "failed"
    """It could not be removed, and is registered as orphaned."""


@attrs.frozen(kw_only=True)
class Cleaned:
    """The outcome for one worktree; `reason` says why it is still there. In a dry run: what it would be."""

    repo: str
    name: str
    path: str
    outcome: Cleaning
    reason: str = ""


def remove(checkouts: Checkouts, repo: str, name: str, path: str, *, force: bool, dry_run: bool) -> Cleaned:
    """Remove the folder of a worktree, unless it holds work that nothing else has and `force` is not given."""

    def became(outcome: Cleaning, reason: object = "") -> Cleaned:
        return Cleaned(repo=repo, name=name, path=path, outcome=outcome, reason=str(reason))

    try:
        found = checkouts.look(path)
        if found and found.risk and not force:
            return became(Cleaning.KEPT, found.risk)
        if not dry_run:
            checkouts.remove(path, force=force)
    except WorkAtRisk as error:
        return became(Cleaning.KEPT, error)
    except CheckoutFailed as error:
        return became(Cleaning.FAILED, error)
    return became(Cleaning.REMOVED)
