"""Events over all their values: round trips, survival of what is not understood, queries against naive ones."""

from __future__ import annotations

import json
import re
import typing
from collections import Counter
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Corrupt, StorageFull
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import (
    EVENT_TYPES,
    EventRecord,
    MapReduceConfig,
    QueueDepthChanged,
    UnknownEvent,
    canonical_type,
)
from prodigy_storage.model.values import Duration
from prodigy_storage.ports.storage import Append, Batch, Durability
from prodigy_storage.services.events import Events
from prodigy_storage.testing.fakes import START, FakeBackground, fake_runtime

CODEC = EventCodec()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WHOLE = st.integers(-(2**63), 2**64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is beside
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DURATIONS = st.builds(Duration, st.integers(-(2**53), 2**53), st.integers(0, 10**9 - 1))


def values(hint: object) -> st.SearchStrategy[object]:
    """Values of a field's type."""
    simple = {str: TEXT, int: WHOLE, bool: st.booleans(), float: FLOATS, datetime: TIMES, Duration: DURATIONS}
    if hint in simple:
        return simple[hint]
    if hint is MapReduceConfig:
        return st.builds(MapReduceConfig, **fields(MapReduceConfig))
    arguments = typing.get_args(hint)
    if hint == tuple[str, ...]:
        return st.lists(TEXT, max_size=3).map(tuple)
    if len(arguments) == 2 and arguments[1] is type(None):
        return st.none() | values(arguments[0])
    return JSON


def fields(cls: type) -> dict[str, st.SearchStrategy[object]]:
    """Values for every field that is given."""
    hints = typing.get_type_hints(cls)
    return {field.name: values(hints[field.name]) for field in attrs.fields(cls) if field.init}


EVENTS_OF = {tag: st.builds(cls, **fields(cls)) for tag, cls in EVENT_TYPES.items()}
UNKNOWN = st.builds(
    UnknownEvent,
    TEXT.filter(lambda tag: tag and canonical_type(tag) not in EVENT_TYPES),
    st.dictionaries(TEXT.filter(lambda name: name != "event_type"), JSON, max_size=4),
)
ANY_EVENT = st.one_of(*EVENTS_OF.values(), UNKNOWN)


def records(events: st.SearchStrategy[object]) -> st.SearchStrategy[EventRecord]:
    return st.builds(EventRecord, TEXT, TIMES, TEXT, events, st.dictionaries(TEXT, JSON, max_size=3))


@pytest.mark.parametrize("tag", EVENT_TYPES)
@settings(max_examples=40)
@given(data=st.data())
def test_every_field_of_every_type_makes_the_round_trip(tag: str, data: st.DataObject) -> None:
    """What is decoded equals what was encoded, and the line is plain JSON with the tag first."""
    record = data.draw(records(EVENTS_OF[tag]))
    line = CODEC.encode([record])
    assert CODEC.decode(line) == record
    members = json.loads(line)
    assert next(iter(members["event"].items())) == ("event_type", tag)
    assert members["timestamp"] == f"{record.timestamp.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    assert EVENTS.at(line) == (record.timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(records(UNKNOWN))
def test_an_unknown_event_makes_the_round_trip(record: EventRecord) -> None:
    """All its members come back."""
    assert CODEC.decode(CODEC.encode([record])) == record


@given(records(ANY_EVENT), st.dictionaries(TEXT, JSON, max_size=3), st.booleans(), st.randoms())
def test_unknown_members_survive_byte_for_byte(record, extra, escaped, chance) -> None:
    """Wherever they stand and however the line is spelled, the record is the same and so are its bytes."""
    members = json.loads(CODEC.encode([record]))
    for part in (members, members["event"]):
        if part is members["event"] and isinstance(record.event, UnknownEvent):
            continue
        mixed = [*part.items(), *((f"x-{name}", value) for name, value in extra.items())]
        chance.shuffle(mixed)
        part.clear()
        part.update(mixed)
    line = json.dumps(members, ensure_ascii=escaped).encode() + b"\n"
    found = CODEC.decode(line)
    assert found == record
    assert CODEC.encode([found]) == line


@given(st.binary(max_size=60) | records(ANY_EVENT).map(lambda record: CODEC.encode([record])), st.data())
def test_any_bytes_are_a_record_or_corrupt(line: bytes, data: st.DataObject) -> None:
    """Cut lines and changed bytes never raise anything else."""
    position = data.draw(st.integers(0, len(line)))
    changed = line[:position] + data.draw(st.binary(max_size=2)) + line[position + data.draw(st.integers(0, 5)) :]
    for found in CODEC.decode_lines(changed):
        assert isinstance(found, EventRecord | Corrupt)


# --- queries and statistics

NAMES = st.sampled_from(["a", "b", 'c"/\n', "ü"])
MOMENTS = st.integers(0, 5).map(lambda minutes: START + timedelta(minutes=minutes))
STORED = st.one_of(
    st.builds(
        UnknownEvent,
        st.sampled_from(["x", "dlq_item_removed", "y"]),
        st.fixed_dictionaries({}, optional={"agent_id": NAMES | st.integers(), "job_id": NAMES}),
    ),
    st.builds(EVENT_TYPES["agent_failed"], NAMES, NAMES, TEXT, st.booleans()),
    st.builds(EVENT_TYPES["claude_token_usage"], NAMES, WHOLE, WHOLE, WHOLE),
    st.builds(EVENT_TYPES["d_l_q_item_removed"], NAMES, NAMES),
)
LINES = st.lists(
    st.tuples(NAMES, NAMES, NAMES, MOMENTS, STORED, st.sampled_from(["plain", "escaped", "digits", "bad"])), max_size=12
)
FILTERS = st.builds(
    EventFilter,
    repo=st.none() | NAMES,
    job=st.none() | NAMES,
    types=st.frozensets(st.sampled_from(["x", "agent_failed", "dlq_item_removed", "d_l_q_item_removed"]), max_size=2),
    agent_id=st.none() | NAMES,
    correlation_id=st.none() | NAMES,
    since=st.none() | MOMENTS,
    until=st.none() | MOMENTS,
)


ESCAPABLE = re.compile(r"\\u[0-9a-f]{4}|\\.|[ac/]")


def escape(found: re.Match[str]) -> str:
    """Another spelling of a character in a text; what is an escape already stays."""
    return found[0] if found[0].startswith("\\") else {"/": "\\/"}.get(found[0], f"\\u{ord(found[0]):04X}")


def spelled(record: EventRecord, how: str) -> bytes:
    """The record's line, as different writers would write it."""
    line = CODEC.encode([record])
    if how == "plain":
        return line
    if how == "bad":
        return b"{}\n"
    members = json.loads(line)
    if how == "digits":
        members["timestamp"] = members["timestamp"].replace("000000Z", "000000999+00:00")
    text = json.dumps(dict(reversed(members.items())), ensure_ascii=False)
    if how == "escaped":
        text = re.sub(r'"(?:[^"\\]|\\.)*"', lambda literal: ESCAPABLE.sub(escape, literal[0]), text)
    return text.encode() + b"\n"


def fill(rows) -> tuple[Events, list[tuple[tuple[str, str], EventRecord]]]:
    """A store with these records, and what a reader should find."""
    storage = MemoryStorage()
    expected = []
    for number, (repo, job, correlation, moment, event, how) in enumerate(rows):
        record = EventRecord(str(number), moment, correlation, event)
        line = spelled(record, how)
        storage.commit(Batch((repo, job), (Append(EVENTS, line),), Durability.OS))
        if how != "bad":
            expected.append(((repo, job), CODEC.decode(line)))
    return Events(storage, fake_runtime()), expected


def naive(wanted: EventFilter, scope: tuple[str, str], record: EventRecord) -> bool:
    """The filter in the plainest words."""
    return all(
        (
            wanted.repo in (None, scope[0]),
            wanted.job is None or scope[1] in wanted.job,
            not wanted.types or record.event_type.replace("dlq", "d_l_q") in wanted.types,
            wanted.agent_id in (None, record.agent_id),
            wanted.correlation_id in (None, record.correlation_id),
            wanted.since is None or record.timestamp >= wanted.since,
            wanted.until is None or record.timestamp < wanted.until,
        )
    )


@settings(max_examples=300)
@given(LINES, FILTERS, st.none() | st.integers(0, 4))
def test_a_query_equals_the_naive_filter(rows, wanted: EventFilter, limit: int | None) -> None:
    """Any spelling of the lines, any filter; with a limit the newest, in the order of time."""
    events, stored = fill(rows)
    expected = [record for scope, record in sorted(stored, key=lambda one: one[0]) if naive(wanted, scope, record)]
    if limit is not None:
        expected = sorted(expected, key=lambda record: record.timestamp)[max(0, len(expected) - limit) :]
    assert list(events.query(attrs.evolve(wanted, limit=limit))) == expected


@settings(max_examples=300)
@given(LINES, FILTERS | st.just(EventFilter()), st.sampled_from(["event_type", "job_id", "agent_id"]))
def test_statistics_equal_the_naive_counts(rows, wanted: EventFilter, by: str) -> None:
    """Counts, total, jobs, size, first and last time."""
    events, stored = fill(rows)
    chosen = [(scope, record) for scope, record in stored if naive(wanted, scope, record)]
    keys = {
        "event_type": lambda _, record: record.event_type.replace("dlq", "d_l_q"),
        "job_id": lambda scope, record: record.job_id if record.job_id is not None else scope[1],
        "agent_id": lambda _, record: record.agent_id or "",
    }
    stats = events.stats(wanted, by=by)
    assert stats.counts == Counter(keys[by](scope, record) for scope, record in chosen)
    assert list(stats.counts.values()) == sorted(stats.counts.values(), reverse=True)
    assert (stats.total, stats.jobs) == (len(chosen), len({scope for scope, _ in chosen}))
    assert stats.size == sum(len(record.raw) + 1 for _, record in chosen)
    moments = [record.timestamp for _, record in chosen]
    assert (stats.first, stats.last) == (min(moments, default=None), max(moments, default=None))


# --- the buffer


class Flaky(MemoryStorage):
    """Is full whenever `full` says so."""

    full = False

    def commit(self, batch):
        if self.full:
            raise StorageFull("no space")
        return super().commit(batch)


STEPS = st.lists(
    st.tuples(st.sampled_from(["log", "flush", "tick", "full", "room"]), st.integers(1, 40)), min_size=1, max_size=40
)


@settings(max_examples=200)
@given(STEPS, st.integers(1, 9))
def test_whatever_the_disk_does_accepted_events_are_stored_once_and_in_order(steps, capacity: int) -> None:
    """An event is accepted when `log` returned; a refused one is never stored."""
    storage, background = Flaky(), FakeBackground()
    events = Events(storage, fake_runtime(background=background))
    logger = events.logger("repo", "job", capacity=capacity)
    accepted: list[int] = []
    number = 0
    for step, count in steps:
        if step in ("full", "room"):
            storage.full = step == "full"
        elif step == "tick":
            background.tick()
        elif step == "flush":
            if storage.full and logger.pending:
                with pytest.raises(StorageFull):
                    logger.flush()
            else:
                logger.flush()
                assert logger.pending == 0
        else:
            for number in range(number, number + count):  # noqa: B020 - goes on where it stopped
                try:
                    logger.log(QueueDepthChanged("job", number, 0, 0))
                    accepted.append(number)
                except StorageFull:
                    assert storage.full
                    assert logger.pending == capacity * 10
            number += 1
    storage.full = False
    events.close()
    assert [record.event.pending for record in events.query()] == accepted
