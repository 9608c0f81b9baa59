"""Checkpoints of jobs."""

from prodigy_storage.services.checkpoints.keeping import CheckpointListing, Newest
from prodigy_storage.services.checkpoints.service import Checkpoints, Imported, Pruned
from prodigy_storage.services.checkpoints.verifying import Verdict

__all__ = ["CheckpointListing", "Checkpoints", "Imported", "Newest", "Pruned", "Verdict"]
