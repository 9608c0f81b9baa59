"""Dead letters run again: claimed, tried, settled, each by one worker at a time; resumable after any death."""

from prodigy_storage.redrive.running import RunningRedrive
from prodigy_storage.redrive.selecting import Selection
from prodigy_storage.redrive.service import Redrives, RedriveView
from prodigy_storage.redrive.trial import Trial, WorkFailed

__all__ = ["RedriveView", "Redrives", "RunningRedrive", "Selection", "Trial", "WorkFailed"]
