"""Where events go that are removed from the log but not thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import attrs

from prodigy_storage.ports.names import Scope


@attrs.frozen(kw_only=True)
class Sealed:
    """An archive that is whole, durable and verified.

    Args:
        place: Where it can be read once it is published, as an absolute address.
        digest: SHA-256 of its plain content, in hexadecimal digits.
    """

    place: str
    digest: str


class ArchiveDraft(Protocol):
    """An archive that is being written; nobody sees it before it is published."""

    def write(self, data: bytes) -> None:
        """Add whole lines."""
        ...

    def seal(self) -> Sealed:
        """Make what was written durable, read it back and compare.

        Raises:
            Corrupt: it does not come back as it was written.
            StorageFull, ReadOnly, Unavailable: it cannot be written.
        """
        ...

    def publish(self) -> None:
        """Give it its name, durably. Never replaces anything.

        Raises:
            Conflict: something of that name appeared since it was sealed.
        """
        ...

    def discard(self) -> None:
        """Forget it, unless it was published. May be called again."""
        ...


class EventArchive(Protocol):
    """Where removed events are kept."""

    def draft(self, scope: Scope, now: datetime) -> ArchiveDraft:
        """A new archive for the events of one job. Only one draft for a job is open at a time.

        Args:
            scope: The job.
            now: The time, for the name.
        """
        ...

    def holds(self, sealed: Sealed) -> bool:
        """Whether that archive was published and is still there, unchanged."""
        ...
