"""What is kept of an event log, and what a cleaning did."""

from __future__ import annotations

from datetime import timedelta

import attrs

from prodigy_storage.errors import InvalidValue


def _not_negative(_: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    if value is not None and value < 0:
        raise InvalidValue(f"{attribute.name} is negative: {value}")


def _no_negative_span(_: object, attribute: attrs.Attribute[timedelta | None], value: timedelta | None) -> None:
    if value is not None and value < timedelta(0):
        raise InvalidValue(f"{attribute.name} is negative: {value}")


@attrs.frozen(kw_only=True)
class EventLimits:
    """What each job may keep; an event that passes any of these goes, the newest stay.

    Args:
        older_than: Events of a greater age go.
        max_events: So many stay.
        max_size: So many bytes stay, counted as whole uncompressed lines.

    Raises:
        InvalidValue: none of them is given, or one is negative.
    """

    older_than: timedelta | None = attrs.field(default=None, validator=_no_negative_span)
    max_events: int | None = attrs.field(default=None, validator=_not_negative)
    max_size: int | None = attrs.field(default=None, validator=_not_negative)

    def __attrs_post_init__(self) -> None:
        if self.older_than is None and self.max_events is None and self.max_size is None:
            raise InvalidValue("name at least one limit: an age, a number of events or a size")


@attrs.frozen(kw_only=True)
class CleanedEvents:
    """What a cleaning removed from one job, or would remove.

    Args:
        repo, job: Which job.
        removed, removed_bytes: Events that went, and their lines in bytes.
        kept, kept_bytes: Events that stayed.
        spared: How many of those a limit names, but they stay for now: their writer lives, or they lie behind a newer
            one of the same writer.
        archives: Where the removed ones can be read, in the order of time.
    """

    repo: str
    job: str
    removed: int = 0
    removed_bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0
    spared: int = 0
    archives: tuple[str, ...] = ()
