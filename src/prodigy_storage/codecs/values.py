"""Values from outside as JSON, and times as text and as microseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from prodigy_storage.codecs.times import read_time
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.values import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FLAT = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})
_FLAT_ENCODER = msgspec.json.Encoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode_value(value: object, what: str) -> bytes:
    """Compact JSON of a value that came from outside.

    Raises:
        InvalidValue: `value` is no JSON: another type, not finite, a lone surrogate, a circle. Names `what`.
    """
    if type(value) is dict and _FLAT.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value)):
        encoded = _encode_flat(value)  # what most results are, in a third of the time
        if encoded is not None:
            return encoded
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"{what} is no JSON: {error}") from error


def _encode_flat(value: dict[str, Json]) -> bytes | None:
    try:
        return _FLAT_ENCODER.encode(value)
    except (OverflowError, ValueError):  # a whole number of more than 64 bits, a lone surrogate
        return None


def decode_value(data: bytes) -> Json:
    """The value that `encode_value` encoded."""
    value: Json = json.loads(data)
    return value


def micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; whole, also where floats would round."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=at)


def time_text(when: datetime) -> str:
    """RFC 3339 in UTC with six digits, so that text sorts like time."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


@lru_cache(maxsize=1024)
def parse_time(text: str) -> datetime:
    """A time in a document, aware, in UTC; digits after the sixth of a second are cut.

    Raises:
        Corrupt: it is no time with an offset.
    """
    try:
        return read_time(text)
    except ValueError as error:
        raise Corrupt(f"{text!r} is no RFC 3339 time", reason="no RFC 3339 time") from error
