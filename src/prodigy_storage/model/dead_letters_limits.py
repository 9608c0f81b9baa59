"""How many dead letters a job may have, and how long they are kept."""

from __future__ import annotations

import enum
from datetime import timedelta

import attrs

from prodigy_storage.errors import InvalidValue


class WhenFull(enum.Enum):
    """What happens to a new dead letter of a job that has as many as it may."""

    REFUSE = "refuse"
    """It is refused by an error; a run then stops with the item given back."""
    ARCHIVE = "archive"
    """The oldest one is moved to the archive, and an event tells of it."""


@attrs.frozen(kw_only=True)
class DeadLetterLimits:
    """Capacity and retention of a dead letter queue. Nothing is ever dropped silently.

    Args:
        max_items: How many dead letters one job may have; None for any number. Other processes' additions are noticed
            within 100 additions of one's own.
        when_full: What happens then.
        retention: The age, counted from the last failure, above which `purge` without an age removes; None for none.

    Raises:
        InvalidValue: a limit is not positive.
    """

    max_items: int | None = None
    when_full: WhenFull = WhenFull.REFUSE
    retention: timedelta | None = None

    def __attrs_post_init__(self) -> None:
        if self.max_items is not None and self.max_items < 1:
            raise InvalidValue(f"max_items is at least 1, not {self.max_items}")
        if self.retention is not None and self.retention < timedelta():
            raise InvalidValue(f"a retention is not negative, unlike {self.retention}")
