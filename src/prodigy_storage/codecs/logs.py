"""Log records as lines: `{"timestamp", "level", "message", "fields"}`, the last one left out when it is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from prodigy_storage.codecs.plain import plain
from prodigy_storage.codecs.streams import stream
from prodigy_storage.codecs.times import read_time
from prodigy_storage.codecs.values import time_text
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.logs import LEVELS, LogRecord

LOGS = stream("logs", time="timestamp")
"""What orchestrators said, one log for each project and start."""


class _Line(msgspec.Struct, omit_defaults=True):
    timestamp: str
    level: str
    message: str
    fields: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(_Line)


def encode_logs(records: Sequence[LogRecord]) -> bytes:
    """The records as lines.

    Raises:
        InvalidValue: a level is unknown, or a value is no JSON; names it.
    """
    return b"".join(msgspec.json.encode(_line(record)) + b"\n" for record in records)


def _line(record: LogRecord) -> _Line:
    if record.level not in LEVELS:
        raise InvalidValue(f"{record.level!r} is no level; there are: {', '.join(LEVELS)}")
    fields: Any = plain(record.fields, "fields")
    message: Any = plain(record.message, "message")
    return _Line(time_text(record.timestamp), record.level, message, fields)


def decode_logs(data: bytes, on_damage: Callable[[int, str], None]) -> Iterator[LogRecord]:
    """The records of whole lines; what is none is reported with its position, and passed over."""
    offset = 0
    for line in data.split(b"\n")[:-1]:
        try:
            found = _DECODER.decode(line)
            fields: Mapping[str, Any] = found.fields
            yield LogRecord(
                timestamp=read_time(found.timestamp), level=found.level, message=found.message, fields=fields
            )
        except (ValueError, RecursionError) as error:
            on_damage(offset, f"no log record: {error}")
        offset += len(line) + 1
