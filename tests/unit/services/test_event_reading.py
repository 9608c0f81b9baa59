"""Events: search, follow and export, over any backend."""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
from datetime import timedelta

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import InvalidValue, Rewound, Unsupported
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import AgentFailed, CheckpointCreated, JobFailed, QueueDepthChanged, UnknownEvent
from prodigy_storage.ports.storage import Append, Batch, Chunk, Cursor, Damage, Trim
from prodigy_storage.services.events import Events
from prodigy_storage.testing.fakes import START, FakeClock, fake_runtime


class Tired(FakeClock):
    """A clock that does something each time somebody waits, and has no patience for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.works = []

    def sleep(self, seconds):
        super().sleep(seconds)
        assert self.works, "it waits for what never comes"
        self.works.pop(0)()


@pytest.fixture
def clock():
    return Tired()


@pytest.fixture(params=["memory", "file"])
def storage(request, tmp_path):
    storage = MemoryStorage() if request.param == "memory" else FileStorage(tmp_path, max_file_size=2000)
    yield storage
    storage.close()


@pytest.fixture
def events(storage, clock):
    return Events(storage, fake_runtime(clock=clock))


def tick(number):
    return QueueDepthChanged("job", number, 0, 0)


def log(events, *numbers, repo="repo", job="job"):
    for number in numbers:
        events.log(repo, job, tick(number))
    events.flush()


def numbers(records):
    return [record.event.pending for record in records]


# --- search


@pytest.fixture
def filled(events, clock):
    failure = AgentFailed("job", "agent-1", 'no "quotes" at line 12', retry_eligible=True)
    for event in (failure, CheckpointCreated("job", 12, 3), UnknownEvent("odd", {"deep": {"er": [1, None]}, "x": "é"})):
        clock.advance(1)
        events.log("repo", "job", event, metadata={"item_id": "item-12"})
    events.log("repo", "other", JobFailed("other", "line 12 again", 0))
    events.flush()
    return events


@pytest.mark.parametrize(
    ("pattern", "fields", "types"),
    [
        ("line 12", (), ["agent_failed", "job_failed"]),
        ("LINE 12", (), []),
        ("(?i)LINE 12", (), ["agent_failed", "job_failed"]),
        (r"line \d+$", ["error"], ["agent_failed"]),
        (r"line \d+$", ["event.error"], ["agent_failed"]),
        ('"quotes"', ["error"], ["agent_failed"]),
        ("12", ["version"], ["checkpoint_created"]),
        ("^12$", ["version", "error"], ["checkpoint_created"]),
        ("true", ["retry_eligible"], ["agent_failed"]),
        ("item-12", ["metadata.item_id"], ["agent_failed", "checkpoint_created", "odd"]),
        (r"\[1,null\]", ["deep.er"], ["odd"]),
        ("^é$", ["x"], ["odd"]),
        ("er", ["deep.er.further", "none"], []),
        ("", ["x"], ["odd"]),
        ("failed", ["event_type"], ["agent_failed", "job_failed"]),
    ],
)
def test_search_finds_a_pattern_in_lines_or_fields(filled, pattern, fields, types):
    """Without fields the whole stored line counts; a field is a member of the record or of its event."""
    assert [record.event_type for record in filled.search(pattern, fields=fields)] == types


def test_search_goes_with_every_filter(filled):
    """The filter, and the newest so many of what is found."""
    assert [r.job_id for r in filled.search("12", EventFilter(job=["other", "none"]))] == ["other"]
    assert [r.event_type for r in filled.search("item-12", EventFilter(limit=1))] == ["odd"]


@pytest.mark.parametrize("pattern", ["(", "a{1001}{1001}", r"(?=x)", r"(a)\1", "[", "*", "\udc80"])
def test_a_pattern_that_is_none_is_refused(filled, pattern, capfd):
    """With a typed error that names it, and nothing on stderr."""
    with pytest.raises(InvalidValue, match="no regular expression"):
        filled.search(pattern)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fields", ["error", [""], ["a..b"], ["."]])
def test_fields_that_are_no_names_are_refused(filled, fields):
    """A text in the place of a list, and empty names."""
    with pytest.raises(InvalidValue, match="dotted names"):
        filled.search("x", fields=fields)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(a?){50}a{50}$"])
def test_catastrophic_patterns_end(events, pattern):
    """What takes a backtracking engine longer than the age of the universe is answered."""
    events.log("repo", "job", JobFailed("job", "a" * 100_000 + "!", 0))
    events.flush()
    assert list(events.search(pattern, fields=["error"])) == []


def test_search_without_its_extra_says_how_to_get_it(events, monkeypatch):
    """The engine is an extra."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(Unsupported) as raised:
        events.search("x")
    assert "pip install 'prodigy-storage[search]'" in raised.value.hint


