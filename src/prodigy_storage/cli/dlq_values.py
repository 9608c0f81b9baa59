"""Values of the options of `dlq retry`, as people write them."""

from __future__ import annotations

import re

from prodigy_storage.codecs.quantities import duration
from prodigy_storage.model.jobs import Backoff

_LONGEST = 300.0


def seconds(text: str) -> float:
    """A length of time in seconds.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    return duration(text).total_seconds()


def backoff(text: str) -> Backoff:
    """How long an item waits between two tries: `none`, `fixed:5s`, `exponential:1s`, or `1s` for the latter.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    if text == "none":
        return Backoff(initial=0.0, maximum=0.0)
    kind, _, length = text.rpartition(":")
    if kind not in ("", "fixed", "exponential"):
        raise ValueError(f"{text!r} is no backoff; allowed: none, fixed:5s, exponential:1s, or 1s for the latter")
    first = seconds(length)
    return Backoff(initial=first, multiplier=1.0 if kind == "fixed" else 2.0, maximum=max(first, _LONGEST))


def rate(text: str) -> float:
    """How many in a second: `10/s`, `30/m`, `100/h`, or a bare number.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/(s|m|h))?", text.strip())
    if not found or not float(found.group(1)):
        raise ValueError(f"{text!r} is no rate; allowed: 10/s, 30/m, 100/h, or a number for each second")
    return float(found.group(1)) / {"s": 1, "m": 60, "h": 3600}[found.group(2) or "s"]


def share(text: str) -> float:
    """A part of 1 from a percentage.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%?", text.strip())
    share = float(found.group(1)) / 100 if found else 2.0
    if share > 1:
        raise ValueError(f"{text!r} is no share; allowed: 0% to 100%")
    return share
