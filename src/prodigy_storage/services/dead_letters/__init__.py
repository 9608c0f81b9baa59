"""The dead letter queue: what failed for good, kept until somebody deals with it."""

from prodigy_storage.services.dead_letters.exporting import FORMATS, analysis_tree
from prodigy_storage.services.dead_letters.removing import Removed
from prodigy_storage.services.dead_letters.service import DeadLetters

__all__ = ["FORMATS", "DeadLetters", "Removed", "analysis_tree"]
