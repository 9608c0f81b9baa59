"""The exact form of single values in Prodigy's files; see `exact`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from prodigy_storage.codecs.json_text import Unwritable
from prodigy_storage.codecs.times import read_time
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.prodigy.values import Whole

Form = Callable[[Any, str], Any]
"""From a tree, and the name of its place, to the tree that Prodigy would write."""

_OWN_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z")
_UNIT = (
    r"(?:nsec|ns|usec|us|µs|msec|ms|seconds?|sec|s|minutes?|min|m|hours?|hrs?|hr|h|days?|d|weeks?|w|months?|M|years?|y)"
)
_HUMAN = re.compile(rf"\s*\d+(?:\.\d+)?\s*{_UNIT}(?:\s*\d+(?:\.\d+)?\s*{_UNIT})*\s*")
_MILLISECONDS = (1 << 63) - 1


def refuse(path: str, value: object, reason: str) -> InvalidValue:
    """The error for a value that Prodigy cannot read back."""
    return InvalidValue(f"{path}: {value!r:.60} {reason}", hint="Prodigy 0.4 could not read it back.")


def held(form: Form, tree: Any, path: str) -> Any:
    """The exact form of a part; an `Unwritable` in the place of one that has none."""
    try:
        return form(tree, path)
    except InvalidValue as error:
        return Unwritable(tree, error)


def anything(value: Any, path: str) -> Any:
    """Free-form JSON: keys sorted, integers of 64 bits, finite numbers."""
    if isinstance(value, str):
        return text(value, path)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise refuse(path, value, "has more than 64 bits and would become a float")
        return value
    if isinstance(value, float):
        return number(value, path)
    if isinstance(value, Mapping):
        return {text(key, path): held(anything, value[key], f"{path}.{key}") for key in sorted(value, key=str)}
    return [held(anything, one, f"{path}[{index}]") for index, one in enumerate(value)]


def text(value: Any, path: str) -> str:
    """Text that UTF-8 can say."""
    if not isinstance(value, str):
        raise refuse(path, value, "is no text")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise refuse(path, value, "has a lone surrogate")
    return value


def number(value: Any, path: str) -> float:
    """A finite float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(path, value, "is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise refuse(path, value, "is not finite")
    return found


_BEYOND_SINGLE = (2**25 - 1) * 2.0**103  # halfway between the greatest float of 32 bits and the next power of two


def single(value: Any, path: str) -> float:
    """A float of 32 bits; its digits stay, as Prodigy rounds them when it reads."""
    found = number(value, path)
    if abs(found) >= _BEYOND_SINGLE:
        raise refuse(path, value, "is beyond 32 bits and would become infinite")
    return found


def whole(kind: Whole) -> Form:
    """A whole number of so many bits."""
    low, high = kind.limits

    def exact(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(path, value, "is no whole number")
        if not low <= value <= high:
            raise refuse(path, value, f"is not between {low} and {high}")
        return value

    return exact


def time(value: Any, path: str) -> str:
    """A time with 0, 3 or 6 digits of a second, whichever says it; the text of another writer stays."""
    found = _OWN_TIME.fullmatch(text(value, path))
    if found:
        digits = found[2]
        short = "" if digits == "000000" else f".{digits[:3] if digits.endswith('000') else digits}"
        return f"{found[1]}{short}Z"
    try:
        read_time(value)
    except ValueError as error:
        raise refuse(path, value, "is no time with an offset") from error
    return str(value)


def boolean(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise refuse(path, value, "is neither true nor false")
    return value


unsigned = whole(Whole(64))
"""A whole number of 64 bits without a sign."""
_NANOS = whole(Whole(32))


def timing(value: Any, path: str) -> Any:
    """A length of time in documents: no third member, and nanoseconds that are less than a second."""
    if isinstance(value, Mapping) and value.keys() == {"secs", "nanos"}:
        secs, nanos = unsigned(value["secs"], f"{path}.secs"), _NANOS(value["nanos"], f"{path}.nanos")
        if nanos < 10**9:
            return {"secs": secs, "nanos": nanos}
    raise refuse(path, value, "is no duration")


def pair(value: Any, path: str) -> Any:
    """A length of time in events: seconds and nanoseconds, within 64 bits of milliseconds."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(type(part) is int for part in value):
        raise refuse(path, value, "is no duration")
    secs, nanos = value
    if not 0 <= nanos < 10**9 or abs(secs * 10**9 + nanos) > _MILLISECONDS * 10**6:
        raise refuse(path, value, "is beyond the durations that fit")
    return [secs, nanos]


def human(value: Any, path: str) -> str:
    """A length of time as text."""
    if not _HUMAN.fullmatch(text(value, path)):
        raise refuse(path, value, "is no duration such as 1m 30s")
    return str(value)
