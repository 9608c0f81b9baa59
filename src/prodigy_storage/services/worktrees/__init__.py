"""Worktrees of sessions: which there are, how they stand, and those whose cleaning failed."""

from prodigy_storage.services.worktrees.cleaning import Cleaned, Cleaning
from prodigy_storage.services.worktrees.orphans import Orphans
from prodigy_storage.services.worktrees.service import Worktrees

__all__ = ["Cleaned", "Cleaning", "Orphans", "Worktrees"]