def test_a_line_that_cannot_be_read_is_reported_by_a_search_in_fields(events, storage):
    """Damage that a search meets is damage that it tells."""
    storage.commit(Batch(("repo", "job"), [Append(EVENTS, b'{"a":{]}\n')]))
    found = events.search("x", fields=["a"])
    assert list(found) == []
    assert len(found.damage) == 1


# --- follow


def test_follow_gives_what_exists_and_then_what_comes(events, clock):
    """Existing records first, later ones as they are stored, in the order of their job."""
    log(events, 1, 2)
    follower = events.follow()
    clock.works = [lambda: log(events, 3), lambda: None, lambda: log(events, 4, 5), follower.stop]
    assert numbers(follower) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("limit", "expected"), [(0, [4]), (2, [2, 3, 4]), (9, [1, 2, 3, 4])])
def test_the_limit_of_follow_is_about_what_exists(events, clock, limit, expected):
    """The newest so many, then everything that comes."""
    for number in (1, 2, 3):
        clock.advance(1)
        log(events, number)
    follower = events.follow(EventFilter(limit=limit))
    clock.works = [lambda: log(events, 4), follower.stop]
    assert numbers(follower) == expected


def test_follow_filters_and_sees_jobs_that_begin_later(events, clock):
    """A new job is followed from its first event; what does not match is not given."""
    follower = events.follow(EventFilter(repo="repo", types={"queue_depth_changed"}))
    clock.works = [
        lambda: log(events, 1, job="new"),
        lambda: log(events, 2, repo="other"),
        lambda: events.log("repo", "new", JobFailed("new", "x", 0)),
        lambda: log(events, 3, job="newer"),
        follower.stop,
    ]
    assert numbers(follower) == [1, 3]


def test_follow_waits_between_two_looks(events, clock):
    """It polls as often as it was told, and not while there is something to give."""
    log(events, *range(50))
    follower = events.follow(poll=1.5)
    clock.works = [lambda: None, follower.stop]
    assert len(list(follower)) == 50
    assert clock.sleeps == [1.5, 1.5]
    with pytest.raises(InvalidValue):
        events.follow(poll=0)


def test_a_follower_that_was_stopped_gives_nothing_more(events):
    """Also when it had read further already."""
    log(events, 1, 2, 3)
    follower = events.follow()
    assert next(follower).event == tick(1)
    follower.stop()
    assert list(follower) == []


def test_follow_can_be_stopped_from_another_thread(storage):
    """The thread that follows ends after its wait."""
    events = Events(storage, fake_runtime())
    follower = events.follow()
    thread = threading.Thread(target=list, args=(follower,))
    thread.start()
    follower.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_record_that_was_stored_twice_is_followed_once(events, clock, storage):
    """Its id tells."""
    log(events, 1)
    again = storage.records(("repo", "job"), EVENTS).data
    follower = events.follow()
    clock.works = [lambda: storage.commit(Batch(("repo", "job"), [Append(EVENTS, again)])), follower.stop]
    assert numbers(follower) == [1]


def test_follow_goes_on_behind_a_trim(events, clock, storage):
    """Removing what was seen is nothing that a follower notices."""
    log(events, *range(40))
    follower = events.follow()
    cursor = storage.records(("repo", "job"), EVENTS).cursor
    clock.works = [
        lambda: storage.commit(Batch(("repo", "job"), [Trim(EVENTS, cursor)])),
        lambda: log(events, 40),
        follower.stop,
    ]
    assert numbers(follower) == list(range(41))


def test_follow_reports_damage_once(events, clock, storage):
    """A line that is no record is told when it is met, and what is behind it is given."""
    damage = []
    follower = events.follow(on_damage=damage.append)
    bad = Batch(("repo", "job"), [Append(EVENTS, b'{"no":"record"}\n')])
    clock.works = [lambda: storage.commit(bad), lambda: log(events, 2), follower.stop]
    assert numbers(follower) == [2]
    assert [(one.place, one.offset) for one in damage] == [("events/repo/job", 0)]


