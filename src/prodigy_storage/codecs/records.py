"""Event records as lines.

Written: one call of the encoder for many records, times always with six digits, durations as `[secs, nanos]`,
metadata left out when it is empty. Read: everything that Prodigy reads, durations as objects, which its documentation
shows, and lines of its early versions. What is not understood survives in `EventRecord.raw`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.old_records import modern_members
from prodigy_storage.codecs.plain import plain
from prodigy_storage.codecs.times import read_time
from prodigy_storage.codecs.values import time_text
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.events import Event, EventRecord
from prodigy_storage.model.values import Json

Packed: TypeAlias = msgspec.Raw | msgspec.UnsetType
"""Metadata that is encoded already."""

_ENCODER = msgspec.json.Encoder()
_ENCODE_ERRORS = (TypeError, ValueError, RecursionError, OverflowError, msgspec.MsgspecError)
_SIMPLE = frozenset({str, int, bool, type(None)})
_DECODE_ERRORS = (ValueError, RecursionError)  # msgspec's own errors are ValueErrors


class Line(msgspec.Struct, gc=False):
    """A record that waits to be encoded: `timestamp` a UTC time with microseconds, or text."""

    id: str
    timestamp: datetime | str
    correlation_id: str
    event: object
    metadata: Packed = msgspec.UNSET


def pack_metadata(metadata: Mapping[str, object]) -> Packed:
    """Encode metadata once for many lines.

    Raises:
        InvalidValue: a value is no JSON; names it.
    """
    if not metadata:
        return msgspec.UNSET
    return msgspec.Raw(_ENCODER.encode(plain(metadata, "metadata")))


def extend_metadata(packed: Packed, names: frozenset[str], more: Mapping[str, object]) -> Packed | None:
    """Add members to metadata that is encoded already, without encoding that anew.

    Args:
        packed: What is encoded.
        names: The names of its members.
        more: What to add.

    Returns:
        The whole; None if `more` has one of these names, or anything but simple values, and has to be packed with
        the rest.
    """
    if type(packed) is not msgspec.Raw or type(more) is not dict or not more or not names.isdisjoint(more):
        return None
    if not (set(map(type, more)) == {str} and _SIMPLE.issuperset(map(type, more.values()))):
        return None
    try:
        return msgspec.Raw(bytes(packed)[:-1] + b"," + _ENCODER.encode(more)[1:])
    except _ENCODE_ERRORS:
        return None


def line_time(moment: datetime) -> datetime | str:
    """What a `Line` takes for this UTC time: the encoder itself leaves the fraction out when it is zero."""
    return moment if moment.microsecond else time_text(moment)


def encode_lines(lines: Sequence[Line]) -> tuple[bytes, list[InvalidValue]]:
    """Encode many lines at once.

    Returns:
        The whole lines, and an error for each line that is no JSON and is therefore missing.
    """
    try:
        return _ENCODER.encode_lines(lines), []
    except _ENCODE_ERRORS:
        return _encode_each(lines)


def _encode_each(lines: Sequence[Line]) -> tuple[bytes, list[InvalidValue]]:
    found: list[bytes] = []
    errors: list[InvalidValue] = []
    for line in lines:
        try:
            found.append(_ENCODER.encode(line) + b"\n")
        except _ENCODE_ERRORS as error:
            errors.append(_blame(line, error))
    return b"".join(found), errors


def _blame(line: Line, error: Exception) -> InvalidValue:
    """The error that names the member which cannot be encoded."""
    try:
        for name in ("id", "correlation_id", "event"):
            plain(getattr(line, name), name)
    except InvalidValue as invalid:
        return InvalidValue(f"{invalid} (event {line.id!r})")
    return InvalidValue(f"event {line.id!r} is no JSON: {error}")


class _Envelope(msgspec.Struct):
    id: str
    timestamp: str
    correlation_id: str
    event: dict[str, Any]
    metadata: dict[str, Any] = {}


class EventCodec:
    """Turns records into lines and back.

    Args:
        types: The event types that are known; any other becomes an `UnknownEvent`.
    """

    def __init__(self, types: EventTypes | None = None) -> None:
        self.types = types or EventTypes()
        members: list[Any] = [("id", str), ("timestamp", str), ("correlation_id", str), ("event", self.types.twins)]
        members.append(("metadata", dict[str, Any], msgspec.field(default_factory=dict)))
        self._typed: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Record", members))
        self._untyped = msgspec.json.Decoder(_Envelope)

    def prepare(self, event: Event) -> object:
        """The event in a form that the encoder takes and nobody changes any more.

        Raises:
            InvalidValue: a value is no JSON; names the field.
        """
        prepare = self.types.preparations[type(event)]
        return event if prepare is None else prepare(event)

    def line(self, record: EventRecord) -> Line:
        """A record as a line to be encoded.

        Raises:
            InvalidValue: a value is no JSON; names the field.
        """
        packed = pack_metadata(record.metadata)
        return Line(record.id, time_text(record.timestamp), record.correlation_id, self.prepare(record.event), packed)

    def encode(self, records: Iterable[EventRecord]) -> bytes:
        """The records as lines; one that was read comes back byte for byte.

        Raises:
            InvalidValue: a value is no JSON; names the field.
        """
        return b"".join(self._encoded(record) for record in records)

    def _encoded(self, record: EventRecord) -> bytes:
        if record.raw is not None:
            return record.raw + b"\n"
        data, errors = encode_lines([self.line(record)])
        if errors:
            raise errors[0]
        return data

    def decode(self, line: bytes, *, place: str = "", offset: int | None = None) -> EventRecord:
        """Read one line, with or without its newline.

        Args:
            line: The bytes; they become `raw`, without the newline.
            place, offset: Where it lies, for the error.

        Raises:
            Corrupt: it is no event record.
        """
        line = line.rstrip(b"\n")
        try:
            found = self._typed.decode(line)
            event = self.types.build(found.event)
        except msgspec.ValidationError:
            return self._decode_untyped(line, place, offset)
        except _DECODE_ERRORS as error:
            if isinstance(error, msgspec.MsgspecError | UnicodeDecodeError | RecursionError):
                raise _corrupt(place, offset, error) from error
            return self._decode_untyped(line, place, offset)  # a time inside the event
        return self._record(found, event, line, place, offset)

    def _decode_untyped(self, line: bytes, place: str, offset: int | None) -> EventRecord:
        try:
            found = self._untyped.decode(line)
            if not isinstance(found.event.get("event_type"), str):
                raise ValueError("the event has no event_type")  # noqa: TRY004  # a line is bad, not a call
        except _DECODE_ERRORS as error:
            members = modern_members(line)
            if members is None:
                raise _corrupt(place, offset, error) from error
            found = _Envelope(**members)
        return self._record(found, self.types.from_members(found.event), line, place, offset)

    def _record(self, found: Any, event: Event, line: bytes, place: str, offset: int | None) -> EventRecord:
        try:
            timestamp = read_time(found.timestamp)
        except ValueError as error:
            raise _corrupt(place, offset, error) from error
        metadata: dict[str, Json] = found.metadata
        return EventRecord(found.id, timestamp, found.correlation_id, event, metadata, line)

    def decode_lines(self, data: bytes, *, place: str = "", offset: int = 0) -> Iterator[EventRecord | Corrupt]:
        """Read many whole lines; in the place of each one that is damaged comes the error.

        Args:
            data: Whole lines; blank ones are passed over.
            place: Where they come from, for the errors.
            offset: The position of the first byte there.
        """
        for line in data.split(b"\n"):
            if line:
                try:
                    yield self.decode(line, place=place, offset=offset)
                except Corrupt as error:
                    if line.strip():
                        yield error
            offset += len(line) + 1


def _corrupt(place: str, offset: int | None, reason: object) -> Corrupt:
    where = f" at {place}" if place else ""
    return Corrupt(f"no event record{where}: {reason}", place=place, offset=offset, reason=str(reason))
