"""Answers to "how many events"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

CountBy: TypeAlias = Literal["event_type", "job_id", "agent_id"]
"""By what events are counted."""


@attrs.frozen(kw_only=True)
class EventStats:
    """Counts of stored event records.

    Args:
        counts: How many for each value, the most frequent first; events without an agent count under the empty
            text, events that name no job under the job that stores them.
        total: How many in all.
        jobs: How many jobs have any.
        first, last: The earliest and the latest time; None if there is no record, or times were not asked for.
        size: Bytes of the counted records.
        damage: How many damaged places were met; what is damaged is not counted.
    """

    counts: Mapping[str, int]
    total: int
    jobs: int
    first: datetime | None = None
    last: datetime | None = None
    size: int = 0
    damage: int = 0
