"""What a run is asked to do by somebody who does not hold it."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs


class Wish(enum.Enum):
    """What is wanted of a run."""

    PAUSE = "pause"
    """Claim nothing more, and leave the session resumable."""
    CANCEL = "cancel"
    """Claim nothing more, and never go on."""


@attrs.frozen(kw_only=True)
class RunRequest:
    """A stored wish; it is meant for one holder of the job, and means nothing to a later one.

    Args:
        job_id: Which job.
        wish: What is wanted.
        epoch: The epoch of the lease of whoever is asked.
        by, reason: Who asks, and why.
        requested_at: UTC.
    """

    job_id: str
    wish: Wish
    epoch: int
    by: str
    reason: str
    requested_at: datetime
