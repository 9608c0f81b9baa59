"""Rules for times, ids and the three forms in which durations are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .checker_rules import U32, U64, member, struct, text, wanted, whole
from .checker_text import Offence

NANOSECONDS = 10**9
_TIME = re.compile(
    r"\s*(?P<year>[+-]\d+|\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[Tt]|\s+)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2}):(?P<second>\d{1,2})(?:\.\d+)?"
    r"(?:\s*[Zz]|\s*[Uu][Tt][Cc]|\s*[+\u2212-](?:[01]\d|2[0-3]):?[0-5]\d)\s*"
)


def time(node, path):
    """A moment with its offset; leap seconds are possible on any day."""
    text(node, path)
    found = _TIME.fullmatch(node.content)
    if found is None:
        raise Offence(path, f"no time: {node.content!r}")
    year, month, day, hour, minute, second = (int(found[name]) for name in found.re.groupindex)
    try:
        datetime(2000 + year % 400, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError as error:
        raise Offence(path, f"no time: {error}") from None
    if second > 60:
        raise Offence(path, "no time: second must be in 0..60")


_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_UUIDS = re.compile(rf"(?:urn:uuid:)?{_UUID}|\{{{_UUID}\}}|{_HEX}{{32}}")


def uuid(node, path):
    text(node, path)
    if not _UUIDS.fullmatch(node.content):
        raise Offence(path, f"no UUID: {node.content!r}")


def pair(node, path):
    """A duration of an event: seconds and nanoseconds, as an array, within the milliseconds of 64 bits."""
    wanted(node, path, "array")
    if len(node.content) != 2:
        raise Offence(path, "not two elements")
    whole(-(2**63), 2**63 - 1)(node.content[0], f"{path}[0]")
    whole(0, NANOSECONDS - 1)(node.content[1], f"{path}[1]")
    total = int(node.content[0].content) * NANOSECONDS + int(node.content[1].content)
    if abs(total) > (2**63 - 1) * 10**6:
        raise Offence(path, "beyond the milliseconds of 64 bits")


def span(node, path):
    """A duration anywhere else: both parts, in an object that tolerates no third, or in an array."""
    wanted(node, path, "object", "array")
    if node.form == "array":
        if len(node.content) != 2:
            raise Offence(path, "not two elements")
        parts = dict(zip(("secs", "nanos"), node.content, strict=True))
    else:
        for key, _ in node.content:
            if key not in {"secs", "nanos"}:
                raise Offence(member(path, key), "an unknown member of a duration")
        struct(secs=U64, nanos=U32)(node, path)
        parts = dict(node.content)
    U64(parts["secs"], f"{path}.secs")
    U32(parts["nanos"], f"{path}.nanos")
    if int(parts["secs"].content) + int(parts["nanos"].content) // NANOSECONDS >= 2**64:
        raise Offence(path, "more seconds than 64 bits hold")


_UNITS = {
    **dict.fromkeys(("nanos", "nsec", "ns"), 0),
    **dict.fromkeys(("usec", "us", "µs", "millis", "msec", "ms"), 0),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), 1),
    **dict.fromkeys(("minutes", "minute", "min", "mins", "m"), 60),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), 3600),
    **dict.fromkeys(("days", "day", "d"), 86_400),
    **dict.fromkeys(("weeks", "week", "wk", "wks", "w"), 604_800),
    **dict.fromkeys(("months", "month", "M"), 2_630_016),
    **dict.fromkeys(("years", "year", "yr", "yrs", "y"), 31_557_600),
}
_PART = re.compile(r"\s*(\d+)(?:\.\d+)?\s*([a-zA-Zµ]+)\s*")


def spelled(node, path):
    """A duration as people write it, such as `1m 30s`."""
    text(node, path)
    at = seconds = 0
    while at < len(node.content) or not at:
        found = _PART.match(node.content, at)
        if found is None or found[2] not in _UNITS:
            raise Offence(path, f"no duration: {node.content!r}")
        seconds += int(found[1]) * _UNITS[found[2]]
        at = found.end()
    if seconds >= 2**64:
        raise Offence(path, "more seconds than 64 bits hold")
