"""Working copies of projects, as a version control system keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Checkout:
    """What is in a working copy.

    Args:
        path: Where it lies.
        branch: The branch that is checked out; None if it is none.
        uncommitted: How many files differ from the last commit, new ones included; None if that cannot be told.
        unmerged: How many commits no other branch or tag has; None if that cannot be told.
        reason: Why something cannot be told.
    """

    path: str
    branch: str | None = None
    uncommitted: int | None = None
    unmerged: int | None = None
    reason: str = ""

    @property
    def risk(self) -> str:
        """What would be lost with it; empty if nothing would."""
        if self.uncommitted is None or self.unmerged is None:
            return self.reason or "it cannot be told what is in it"
        counts = ((self.uncommitted, "uncommitted file"), (self.unmerged, "unmerged commit"))
        return ", ".join(f"{count} {what}{'s'[: count != 1]}" for count, what in counts if count)


class Checkouts(Protocol):
    """Makes, looks at and removes working copies, one folder for each project and name."""

    def path(self, repo: str, name: str) -> str:
        """Where the working copy of that name lies.

        Raises:
            InvalidName: the name is no name of a folder.
        """
        ...

    def names(self) -> Sequence[tuple[str, str]]:
        """The project and name of every folder that is there, whatever is in it; sorted."""
        ...

    def create(self, repo: str, name: str, *, project: str, branch: str, base: str | None = None) -> Checkout:
        """Make a working copy of a project on a new branch.

        Args:
            repo, name: Under which names.
            project: The directory of the project.
            branch: The new branch.
            base: Where it starts; None for what is checked out in the project.

        Raises:
            CheckoutFailed: it could not be made; nothing of it is left.
        """
        ...

    def look(self, path: str) -> Checkout | None:
        """What is in the working copy at a path; None if nothing is there."""
        ...

    def remove(self, path: str, *, force: bool = False) -> None:
        """Remove a working copy, and its branch if other branches have all its commits.

        Args:
            path: Where it lies.
            force: Also if uncommitted work is lost. A branch with unmerged commits stays even then.

        Raises:
            WorkAtRisk: something would be lost; nothing was removed.
            CheckoutFailed: it could not be removed, or not wholly.
        """
        ...
