"""Prodigy's event lines: every one becomes a typed record, whoever wrote it, and keeps its bytes."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodigy_storage import Store
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.event_types import plain_event
from prodigy_storage.codecs.old_records import old_name, old_tag
from prodigy_storage.codecs.patches import same
from prodigy_storage.codecs.prodigy.events import check_lines
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import (
    EVENT_TYPES,
    AgentCompleted,
    AgentProgress,
    AgentRetrying,
    ClaudeToolInvoked,
    EventRecord,
    JobCompleted,
    JobStarted,
    UnknownEvent,
)
from prodigy_storage.model.values import Duration
from prodigy_storage.ports.storage import Append, Batch

from .checker import offence
from .made import instances

CORPUS = Path(__file__).parent / "corpus"
CODEC = EventCodec()
ID = "00000000-0000-4000-8000-000000000000"


def corpus() -> list[bytes]:
    """Every event file, unpacked."""
    found = [path.read_bytes() for path in sorted(CORPUS.rglob("*.jsonl*"))]
    return [gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in found]


def test_every_line_of_the_corpus_is_a_typed_record_and_keeps_its_bytes() -> None:
    """All 27 types; what is read is written as it was, nanoseconds and the spelling of floats included."""
    types = set()
    for body in corpus():
        records = list(CODEC.decode_lines(body))
        assert all(isinstance(record, EventRecord) for record in records)
        types |= {type(record.event) for record in records}
        assert CODEC.encode(records) == body
    assert types == set(EVENT_TYPES.values())


def line(event: object, **record: object) -> bytes:
    members = {"id": ID, "timestamp": "2025-03-10T08:15:04Z", "correlation_id": "c", "event": event, **record}
    return json.dumps(members).encode()


COMPLETED = {"job_id": "j", "success_count": 1, "failure_count": 0}


@pytest.mark.parametrize("duration", [[5, 7], {"secs": 5, "nanos": 7}, {"nanos": 7, "secs": 5}])
def test_durations_are_read_as_pairs_and_as_objects(duration) -> None:
    """The program writes pairs, its documentation shows objects."""
    found = CODEC.decode(line({"event_type": "job_completed", "duration": duration, **COMPLETED}))
    assert found.event == JobCompleted("j", Duration(5, 7), 1, 0)


@pytest.mark.parametrize("tag", [tag for tag in EVENT_TYPES if tag.startswith("d_l_q_")])
def test_dead_letter_tags_are_read_in_both_spellings(tag: str) -> None:
    """`dlq_item_added` is the name in filters and documents, `d_l_q_item_added` the tag on disk."""
    members = {"job_id": "j", "item_id": "i", "error_signature": "s", "failure_count": 1, "count": 2, "patterns": 3}
    for spelling in (tag, tag.replace("d_l_q_", "dlq_")):
        assert type(CODEC.decode(line({"event_type": spelling, **members})).event) is EVENT_TYPES[tag]


def test_a_start_without_later_settings_has_their_defaults() -> None:
    """Version 0.1.9 wrote three settings; its records are read all the same, also without metadata."""
    config = {"input": "i", "json_path": "$", "max_parallel": 3}
    started = {"event_type": "job_started", "job_id": "j", "config": config, "total_items": 2}
    event = CODEC.decode(line({**started, "timestamp": "2025-03-10T08:15:04Z"})).event
    assert isinstance(event, JobStarted)
    assert (event.config.continue_on_failure, event.config.enable_checkpoints) == (False, True)


STAMPS = {
    "2025-03-10T08:15:04Z": 0,
    "2025-03-10T08:15:04.8Z": 800_000,
    "2025-03-10T08:15:04.814Z": 814_000,
    "2025-03-10T08:15:04.814814591Z": 814_814,
    "2025-03-10T08:15:04.8148149999Z": 814_814,
    "2025-03-10T10:15:04+02:00": 0,
    "2025-03-10T10:15:04 +0200": 0,
    "2025-03-10T06:15:04\u221202:00": 0,
    "2025-03-10T08:15:04-00:00": 0,
    "2025-03-10 08:15:04 UTC": 0,
    " 2025-3-10t8:15:4z ": 0,
    "2025-03-10   08:15:03.5Z": -500_000,
    "2025-03-10T08:14:60.0Z": -4_000_000,
    "2025-03-10T08:15:04": None,
    "2025-03-10": None,
    "": None,
}


@pytest.mark.parametrize(("text", "micros"), STAMPS.items())
def test_times_are_read_as_the_program_reads_them(text: str, micros: int | None) -> None:
    """Any number of digits, offsets, blanks; a line without a readable time is reported, and the reason said."""
    found = next(CODEC.decode_lines(line({"event_type": "x"}, timestamp=text)))
    if micros is None:
        assert isinstance(found, Corrupt)
        assert "is no time with an offset" in found.reason
    else:
        base = datetime(2025, 3, 10, 8, 15, 4, tzinfo=UTC)
        assert (found.timestamp - base).total_seconds() * 1_000_000 == micros


@pytest.mark.parametrize("tag", EVENT_TYPES)
def test_names_of_early_versions_are_those_of_the_classes(tag: str) -> None:
    """`JobStarted` as a key is the event that `job_started` is as a tag."""
    assert old_tag(EVENT_TYPES[tag].__name__) == tag
    assert old_tag(old_name(tag)) == tag


STARTED = {"job_id": "j", "total_items": 2, "config": {"input": "i"}, "timestamp": "2024-01-01T00:00:00.5Z"}
OLD = [
    {"JobStarted": STARTED},
    {"timestamp": "2024-01-01T00:00:00.500Z", "JobStarted": {**STARTED, "timestamp": "2024-02-02T00:00:00Z"}},
    {"time": "2024-01-01T00:00:00.5+00:00", "JobStarted": STARTED},
    {"id": ID, "timestamp": "2024-01-01T00:00:00.5Z", "correlation_id": "c", "event": {"JobStarted": STARTED}},
]


@pytest.mark.parametrize("members", OLD)
def test_lines_of_early_versions_are_records(members) -> None:
    """The name as the key, the time beside the event or inside; the same line has the same id each time."""
    text = json.dumps(members).encode()
    found = CODEC.decode(text)
    assert isinstance(found.event, JobStarted)
    assert found.timestamp == datetime(2024, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert (found.raw, found.id) == (text, CODEC.decode(text).id)
    assert EVENTS.at(text) == 1_704_067_200_500_000


def test_an_old_event_without_a_time_is_reported() -> None:
    """It cannot be placed; the line stays where it is."""
    with pytest.raises(Corrupt, match="missing required field"):
        CODEC.decode(b'{"AgentFailed":{"job_id":"j"}}')


def test_old_lines_are_found_counted_and_filtered() -> None:
    """A filter by type finds them under the name of today."""
    storage = MemoryStorage()
    lines = [json.dumps(OLD[0]).encode(), line({"event_type": "agent_failed"})]
    storage.commit(Batch(("r", "j"), (Append(EVENTS, b"\n".join([*lines, b""])),)))
    with Store(storage) as store:
        found = list(store.events.query(EventFilter(types=["job_started"])))
        assert [record.raw for record in found] == lines[:1]
        assert store.events.stats().counts == {"job_started": 1, "agent_failed": 1}


# --- written in the dialect


@pytest.mark.parametrize("tag", EVENT_TYPES)
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_logged_in_the_dialect_is_acceptable(tag: str, data: st.DataObject) -> None:
    """Every field of every type, edge values too: the program's reader takes the line, ours reads it equal."""
    event = data.draw(instances(EVENT_TYPES[tag]))
    storage = MemoryStorage()
    with Store(storage, dialect="prodigy-0.4") as store:
        store.events.log("r", "j", event, metadata={"größe": 1e16, "n": {"b": 1, "a": None}})
        store.events.flush()
        stored = storage.records(("r", "j"), EVENTS).data
        assert offence("event-lines", stored) is None
        (found,) = store.events.query()
        assert same(plain_event(found.event), plain_event(event))
        assert json.loads(stored)["event"]["event_type"] == tag


