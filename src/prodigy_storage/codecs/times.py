"""Times in records: fast for the way that the library writes them, tolerant of every way that Prodigy reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_LENIENT = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:\s*[Tt]\s*|\s+)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?"
    r"\s*(?:([Zz]|UTC)|([+\u2212-])(\d{2}):?(\d{2}))\s*"
)


def read_time(text: str) -> datetime:
    """An aware time in UTC from a text with an offset; what is below a microsecond is cut off.

    Raises:
        ValueError: it is no such text.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is UTC:
            return found
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return _read_lenient(text)


def _read_lenient(text: str) -> datetime:
    """The wider forms: one-digit fields, blanks, ` UTC`, a leap second (which counts as the next second)."""
    match = _LENIENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no time with an offset")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, _, sign, hours, minutes = match.groups()[6:]
    leap = second == 60
    found = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    found += timedelta(seconds=leap, microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    if sign is None:
        return found
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return found - offset if sign == "+" else found + offset
    except OverflowError as error:
        raise ValueError(f"{text[:60]!r} is beyond the years 1 to 9999") from error
