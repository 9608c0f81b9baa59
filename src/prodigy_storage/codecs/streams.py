"""The streams of records that the library keeps, and how the time of a record is read from its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from prodigy_storage.codecs.old_records import modern_members
from prodigy_storage.codecs.times import read_time
from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Corrupt
from prodigy_storage.ports.storage import Stream


def time_member(member: str) -> Callable[[bytes], int]:
    """A function that reads a record's time, in microseconds since 1970-01-01 UTC, from one of its members.

    The member holds a text with an offset, or the microseconds themselves. The function raises `Corrupt` for a
    line in which it cannot be found.
    """
    decoder = msgspec.json.Decoder(msgspec.defstruct("Time", [("at", str | int)], rename={"at": member}, gc=False))

    def at(record: bytes) -> int:
        try:
            value: Any = decoder.decode(record).at  # type: ignore[attr-defined]  # a struct made at run time
            return value if isinstance(value, int) else micros(read_time(value))
        except (ValueError, RecursionError) as error:
            raise Corrupt(f"the record has no time {member!r}: {error}", reason=str(error)) from error

    return at


def stream(name: str, *, time: str) -> Stream:
    """A stream whose records carry their time in the member `time`."""
    return Stream(name, time_member(time))


_timestamp = time_member("timestamp")


def _event_time(record: bytes) -> int:
    try:
        return _timestamp(record)
    except Corrupt:
        members = modern_members(record)
        if members is None:
            raise
    try:
        return micros(read_time(members["timestamp"]))
    except ValueError as error:
        raise Corrupt(f"the record has no time: {error}", reason=str(error)) from error


EVENTS = Stream("events", _event_time)
"""What happened: event records, one file of lines for each writer and job."""
