"""Prodigy's retention of events: what a policy file asks for, and what an analysis found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.event_cleaning import EventLimits


@attrs.frozen(kw_only=True)
class RetentionPolicy:
    """A retention policy, as Prodigy writes it in YAML.

    Args:
        max_age_days: Events of a greater age go.
        max_events: So many stay.
        max_file_size_bytes: From this size on Prodigy finds a cleaning worthwhile; it removes nothing by it.
        archive_old_events: Whether what goes is archived.
        archive_path: Where to; None for `events/archive` in the root.
        compress_archives: Whether archives are compressed.
    """

    max_age_days: int | None = None
    max_events: int | None = None
    max_file_size_bytes: int | None = None
    archive_old_events: bool
    archive_path: str | None = None
    compress_archives: bool

    def limits(
        self, *, older_than: timedelta | None = None, max_events: int | None = None, max_size: int | None = None
    ) -> EventLimits:
        """What each job may keep; an argument counts more than the policy.

        Raises:
            InvalidValue: neither names a limit, or one is out of range.
        """
        return EventLimits(
            older_than=self._age() if older_than is None else older_than,
            max_events=self.max_events if max_events is None else max_events,
            max_size=max_size,
        )

    def unsupported(self) -> list[str]:
        """What this library does otherwise than the policy says, one sentence each."""
        found = []
        if self.max_file_size_bytes is not None:
            found.append("max_file_size_bytes removes nothing, as in Prodigy; a maximal size limits what a job keeps")
        if self.archive_old_events and not self.compress_archives:
            found.append("compress_archives is false; archives are compressed all the same")
        return found

    def _age(self) -> timedelta | None:
        try:
            return None if self.max_age_days is None else timedelta(days=self.max_age_days)
        except OverflowError as error:
            raise InvalidValue(f"max_age_days is {self.max_age_days}, which is too long") from error


@attrs.frozen(kw_only=True)
class RetentionAnalysis:
    """What Prodigy's trial run of a cleaning found in one file. Sizes are in bytes."""

    file_path: str
    events_total: int
    events_retained: int
    events_to_remove: int
    events_to_archive: int
    original_size_bytes: int
    projected_size_bytes: int
    space_to_save: int
    estimated_duration_secs: float
    warnings: Sequence[str]
