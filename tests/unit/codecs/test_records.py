"""Event records as lines: what is written, what is read, what is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.codecs.records import EventCodec, Line, encode_lines, line_time, pack_metadata
from prodigy_storage.codecs.streams import EVENTS, stream
from prodigy_storage.codecs.times import read_time
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.events import (
    AgentCompleted,
    AgentProgress,
    ClaudeMessage,
    ClaudeToolInvoked,
    DLQItemAdded,
    Event,
    EventRecord,
    JobCompleted,
    JobFailed,
    JobStarted,
    MapReduceConfig,
    UnknownEvent,
)
from prodigy_storage.model.values import Duration

NOW = datetime(2025, 3, 10, 8, 15, 0, 250000, tzinfo=UTC)
NO_TIME = Duration(0)
CODEC = EventCodec()


def record(event: Event, **fields) -> EventRecord:
    return EventRecord(**{"id": "e-1", "timestamp": NOW, "correlation_id": "c-1", "event": event, **fields})


def line(event: str, *, head: str = "", metadata: str = "{}") -> bytes:
    text = f'{{{head}"id":"e-1","timestamp":"2025-03-10T08:15:00.25Z","correlation_id":"c-1","event":{event}'
    return f'{text},"metadata":{metadata}}}\n'.encode()


def test_a_record_is_written_in_the_documented_form() -> None:
    """Order of members, six digits, durations as pairs, null kept, empty metadata left out."""
    written = CODEC.encode([record(AgentCompleted("j", "a", Duration(1, 5), ("c0ffee",)))])
    assert written == (
        b'{"id":"e-1","timestamp":"2025-03-10T08:15:00.250000Z","correlation_id":"c-1","event":{"event_type":'
        b'"agent_completed","job_id":"j","agent_id":"a","duration":[1,5],"commits":["c0ffee"],'
        b'"json_log_location":null}}\n'
    )


def test_full_seconds_keep_their_six_digits() -> None:
    """In the record and inside the event, so that texts sort as the times do."""
    whole = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    written = CODEC.encode([record(JobStarted("j", MapReduceConfig(), 3, whole), timestamp=whole)])
    assert written.count(b'"timestamp":"2024-12-31T22:00:00.000000Z"') == 2
    assert line_time(NOW) is NOW


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (AgentProgress("j", "a", "s", math.nan), "event.progress_pct"),
        (AgentProgress("j", "a", "s", "half"), "event.progress_pct"),  # type: ignore[arg-type]
        (ClaudeToolInvoked("a", "t", "i", {"x": [1, math.inf]}, NOW), "event.parameters.x[1]"),
        (ClaudeToolInvoked("a", "t", "i", {"x": b"bytes"}, NOW), "event.parameters.x"),
        (ClaudeToolInvoked("a", "t", "i", {1: "x"}, NOW), "event.parameters"),
        (ClaudeToolInvoked("a", "t", "i", {"x": {1, 2}}, NOW), "event.parameters.x"),
        (ClaudeToolInvoked("a", "t", "i", None, datetime(2025, 1, 1)), "event.timestamp"),  # noqa: DTZ001 - the point
        (JobFailed("j", "lone \ud800", 0), "event.error"),
        (JobFailed("j", ValueError("x"), 0), "event.error"),  # type: ignore[arg-type]
        (UnknownEvent("mine", {"x": math.nan}), "event.x"),
    ],
)
def test_what_is_no_json_is_refused_by_name(event: Event, place: str) -> None:
    """The error says which field of the event it was."""
    with pytest.raises(InvalidValue, match=place.replace("[", r"\[")):
        CODEC.encode([record(event)])


def test_values_that_nest_too_deeply_are_refused() -> None:
    """A circle is one of these."""
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(InvalidValue, match="120 levels"):
        CODEC.encode([record(ClaudeToolInvoked("a", "t", "i", circle, NOW))])


def test_metadata_that_is_no_json_is_refused_by_name() -> None:
    """The error names the member."""
    with pytest.raises(InvalidValue, match=r"metadata\.load"):
        pack_metadata({"load": math.nan})


def test_one_bad_line_does_not_keep_the_others_from_being_encoded() -> None:
    """The good lines come back, and an error for the bad one."""
    lines = [Line(str(number), NOW, "c", JobFailed("j", "\ud800" if number == 1 else "x", 0)) for number in range(3)]
    data, errors = encode_lines(lines)
    assert [json.loads(one)["id"] for one in data.splitlines()] == ["0", "2"]
    assert [str(error) for error in errors] == ["event.error has a lone surrogate at 0 (event '1')"]


def test_a_duration_is_read_as_a_pair_and_as_an_object() -> None:
    """Prodigy writes the pair, its documentation shows the object."""
    for text in ("[3,7]", '{"secs":3,"nanos":7}', '{"nanos":7,"secs":3}'):
        event = f'{{"event_type":"job_completed","job_id":"j","duration":{text},"success_count":1,"failure_count":0}}'
        assert CODEC.decode(line(event)).event == JobCompleted("j", Duration(3, 7), 1, 0)


def test_late_fields_of_the_configuration_have_their_defaults() -> None:
    """Version 0.1.9 wrote neither `continue_on_failure` nor `enable_checkpoints`."""
    config = '{"max_parallel":4,"agent_timeout_secs":null}'
    moment = '"2025-03-10T08:15:00Z"'
    event = f'{{"event_type":"job_started","job_id":"j","config":{config},"total_items":2,"timestamp":{moment}}}'
    found = CODEC.decode(line(event)).event
    assert found == JobStarted("j", MapReduceConfig(max_parallel=4), 2, datetime(2025, 3, 10, 8, 15, tzinfo=UTC))


def test_missing_optional_members_are_read() -> None:
    """`metadata` and `json_log_location` may be absent; members may stand in any order."""
    text = (
        b'{"event":{"content":"hi","message_type":"m","agent_id":"a","event_type":"claude_message"},'
        b'"correlation_id":"c-1","timestamp":"2025-03-10T08:15:00.25+00:00","id":"e-1"}'
    )
    assert CODEC.decode(text) == record(ClaudeMessage("a", "hi", "m"))


def test_an_unknown_type_is_kept_whole() -> None:
    """It becomes an `UnknownEvent` with all its members."""
    found = CODEC.decode(line('{"event_type":"map_phase_started","job_id":"j","deep":{"x":[1,null]}}'))
    assert found.event == UnknownEvent("map_phase_started", {"job_id": "j", "deep": {"x": [1, None]}})
    assert (found.event_type, found.job_id, found.agent_id) == ("map_phase_started", "j", None)


def test_an_event_that_does_not_fit_its_type_is_kept_whole() -> None:
    """What a later version may have changed is not lost, but an `UnknownEvent`."""
    found = CODEC.decode(line('{"event_type":"job_failed","job_id":"j","error":{"code":1}}'))
    assert found.event == UnknownEvent("job_failed", {"job_id": "j", "error": {"code": 1}})
    moment = '{"event_type":"claude_tool_invoked","agent_id":"a","tool_name":"t","tool_id":"i","parameters":1,'
    assert isinstance(CODEC.decode(line(moment + '"timestamp":"yesterday"}')).event, UnknownEvent)


def test_the_other_spelling_of_a_dead_letter_tag_is_read() -> None:
    """`dlq_item_added` is the same event as `d_l_q_item_added`."""
    members = '"job_id":"j","item_id":"i","error_signature":"s","failure_count":1'
    found = CODEC.decode(line(f'{{"event_type":"dlq_item_added",{members}}}'))
    assert found.event == DLQItemAdded("j", "i", "s", 1)


def test_what_was_read_is_written_byte_for_byte() -> None:
    """Unknown members, order, blanks and escapes survive."""
    text = line(
        '{"x": 1, "event_type" : "job_failed","job_id":"\\u006a","error":"e","partial_results":0}', head='"n":1,'
    )
    found = CODEC.decode(text)
    assert found.event == JobFailed("j", "e", 0)
    assert CODEC.encode([found]) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":"e-1"}',
        b"[1]",
        b"{",
        b"\x00\x00",
        b'{"id":"e-1","timestamp":"2025-03-10T08:15:00Z","correlation_id":"c","event":{"job_id":"j"}}',
        b'{"id":"e-1","timestamp":"2025-03-10","correlation_id":"c","event":{"event_type":"x"}}',
        b'{"id":"e-1","timestamp":1,"correlation_id":"c","event":{"event_type":"x"}}',
        line('{"event_type":"x"}', metadata="null").rstrip(),
        line('{"event_type":"x","y":NaN}').rstrip(),
        line('{"event_type":"job_failed","job_id":"j","error":"')
        .replace(b'","metadata"', b'\xff","metadata"')
        .rstrip(),
        line('{"event_type":"x","y":' + "[" * 5000 + "]" * 5000 + "}").rstrip(),
    ],
)
def test_a_line_that_is_no_record_is_corrupt(text: bytes) -> None:
    """The error says where."""
    with pytest.raises(Corrupt) as caught:
        CODEC.decode(text, place="events/r/j", offset=42)
    assert (caught.value.place, caught.value.offset) == ("events/r/j", 42)
    assert caught.value.reason


def test_damage_is_reported_in_its_place_and_the_rest_is_read() -> None:
    """Offsets count from the start that was given; blank lines are no damage."""
    good = line('{"event_type":"x"}')
    data = good + b"garbage\n\n  \n" + good
    found = list(CODEC.decode_lines(data, place="p", offset=1000))
    assert [type(one) for one in found] == [EventRecord, Corrupt, EventRecord]
    assert isinstance(found[1], Corrupt)
    assert found[1].offset == 1000 + len(good)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-10T08:15:00Z", datetime(2025, 3, 10, 8, 15, tzinfo=UTC)),
        ("2025-03-10T08:15:00.250Z", NOW),
        ("2025-03-10T08:15:00.250000Z", NOW),
        ("2025-03-10T08:15:00.250000999Z", NOW),
        ("2025-03-10T08:15:00.2500009999Z", NOW),
        ("2025-03-10T10:15:00.25+02:00", NOW),
        ("2025-03-10T10:15:00.25+0200", NOW),
        ("2025-03-10 08:15:00.25z", NOW),
        ("2025-03-10 08:15:00.25 UTC", NOW),
        (" 2025-3-10T8:15:0.25 -00:00 ", NOW),
        ("2025-03-10T08:14:60.25Z", NOW),
    ],
)
def test_times_are_read_in_every_form_that_prodigy_reads(text: str, expected: datetime) -> None:
    """What is below a microsecond is cut off, never rounded up."""
    assert read_time(text) == expected
    assert read_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-03-10",
        "2025-03-10T08:15:00",
        "2025-13-10T08:15:00Z",
        "2025-03-10T08:15:61Z",
        "0001-01-01T00:00:00+02:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Text without an offset is one of these."""
    with pytest.raises(ValueError, match=r"time|second|month|year"):
        read_time(text)


