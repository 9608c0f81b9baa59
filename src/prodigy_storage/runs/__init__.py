"""A job as an embedder drives it: claimed, settled and checkpointed under a lease, resumable after any death."""

from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.run import Run
from prodigy_storage.runs.service import Runs

__all__ = ["Attempt", "Run", "Runs"]
