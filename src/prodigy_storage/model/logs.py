"""Log records: what an orchestrator said while it worked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from prodigy_storage.model.values import Json

LEVELS = ("debug", "info", "warning", "error", "critical")
"""The levels, least grave first."""


@attrs.frozen(kw_only=True)
class LogRecord:
    """One line of a log.

    Args:
        timestamp: When it was written, UTC.
        level: One of `LEVELS`.
        message: What was said.
        fields: What else was said; JSON.
    """

    timestamp: datetime
    level: str
    message: str
    fields: Mapping[str, Json] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class LogSession:
    """One log: everything that was written after one call of `Logs.start`, and what others added.

    Args:
        repo: The project.
        name: The time at which it was started, `20250131_120000` in UTC.
    """

    repo: str
    name: str
