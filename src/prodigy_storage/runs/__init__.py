"""A job as an embedder drives it: claimed, settled and checkpointed under a lease, resumable after any death."""

from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.cleaning import Cleanable
from prodigy_storage.runs.finding import Resumable
from prodigy_storage.runs.run import Run
from prodigy_storage.runs.service import Runs
from prodigy_storage.runs.steps import Steps
from prodigy_storage.runs.stopping import Stopping

__all__ = ["Attempt", "Cleanable", "Resumable", "Run", "Runs", "Steps", "Stopping"]
