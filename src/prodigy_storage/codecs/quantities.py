"""Lengths of time and sizes as people write them: strict, so that a slip of the pen never deletes anything."""

from __future__ import annotations

import re
from datetime import timedelta

from prodigy_storage.errors import InvalidValue

DURATIONS = "500ms, 30s, 5m, 2h, 7d, 2w, or several, largest first: 1h30m"
SIZES = "bytes as a number, or B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024): 100MB"

_UNITS = ("w", "d", "h", "m", "s", "ms")
_LENGTHS = dict(zip(_UNITS, (604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1), strict=True))
_DURATION = re.compile(r"\s*".join(rf"(?:([0-9]{{1,12}})\s*{unit}(?![a-z]))?" for unit in _UNITS))
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)")
_FACTORS: dict[str, int] = {"": 1, "b": 1} | {
    unit: base**power
    for base, form in ((1000, "{}b"), (1024, "{}ib"))
    for power, unit in enumerate((form.format(letter) for letter in "kmgt"), start=1)
}


def duration(text: str) -> timedelta:
    """A length of time, not negative.

    Raises:
        InvalidValue: it is none; says what is allowed.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise InvalidValue(f"{text[:40]!r} is no length of time; allowed: {DURATIONS}")
    total = sum(int(count) * _LENGTHS[unit] for unit, count in zip(_UNITS, found.groups(), strict=True) if count)
    try:
        return timedelta(milliseconds=total)
    except OverflowError as error:
        raise InvalidValue(f"{text[:40]!r} is too long") from error


def duration_text(span: timedelta) -> str:
    """The shortest text that `duration` reads as `span`, to the millisecond."""
    rest = span // timedelta(milliseconds=1)
    parts = []
    for unit in _UNITS[1:]:
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