@attrs.frozen(slots=False)
class Shard:
    """A part of a custom event."""

    number: int
    took: Duration = NO_TIME


@attrs.frozen
class ShardMoved(Event):
    """A custom event, with slots and every type that a field may have."""

    event_type: str = attrs.field(init=False, default="shard_moved")
    agent_id: str
    shard: Shard
    at: datetime
    others: tuple[Shard, ...] = ()
    until: datetime | None = None
    note: dict[str, object] = attrs.field(factory=dict)
    ratio: float = attrs.field(default=0.5, kw_only=True)


@attrs.frozen(slots=False)
class Ping(Event):
    """A custom event without fields."""

    event_type: str = attrs.field(init=False, default="ping")


def test_events_of_a_user_make_the_round_trip() -> None:
    """Nested classes, times, durations, optional and free-form fields come back as they were."""
    codec = EventCodec(EventTypes([ShardMoved, Ping]))
    events: list[Event] = [
        ShardMoved("a", Shard(1, Duration(2, 3)), NOW, (Shard(2),), NOW, {"k": [1]}, ratio=0.25),
        ShardMoved("a", Shard(1), NOW),
        Ping(),
    ]
    for event in events:
        written = codec.encode([record(event)])
        assert b'"event":{"event_type":' in written
        assert codec.decode(written).event == event
    short = b'{"event_type":"shard_moved","agent_id":"a","shard":{"number":1},"at":"2025-03-10T08:15:00.25Z"}'
    assert codec.decode(line(short.decode())).event == events[1]
    assert isinstance(CODEC.decode(codec.encode([record(Ping())])).event, UnknownEvent)


