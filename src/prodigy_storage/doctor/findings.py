"""What the doctor has found."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from prodigy_storage.ports.storage import Damage


class Severity(enum.Enum):
    """How bad it is."""

    ERROR = "error"
    """Something cannot be read, or contradicts itself."""
    WARNING = "warning"
    """Something was left behind; everything can be read."""


@attrs.frozen(kw_only=True)
class Finding:
    """Something that is not as it should be.

    Args:
        code: Which sort of thing, for programs: `corrupt`, `killed`, `dead-lock`, …
        severity: How bad it is.
        message: What, in a sentence.
        place: Where it lies: a path, or another address.
        offset: The byte in it, if that is known.
        repair: What repairing would do; empty if the doctor does nothing about it.
        advice: What to do by hand where the doctor does nothing.
    """

    code: str
    severity: Severity
    message: str
    place: str = ""
    offset: int | None = None
    repair: str = ""
    advice: str = ""
    _mend: Callable[[], str] | None = attrs.field(default=None, eq=False, repr=False, alias="mend")

    def mend(self) -> str:
        """Repair it, if it is still so; says what was done. Only for a finding with a `repair`.

        Raises:
            StorageError: it has changed since, is alive again, or could not be written; nothing was lost.
        """
        assert self._mend is not None  # the doctor asks for `repair` first
        return self._mend()


Looked = Callable[[str, int], None]
"""Told of what was looked at: what it is, and how many more of it."""


def corrupt(damage: Damage, place: str, *, advice: str = "") -> Finding:
    """Bytes that cannot be read.

    Args:
        damage: What and where.
        place: Where, if the damage does not say it.
        advice: What to do by hand.
    """
    return Finding(
        code="corrupt",
        severity=Severity.ERROR,
        message=damage.reason,
        place=damage.place or place,
        offset=damage.offset,
        advice=advice,
    )
