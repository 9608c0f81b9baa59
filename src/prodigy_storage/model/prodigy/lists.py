"""The lists that Prodigy keeps beside its files, `index.json`: derived from these, and never needed to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class EventOffset:
    """Where an event lies.

    Args:
        file_path: The file.
        byte_offset: Where its line begins, one too small for each line before it that ends in CR LF.
        line_number: The number of its line, from 1.
        event_id: The event.
        timestamp: Its time.
    """

    file_path: str
    byte_offset: int
    line_number: int
    event_id: str
    timestamp: datetime


@attrs.frozen(kw_only=True)
class EventIndex:
    """The events of a job when they were last indexed.

    Args:
        job_id: The job.
        event_counts: How many of each type, called `dlq_…` where the events are of dead letters.
        time_range: The first time and the last.
        file_offsets: Where each event lies.
        total_events: How many there are.
    """

    job_id: str
    event_counts: Mapping[str, int]
    time_range: tuple[datetime, datetime]
    file_offsets: Sequence[EventOffset]
    total_events: int


@attrs.frozen(kw_only=True)
class DeadLetterIndex:
    """The dead letters of a job, by the names of their files without `.json`."""

    item_count: int
    item_ids: Sequence[str]
    job_id: str
    updated_at: datetime