def test_floats_and_durations_have_the_spelling_of_the_program() -> None:
    """Plain digits down to a hundred-thousandth, a sign in large exponents, pairs for durations, sorted keys."""
    storage = MemoryStorage()
    with Store(storage, dialect="prodigy-0.4") as store:
        values = {"z": [1e-5, 1.5e-7, 1e16, 1e21, -0.0], "a": 1e15}
        store.events.log("r", "j", ClaudeToolInvoked("a", "t", "i", values, datetime(2025, 1, 1, tzinfo=UTC)))
        store.events.log("r", "j", AgentCompleted("j", "a", Duration(1, 5)))
        store.events.flush()
        first, second = storage.records(("r", "j"), EVENTS).data.splitlines()
    assert b'"parameters":{"a":1000000000000000.0,"z":[0.00001,1.5e-7,1e+16,1e+21,-0.0]}' in first
    assert b'"timestamp":"2025-01-01T00:00:00Z"}' in first
    assert b'"duration":[1,5],"commits":[],"json_log_location":null' in second


LARGEST = Duration(9_223_372_036_854_775, 807_000_000)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (AgentProgress("j", "a", "s", float("nan")), "event.progress_pct"),
        (AgentProgress("j", "a", "s", float("inf")), "event.progress_pct"),
        (AgentProgress("j", "a", "s", 3.5e38), "event.progress_pct"),
        (AgentRetrying("j", "a", 2**32, 1), "event.attempt"),
        (AgentRetrying("j", "a", 1, 2**64), "event.backoff_ms"),
        (AgentRetrying("j", "a", -1, 1), "event.attempt"),
        (AgentCompleted("j", "a", Duration(LARGEST.secs, LARGEST.nanos + 1)), "event.duration"),
        (AgentCompleted("j", "a", Duration(1, 10**9)), "event.duration"),
        (AgentCompleted("j", "\ud800", Duration(1, 0)), "event.agent_id"),
        (
            ClaudeToolInvoked("a", "t", "i", [{"n": 2**64}], datetime(2025, 1, 1, tzinfo=UTC)),
            r"event.parameters\[0\].n",
        ),
    ],
)
def test_what_cannot_be_read_back_is_refused_when_it_is_logged(event, field: str) -> None:
    """The error names the field; nothing of the event is stored."""
    with Store(MemoryStorage(), dialect="prodigy-0.4") as store:
        with pytest.raises(InvalidValue, match=f"^{field}"):
            store.events.log("r", "j", event)
        store.events.flush()
        assert store.events.stats().total == 0


