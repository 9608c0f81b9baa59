"""The dead letter queue as a whole: limits, removal, analysis, export, events."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import InvalidTransition, InvalidValue, NotFound, QueueFull
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_analysis import Verdict
from prodigy_storage.model.dead_letters_limits import DeadLetterLimits, WhenFull
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.redrives import RedriveSettings
from prodigy_storage.services.dead_letters import analysis_tree
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import START, FakeClock, fake_runtime

ONCE = RedriveSettings(max_retries=1)


def letter(item="item_1", *, message="ValueError: no", at=0, failures=1, session="s1", data=None, code=None):
    history = [
        Failure(
            attempt_number=number,
            timestamp=START + timedelta(seconds=at + number),
            error_type=ErrorType("CommandFailed", code) if code is not None else ErrorType("Unknown"),
            error_message=message,
            session_id=session,
        )
        for number in range(1, failures + 1)
    ]
    return DeadLetter.of(item, data, history)


@pytest.fixture
def clock():
    return FakeClock()


def opened(clock, storage=None, **limits):
    runtime = fake_runtime(clock=clock)
    return Store(storage or MemoryStorage(), runtime=runtime, dlq_limits=DeadLetterLimits(**limits))


@pytest.fixture
def store(clock):
    return opened(clock)


def events(store):
    return [attrs.astuple(record.event) for record in store.events.query()]


def ids(store):
    return [one.item_id for one in store.dlq.list().values]


def test_additions_and_removals_are_told(store):
    """Each change of the queue comes with its event; a repeat changes nothing and tells nothing."""
    store.dlq.add("x", "job", letter(failures=2))
    store.dlq.add("x", "job", letter(failures=2))
    store.dlq.remove("x", "job", "item_1")
    assert events(store) == [
        ("d_l_q_item_added", "job", "item_1", "ValueError: no", 2),
        ("d_l_q_item_removed", "job", "item_1"),
    ]


def test_a_run_tells_of_its_own_failures_once(store):
    """What a run buries has one event."""
    with store.runs.start("x", items=[1]) as run:
        for attempt in run.attempts():
            with attempt:
                raise ValueError("no")
    assert [event[0] for event in events(store)].count("d_l_q_item_added") == 1


def test_a_full_queue_refuses(clock):
    """The error says what to do, nothing is added; one that is there already still accumulates."""
    store = opened(clock, max_items=2)
    store.dlq.add("x", "job", letter("a"))
    store.dlq.add("x", "job", letter("b"))
    with pytest.raises(QueueFull, match="c was not added") as caught:
        store.dlq.add("x", "job", letter("c"))
    assert caught.value.limit == 2
    assert "purge" in caught.value.hint
    assert store.dlq.add("x", "job", letter("a", session="s2")).failure_count == 2
    store.dlq.add("x", "other", letter("c"))
    store.dlq.remove("x", "job", "a")
    store.dlq.add("x", "job", letter("c"))
    assert sorted(ids(store)) == ["b", "c", "c"]


def test_a_full_queue_archives_the_oldest(clock):
    """Nothing is lost: what makes room is in the archive with its whole history, and an event tells of it."""
    store = opened(clock, max_items=2, when_full=WhenFull.ARCHIVE)
    for number, name in enumerate("abcd"):
        store.dlq.add("x", "job", letter(name, at=number * 10, failures=2))
    assert ids(store) == ["c", "d"]
    assert [one.item_id for one in store.dlq.archived("x", "job").values] == ["a", "b"]
    assert events(store).count(("d_l_q_items_evicted", "job", 1)) == 2
    store.dlq.add("x", "job", letter("a", at=100, session="s2"))
    store.dlq.add("x", "job", letter("e", at=200))
    store.dlq.add("x", "job", letter("f", at=300))
    assert [(one.item_id, one.failure_count) for one in store.dlq.archived().values if one.item_id == "a"] == [("a", 3)]


def test_what_is_being_retried_is_never_archived(clock):
    """A claimed letter stays; when all of them are claimed, the queue refuses."""
    store = opened(clock, max_items=1, when_full=WhenFull.ARCHIVE)
    store.dlq.add("x", "job", letter("a"))
    with store.redrives.start("x", "job") as running:
        trial = running.claim()
        with pytest.raises(QueueFull, match="none could be archived"):
            store.dlq.add("x", "job", letter("b"))
        running.give_back(trial)
    store.dlq.add("x", "job", letter("b"))
    assert ids(store) == ["b"]


def test_a_run_stops_where_the_queue_is_full(clock):
    """Its item is given back and not lost: with room the resumed run buries it."""
    storage = MemoryStorage()
    store = opened(clock, storage, max_items=1)
    with pytest.raises(QueueFull), store.runs.start("x", items=[1, 2]) as run:
        for attempt in run.attempts():
            with attempt:
                raise ValueError("no")
    wider = opened(clock, storage, max_items=2)
    with wider.runs.resume(run.job_id) as again:
        for attempt in again.attempts():
            with attempt:
                raise ValueError("no")
    assert again.dead_letters == ["item_0", "item_1"]


@pytest.mark.parametrize("wrong", [{"max_items": 0}, {"retention": timedelta(days=-1)}])
def test_limits_out_of_range_are_refused(wrong):
    """A limit that makes no sense is an error at once."""
    with pytest.raises(InvalidValue):
        DeadLetterLimits(**wrong)


def test_purging_counts_from_the_last_failure(store, clock):
    """Only what failed longer ago goes, each with its event."""
    store.dlq.add("x", "job", letter("old"))
    store.dlq.add("x", "job", letter("new", at=86400))
    clock.advance(2 * 86400)
    assert [one.value.item_id for one in store.dlq.aged(older_than=timedelta(days=1.5))] == ["old"]
    done = store.dlq.purge(older_than=timedelta(days=1.5))
    assert [one.value.item_id for one in done.removed] == ["old"]
    assert ids(store) == ["new"]
    assert ("d_l_q_item_removed", "job", "old") in events(store)


def test_purging_needs_an_age(clock):
    """Without an age and a retention nothing is removed; a retention is the age."""
    store = opened(clock)
    for wrong in (None, timedelta(days=-1)):
        with pytest.raises(InvalidValue):
            store.dlq.purge(older_than=wrong)
    kept = opened(clock, retention=timedelta(days=1))
    kept.dlq.add("x", "job", letter())
    clock.advance(90000)
    assert len(kept.dlq.purge().removed) == 1


def test_a_letter_that_is_being_retried_is_not_removed(store):
    """Clearing leaves it and says so; removing it by name is an error."""
    for name in "ab":
        store.dlq.add("x", "job", letter(name))
    with store.redrives.start("x", "job") as running:
        trial = running.claim()
        done = store.dlq.clear("x", "job")
        assert [one.value.item_id for one in done.kept] == [trial.item_id]
        with pytest.raises(InvalidTransition, match=running.id):
            store.dlq.remove("x", "job", trial.item_id)
    assert ids(store) == ["a"]
    with pytest.raises(NotFound):
        store.dlq.remove("x", "job", "b")


def test_lists_are_filtered_and_limited(store):
    """A limit takes the newest of what matches."""
    for number in range(6):
        store.dlq.add("x", "job", letter(f"i{number}", at=number, data={"n": number}))
    assert [one.item_id for one in store.dlq.list(filter="item.n % 2 == 0", limit=2).values] == ["i2", "i4"]
    assert store.dlq.list(limit=0).values == []
    with pytest.raises(InvalidValue):
        store.dlq.list(limit=-1)


def test_an_analysis_groups_counts_and_samples(store):
    """Patterns come with up to three samples, kinds as text, failures by the hour, and what is new."""
    for number in range(4):
        store.dlq.add("x", "job", letter(f"a{number}", message=f"exit code 1 in /tmp/{number}", code=1, failures=2))
    store.dlq.add("y", "job", letter("b", message="other", at=7200))
    found = store.dlq.analyze(since=START + timedelta(hours=1))
    first, second = found.patterns
    assert (first.signature, first.count, len(first.samples), first.new) == ("exit code <n> in <path>", 4, 3, False)
    assert (second.count, second.new) == (1, True)
    assert found.error_distribution == {"CommandFailed(1)": 8, "Unknown": 1}
    assert found.temporal_distribution == [(START, 8), (START + timedelta(hours=2), 1)]
    assert (first.verdict, second.verdict) == (Verdict.PERMANENT, Verdict.UNTRIED)
    assert store.dlq.analyze("y").total == 1


def test_a_pattern_is_flaky_once_a_retry_succeeded(store):
    """Redrives that succeeded count, also for letters that are gone."""
    for name in "ab":
        store.dlq.add("x", "job", letter(name, message=f"lost {name} at 0x1f", failures=2))
    settings = RedriveSettings(max_retries=2, backoff=Backoff(initial=0.0))

    def work(one):
        if one.item_id == "b":
            raise RuntimeError("lost b at 0x2f")

    store.dlq.add("x", "job", letter("c", message="RuntimeError: lost b at 0x3f"))
    store.redrives.retry("x", "job", work, settings=settings, ids=["a", "b"])
    store.redrives.retry("x", "job", lambda _: None, settings=settings, ids=["b"])
    found = store.dlq.analyze().patterns[0]
    assert (found.signature, found.verdict, found.succeeded) == ("RuntimeError: lost b at <address>", Verdict.FLAKY, 1)


def test_an_analysis_that_is_kept_is_told(store):
    """Looking writes nothing; saying that it is kept writes one event for each job."""
    store.dlq.add("x", "job", letter())
    analysis = store.dlq.analyze()
    before = len(events(store))
    store.dlq.tell_of(analysis)
    assert events(store)[before:] == [("d_l_q_analysis_generated", "job", 1)]


def test_an_analysis_is_json(store):
    """Its documented form has textual keys, so that failed commands can be exported."""
    store.dlq.add("x", "job", letter(code=1, data={"a": 1}))
    tree = json.loads(json.dumps(analysis_tree(store.dlq.analyze(since=START))))
    assert (tree["total_items"], tree["error_distribution"]) == (1, {"CommandFailed(1)": 1})
    assert tree["temporal_distribution"] == [["2025-01-01T00:00:00.000000Z", 1]]
    assert tree["pattern_groups"][0]["sample_items"][0]["item_data"] == {"a": 1}


def test_letters_are_exported_as_json_and_csv(store):
    """JSON is an array of the items as they are on disk, CSV has a row for each."""
    assert json.loads("".join(store.dlq.export(store.dlq.list()))) == []
    for at, name in enumerate(("a", "=b")):
        store.dlq.add("x", "job", letter(name, at=at, data={"text": 'quoted "ü", and more'}))
    listed = store.dlq.list()
    items = json.loads("".join(store.dlq.export(listed)))
    assert [item["item_id"] for item in items] == ["a", "=b"]
    assert "_crc" not in items[0]
    header, *rows = csv.reader("".join(store.dlq.export(listed, "csv")).splitlines())
    assert dict(zip(header, rows[0], strict=True))["item_data"] == '{"text":"quoted \\"ü\\", and more"}'
    assert rows[1][2] == "'=b"
    with pytest.raises(InvalidValue, match="there are: json, csv"):
        store.dlq.export(listed, "xml")


def test_claims_survive_a_merge(store):
    """A failure that is added while an item is claimed leaves the claim alone."""
    store.dlq.add("x", "job", letter())
    with store.redrives.start("x", "job") as running:
        trial = running.claim()
        store.dlq.add("x", "job", letter(session="s2", at=50))
        assert store.dlq.get("x", "job", "item_1").claim == trial.letter.claim
        running.give_back(trial)


def test_a_letter_without_a_claim_has_no_such_member(store):
    """The document is Prodigy's own, with nothing of ours in it."""
    store.dlq.add("x", "job", letter())
    assert "claim" not in json.loads(store.dlq.find("item_1").document.body)
