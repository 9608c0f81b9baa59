"""Which session runs which job; readable from either side."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class SessionJobMapping:
    """A session and its job, as Prodigy's `SessionJobMapping` says it."""

    session_id: str
    job_id: str
    workflow_name: str
    created_at: datetime
