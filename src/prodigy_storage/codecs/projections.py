"""A few members of each record, at the speed of the decoder, for scans that need no more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

import msgspec

from prodigy_storage.codecs.canonical import count_types
from prodigy_storage.codecs.old_records import old_name
from prodigy_storage.codecs.times import read_time
from prodigy_storage.model.event_filter import EventFilter

_ERRORS = (ValueError, RecursionError)
_EVENT_MEMBERS = ("job_id", "agent_id")
_TIMES = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\n)*", re.ASCII)
_bare = itemgetter(slice(-1))
_OTHER_SPELLINGS = re.compile(rb"\\[u/]")
Row: TypeAlias = Any
"""A struct made at run time; it has the members that were asked for."""


def _struct(*, event: Sequence[str], record: Sequence[str]) -> type[msgspec.Struct]:
    optional = [(name, str | None, None) for name in event if name in _EVENT_MEMBERS]
    inner = msgspec.defstruct("Event", [("event_type", str), *optional], gc=False)
    return msgspec.defstruct("Row", [("event", inner), *((name, str) for name in record)], gc=False)


class Tally:
    """Counts records by one member of their events.

    Args:
        by: `event_type`, `job_id` or `agent_id`.
        times: Whether the first and the last time are wanted too.
    """

    def __init__(self, by: str, *, times: bool) -> None:
        record = ("timestamp",) if times else ()
        self._rows: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct(event=(by,), record=record))
        self._key = attrgetter(f"event.{by}")
        self._by_type = by == "event_type"
        self._times = times
        self.counts: Counter[str | None] = Counter()
        self.first: str | None = None
        self.last: str | None = None

    def add(self, data: bytes) -> None:
        """Count every record in these whole lines.

        Raises:
            ValueError: a line is no record, or its times are not in the form that the library writes; nothing
                was counted, and each line has to be looked at alone.
        """
        found = count_types(data, times=self._times) if self._by_type else None
        if found is None:
            self._decode(data)
            return
        counts, times = found
        if times:
            self._span(min(times), max(times))
        self.counts.update(counts)

    def _decode(self, data: bytes) -> None:
        try:
            rows = self._rows.decode_lines(data)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if self._times and rows:
            self._add_times(list(map(attrgetter("timestamp"), rows)))
        self.counts.update(map(self._key, rows))

    def _add_times(self, texts: list[str]) -> None:
        """Texts of one form sort as the times do: 27 characters, the last one a Z.

        So do texts with any number of digits of a second, as Prodigy writes them, without their Z.
        """
        joined = "".join(texts)
        size = len(texts)
        if len(joined) == 27 * size and joined[26::27] == "Z" * size and joined[19::27] == "." * size:
            self._span(min(texts), max(texts))
            return
        lines = "\n".join([*texts, ""])
        if not _TIMES.fullmatch(lines):
            raise ValueError("times in another form")
        bare = lines.replace("Z\n", "\n").split("\n")[:-1]
        self._span(f"{min(bare)}Z", f"{max(bare)}Z")

    def _span(self, first: str, last: str) -> None:
        """Widen the span of times to these; a text that is no time is met here, as it sorts before or behind."""
        for text in (first, last):
            read_time(text)
        self.first = first if self.first is None else min(self.first, first, key=_bare)
        self.last = last if self.last is None else max(self.last, last, key=_bare)


class Sieve:
    """Passes the lines that may match a filter, and those that cannot be judged: the caller looks at these again.

    Lines without a text that the filter asks for are passed over unread, so damage in them is not noticed.

    Args:
        wanted: The filter. Scope and limit play no part here.
    """

    def __init__(self, wanted: EventFilter) -> None:
        self._wanted = wanted
        self._literal = _literal(wanted)
        self._old_literal = _old_literal(wanted)
        record = ("timestamp", "correlation_id")
        self._rows: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct(event=_EVENT_MEMBERS, record=record))

    def lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The lines that pass, each with its position in `data`."""
        if not self._wanted.is_open:
            yield from ((offset, line) for offset, line, _ in self.rows(data))
            return
        offset = 0
        for line in data.split(b"\n"):
            if line:
                yield offset, line
            offset += len(line) + 1

    def rows(self, data: bytes) -> Iterator[tuple[int, bytes, Row | None]]:
        """The lines that pass, each with its position and some members; None where they cannot be read so."""
        if not self._may_hold(data):
            return
        offset = 0
        for line in data.split(b"\n"):
            if line and self._may_hold(line):
                row = self._judge(line)
                if row is not False:
                    yield offset, line, row
            offset += len(line) + 1

    def _may_hold(self, data: bytes) -> bool:
        """Whether a matching line can be in these."""
        literal, old = self._literal, self._old_literal
        if not literal or literal in data or (old and old in data):
            return True
        return b"\\" in data and _OTHER_SPELLINGS.search(data) is not None  # one byte is found at the speed of memchr

    def _judge(self, line: bytes) -> Row | None:
        """The members; False if they do not match, None if they cannot be read."""
        try:
            row: Row = self._rows.decode(line)
            row.timestamp = read_time(row.timestamp)
        except _ERRORS:
            return None
        return (
            self._wanted.accepts(
                event_type=row.event.event_type,
                agent_id=row.event.agent_id,
                correlation_id=row.correlation_id,
                timestamp=row.timestamp,
            )
            and row
        )


def _literal(wanted: EventFilter) -> bytes | None:
    """Bytes that every matching line has, unless it spells a character as an escape that is not needed."""
    if wanted.agent_id is not None:
        return _spelled(wanted.agent_id)
    if wanted.correlation_id is not None:
        return _spelled(wanted.correlation_id)
    if len(wanted.types) == 1:
        (tag,) = wanted.types
        return None if tag.startswith("d_l_q_") else _spelled(tag)  # those have a second spelling
    return None


def _old_literal(wanted: EventFilter) -> bytes | None:
    """Bytes that a matching line of an early version of Prodigy has in their place."""
    named = wanted.agent_id is None and wanted.correlation_id is None and len(wanted.types) == 1
    return _spelled(old_name(*wanted.types)) if named else None


def _spelled(text: str) -> bytes | None:
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:  # a lone surrogate, which no record has
        return None