class Restored(MemoryStorage):
    """Says once that the cursor is from before a backup was restored."""

    rewound = False

    def records(self, scope, stream, after=None, *, verify=True):
        if self.rewound and after is not None:
            self.rewound = False
            raise Rewound("the stream ends before the cursor")
        return super().records(scope, stream, after, verify=verify)


def test_a_rewound_stream_is_reported_and_read_anew(clock):
    """Nothing that it holds now is missed, and what was given lately is not given again."""
    storage, damage = Restored(), []
    events = Events(storage, fake_runtime(clock=clock))
    log(events, 1, 2)
    follower = events.follow(on_damage=damage.append)

    def restore():
        log(events, 3)
        storage.rewound = True

    clock.works = [restore, lambda: log(events, 4), follower.stop]
    assert numbers(follower) == [1, 2, 3, 4]
    assert [(one.place, "ends before the cursor" in one.reason) for one in damage] == [("events/repo/job", True)]


def test_damage_that_the_backend_reports_is_told(clock):
    """What a chunk says of damage reaches whoever follows."""

    class Damaged(MemoryStorage):
        def records(self, scope, stream, after=None, *, verify=True):
            return Chunk(b"", Cursor("c"), [] if after else [Damage("file", 7, "flipped")])

        def scopes(self, of):
            return [("repo", "job")]

    told = []
    follower = Events(Damaged(), fake_runtime(clock=clock)).follow(on_damage=told.append)
    clock.works = [follower.stop]
    assert list(follower) == []
    assert told == [Damage("file", 7, "flipped")]


# --- export


def test_json_and_jsonl_have_the_records_as_they_are_stored(filled):
    """Every member, also of types that nobody knows; both end in a newline."""
    stored = [json.loads(record.raw) for record in filled.query()]
    jsonl, whole = "".join(filled.export("jsonl")), "".join(filled.export("json"))
    assert [json.loads(line) for line in jsonl.splitlines()] == stored == json.loads(whole)
    assert jsonl.endswith("}\n")
    assert whole.endswith("\n]\n")
    assert json.loads("".join(filled.export("json", EventFilter(job="none")))) == []


def test_csv_has_the_promised_columns(filled):
    """timestamp, event_type, job_id, agent_id and the rest of the event as JSON."""
    header, *rows = csv.reader(io.StringIO("".join(filled.export("csv"))))
    assert header == ["timestamp", "event_type", "job_id", "agent_id", "details"]
    assert rows[0][:4] == ["2025-01-01T00:00:01.000000Z", "agent_failed", "job", "agent-1"]
    assert [json.loads(row[4]) for row in rows] == [
        {"error": 'no "quotes" at line 12', "retry_eligible": True},
        {"version": 12, "agents_completed": 3},
        {"deep": {"er": [1, None]}, "x": "é"},
        {"error": "line 12 again", "partial_results": 0},
    ]


def test_markdown_is_one_table(filled):
    """A header, a rule, and one line for each record."""
    lines = "".join(filled.export("markdown", EventFilter(types={"job_failed"}))).splitlines()
    assert lines[0] == "| timestamp | event_type | job_id | agent_id | details |"
    assert lines[2] == (
        '| 2025-01-01T00:00:03.000000Z | job_failed | other |  | {"error":"line 12 again","partial_results":0} |'
    )
    assert len(lines) == 3


def test_an_unknown_format_is_refused(filled):
    """Before anything is read."""
    with pytest.raises(InvalidValue, match="json, jsonl, csv, markdown"):
        filled.export("xml")


def test_a_filter_takes_one_job_or_several(filled):
    """By name or in a list; none of them in an empty one."""
    found = {name: len(list(filled.query(EventFilter(job=name)))) for name in ("job", "other")}
    assert found == {"job": 3, "other": 1}
    assert len(list(filled.query(EventFilter(job=["job", "other"], repo="repo")))) == 4
    assert list(filled.query(EventFilter(job=[]))) == []
    assert list(filled.query(EventFilter(since=START + timedelta(hours=1)))) == []
