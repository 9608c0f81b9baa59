"""Lengths of time, sizes and counts as people write them: read strictly, so that a slip of the pen never deletes anything."""

from __future__ import annotations

import re
from datetime import timedelta

from prodigy_storage.errors import InvalidValue

DURATIONS = "500ms, 30s, 5m, 2h, 7d, 2w, or several, largest first: 1h30m"
SIZES = "bytes as a number, or B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024): 100MB"

_SPELLINGS = {
    "y": ("y", "yr", "yrs", "year", "years"),
    "month": ("month", "months"),
    "w": ("w", "wk", "wks", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millis"),
    "us": ("us", "usec", "micros"),
    "ns": ("ns", "nsec", "nanos"),
}
"""The units, largest first, as people and Prodigy's settings write them; not `M`, which could be meant as a minute."""
_UNITS = tuple(_SPELLINGS)
_DAY_NS = 86_400 * 10**9
_LENGTHS = {"y": _DAY_NS * 1461 // 4, "month": _DAY_NS * 3044 // 100, "w": _DAY_NS * 7, "d": _DAY_NS} | {
    "h": 3600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
"""Nanoseconds; a year has 365.25 days, a month 30.44."""
_DURATION = re.compile(
    r"\s*".join(rf"(?:([0-9]{{1,12}})\s*(?:{'|'.join(_SPELLINGS[unit])})(?![a-z]))?" for unit in _UNITS)
)
_WRITTEN = ("d", "h", "m", "s", "ms", "us")
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)")
_FACTORS: dict[str, int] = {"": 1, "b": 1} | {
    unit: base**power
    for base, form in ((1000, "{}b"), (1024, "{}ib"))
    for power, unit in enumerate((form.format(letter) for letter in "kmgt"), start=1)
}


def duration(text: str) -> timedelta:
    """A length of time, not negative, to the microsecond: nanoseconds beyond are cut off.

    Raises:
        InvalidValue: it is none; says what is allowed.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise InvalidValue(f"{text[:40]!r} is no length of time; allowed: {DURATIONS}")
    total = sum(int(count) * _LENGTHS[unit] for unit, count in zip(_UNITS, found.groups(), strict=True) if count)
    try:
        return timedelta(microseconds=total // 1000)
    except OverflowError as error:
        raise InvalidValue(f"{text[:40]!r} is too long") from error


def duration_text(span: timedelta) -> str:
    """The shortest text that `duration` reads as `span`."""
    rest = span // timedelta(microseconds=1) * 1000
    parts = []
    for unit in _WRITTEN:
        count, rest = divmod(rest, _LENGTHS[unit])
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"


def size(text: str) -> int:
    """A number of bytes.

    Raises:
        InvalidValue: it is none, or it could mean two things (`1M`); says what is allowed.
    """
    found = _SIZE.fullmatch(text.strip())
    unit = found.group(2).lower() if found else None
    if found and unit in _FACTORS and not (unit in {"", "b"} and "." in found.group(1)):
        whole, _, fraction = found.group(1).partition(".")
        return int(whole + fraction) * _FACTORS[unit] // int(10 ** len(fraction))
    if found and unit in {"k", "m", "g", "t"}:
        raise InvalidValue(
            f"{text[:40]!r} could mean two sizes: write {text.strip()}B (1000) or {text.strip()}iB (1024)"
        )
    raise InvalidValue(f"{text[:40]!r} is no size; allowed: {SIZES}")


def counted(count: int, what: str) -> str:
    """A number of things, for people: `1 event`, `1,000 events`."""
    return f"{count:,} {what}{'s'[: count != 1]}"
