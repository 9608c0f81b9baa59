"""Event records in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from prodigy_storage.codecs.tabular import csv_lines, markdown_lines
from prodigy_storage.codecs.values import decode_value, encode_value, time_text
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EventRecord

ExportFormat: TypeAlias = Literal["json", "jsonl", "csv", "markdown"]
"""`json` one array of records, `jsonl` a record in each line, `csv` and `markdown` a table."""

HEADER = ("timestamp", "event_type", "job_id", "agent_id", "details")
"""The columns of a table; `details` is JSON of the event's other members."""


def row(record: EventRecord) -> tuple[str, ...]:
    """A stored record as the cells of a table."""
    return (
        time_text(record.timestamp),
        record.event_type,
        record.job_id or "",
        record.agent_id or "",
        encode_value(_details(record), "details").decode(),
    )


def _details(record: EventRecord) -> Mapping[str, object]:
    stored = decode_value(_line(record).encode())
    event = stored.get("event") if isinstance(stored, dict) else None
    members = event if isinstance(event, dict) else {}
    return {name: value for name, value in members.items() if name not in {"event_type", "job_id", "agent_id"}}


def exported(records: Iterable[EventRecord], form: ExportFormat) -> Iterator[str]:
    """The records as pieces of text, in constant memory.

    Raises:
        InvalidValue: there is no such format.
    """
    if form not in _WRITERS:
        raise InvalidValue(f"{form!r} is no format of events; there are: {', '.join(get_args(ExportFormat))}")
    return _WRITERS[form](records)


def _jsonl(records: Iterable[EventRecord]) -> Iterator[str]:
    for record in records:
        yield f"{_line(record)}\n"


def _json(records: Iterable[EventRecord]) -> Iterator[str]:
    yield "["
    for number, record in enumerate(records):
        yield f"{',' if number else ''}\n{_line(record)}"
    yield "\n]\n"


def _line(record: EventRecord) -> str:
    assert record.raw is not None  # it was read
    return record.raw.decode()


_WRITERS: Mapping[str, Callable[[Iterable[EventRecord]], Iterator[str]]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": lambda records: csv_lines(HEADER, map(row, records)),
    "markdown": lambda records: markdown_lines(HEADER, map(row, records)),
}