def test_the_longest_duration_is_taken() -> None:
    """The limit itself can be read back."""
    check_lines(line({"event_type": "job_completed", "duration": list(LARGEST), **COMPLETED}) + b"\n")


def test_types_that_the_program_does_not_know_are_refused() -> None:
    """A single unknown type would hide its line from the program."""
    with (
        Store(MemoryStorage(), dialect="prodigy-0.4") as store,
        pytest.raises(InvalidValue, match="its own event types alone"),
    ):
        store.events.log("r", "j", UnknownEvent("mine", {}))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line({"event_type": "mine"}), "has no event type 'mine'"),
        (line({"event_type": "job_paused", "job_id": "j"}), "event.checkpoint_version is missing"),
        (line({"event_type": "checkpoint_loaded", "job_id": "j", "version": 1}, id="1"), "is no UUID"),
        (
            line({"event_type": "checkpoint_loaded", "job_id": "j", "version": 1}, metadata=None),
            "metadata is no object",
        ),
        (line({"event_type": "checkpoint_loaded", "job_id": "j", "version": 1}, timestamp="now"), "is no time"),
        (line({"event_type": "job_completed", "duration": {"secs": 1, "nanos": 0}, **COMPLETED}), "is no duration"),
        (line([]), "event is no object"),
    ],
)
def test_copied_lines_that_the_program_cannot_read_are_refused(bad: bytes, reason: str) -> None:
    """Whatever way they come: into a store in the dialect goes no line that is lost to the program."""
    with Store(MemoryStorage(), dialect="prodigy-0.4") as store, pytest.raises(InvalidValue, match=reason):
        store.storage.commit(Batch(("r", "j"), (Append(EVENTS, bad + b"\n"),)))


def test_lines_of_the_program_are_copied_as_they_are() -> None:
    """Every line of the corpus goes into a store in the dialect, and comes back with its bytes."""
    with Store(MemoryStorage(), dialect="prodigy-0.4") as store:
        for number, body in enumerate(one for one in corpus() if one):
            scope = ("r", f"j{number}")
            store.storage.commit(Batch(scope, (Append(EVENTS, body),)))
            assert store.storage.records(scope, EVENTS).data == body


@pytest.mark.parametrize("by", ["event_type", "job_id"])
def test_the_first_and_the_last_time_are_found_among_all_spellings(by: str) -> None:
    """No digits of a second, three, six or nine: what is counted at once gives the same as line by line."""
    texts = ["04Z", "04.5Z", "04.000000001Z", "03.999Z", "04.814814591Z", "04.8148149Z", "04.814Z"]
    for last in range(2, len(texts) + 1):
        storage = MemoryStorage()
        lines = [line({"event_type": "x"}, timestamp=f"2025-03-10T08:15:{text}") for text in texts[:last]]
        storage.commit(Batch(("r", "j"), (Append(EVENTS, b"\n".join([*lines, b""])),)))
        moments = [CODEC.decode(one).timestamp for one in lines]
        with Store(storage) as store:
            stats = store.events.stats(by=by)
            assert (stats.first, stats.last, stats.total) == (min(moments), max(moments), last)


def test_a_time_that_is_none_is_met_when_counting() -> None:
    """The line is reported as damage, the others are counted."""
    storage = MemoryStorage()
    lines = [line({"event_type": "x"}, timestamp=text) for text in ("2025-03-10T08:15:04Z", "2025-03-10T08:15Z ago")]
    storage.commit(Batch(("r", "j"), (Append(EVENTS, b"\n".join([*lines, b""])),)))
    with Store(storage) as store:
        stats = store.events.stats()
        assert (stats.total, stats.damage) == (1, 1)