def test_an_event_type_that_is_not_registered_can_be_written() -> None:
    """Its values are checked all the same."""
    with pytest.raises(InvalidValue, match=r"event\.ratio"):
        CODEC.encode([record(ShardMoved("a", Shard(1), NOW, ratio=math.inf))])
    assert CODEC.decode(CODEC.encode([record(ShardMoved("a", Shard(1), NOW))])).agent_id == "a"


def test_two_types_with_one_tag_are_refused() -> None:
    """Also when it is the tag of a built-in event; the same class twice is no harm."""

    @attrs.frozen
    class Second(Event):
        event_type: str = attrs.field(init=False, default="ping")

    @attrs.frozen
    class Builtin(Event):
        event_type: str = attrs.field(init=False, default="dlq_item_added")

    EventTypes([Ping, Ping])
    for extra in ([Ping, Second], [Builtin]):
        with pytest.raises(InvalidValue, match="tag"):
            EventTypes(extra)


def test_a_type_without_a_tag_is_refused() -> None:
    """Every event type has the tag as the default of `event_type`."""

    @attrs.frozen
    class Nameless(Event):
        job_id: str

    for wrong in (Nameless, UnknownEvent, int):
        with pytest.raises(InvalidValue, match="event_type"):
            EventTypes([wrong])  # type: ignore[list-item]


def test_what_is_no_event_is_refused() -> None:
    """The encoder would take anything."""
    with pytest.raises(InvalidValue, match="only events"):
        CODEC.encode([record({"event_type": "x"})])  # type: ignore[arg-type]


def test_a_stream_reads_the_time_of_a_line() -> None:
    """From text or from microseconds; a line without it is corrupt."""
    assert EVENTS.at(line('{"event_type":"x"}')) == 1741594500250000
    assert stream("s", time="at").at(b'{"at":17}') == 17
    for wrong in (b"{}", b'{"timestamp":"soon"}', b"\x00"):
        with pytest.raises(Corrupt):
            EVENTS.at(wrong)
