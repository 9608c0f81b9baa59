"""Counting by position: it gives what decoding gives, or leaves a chunk to the decoder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.canonical import count_types
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.model.events import EVENT_TYPES, Event, EventRecord, JobFailed, QueueDepthChanged, UnknownEvent
from prodigy_storage.model.values import Json
from prodigy_storage.ports.storage import Append, Batch, Durability
from prodigy_storage.services.events import Events
from prodigy_storage.testing.fakes import fake_runtime

START = datetime(2025, 3, 11, tzinfo=UTC)
UUID = "0195f3a0-0000-7000-8000-000000000000"
METADATA: dict[str, Json] = {"host": "h", "pid": 1, "thread": "MainThread"}


def line(number: int = 0, event: Event | None = None, *, id: str = UUID, correlation_id: str = UUID) -> bytes:
    """A line as the library writes it."""
    what = event or (JobFailed("a-job", "e", 1), QueueDepthChanged("a-job", 1, 2, 3))[number % 2]
    record = EventRecord(id, START + timedelta(seconds=number), correlation_id, what, METADATA)
    return EventCodec().encode([record])


def lookalike(number: int) -> bytes:
    """A record whose member `x` holds, in the very columns, what belongs to the record in other lines."""
    inner, outer = line(number, JobFailed("inner", "e", 1)), line(number, JobFailed("outer", "e", 1))
    pad = b'","x":{"id":"'.ljust(36, b"-")
    return inner[:7] + pad + inner[43:-2] + b"}," + outer.replace(b"job_failed", b"job_paused")[1:]


def reordered(number: int) -> bytes:
    """The same members the other way round."""
    return json.dumps(dict(reversed(json.loads(line(number)).items()))).encode() + b"\n"


FORMS: dict[str, Callable[[int], bytes]] = {
    "canonical": line,
    "another correlation id": lambda number: line(number, correlation_id='é \\ " {' if number % 2 else "run-1"),
    "another id": lambda number: line(number, id='{"'),
    "user's type": lambda number: line(number, UnknownEvent("tick" if number % 2 else "tock" * 20, {"n": number})),
    "a type with escapes": lambda number: line(number, UnknownEvent('a"b\\é', {})),
    "blanks": lambda number: json.dumps(json.loads(line(number))).encode() + b"\n",
    "reordered": reordered,
    "nested": lookalike,
    "shifted": lambda number: b" " + line(number)[:-1] + b"\r\n",
    "other digits": lambda number: line(number).replace(b".000000Z", b".000000000Z"),
    "no beginning": lambda number: b"[" + line(number)[1:],
    "short": lambda number: b"{}\n" if number % 2 else b'{"id":"\n',
    "blank": lambda number: b" \n" if number % 2 else b"\n",
}

ENOUGH = list(map(line, range(1200)))
"""More lines than are looked at together."""


def naive(data: bytes) -> tuple[Counter[str], int, list[datetime]]:
    """Counts, damaged lines and times, by the standard library."""
    counts: Counter[str] = Counter()
    damage, moments = 0, []
    for one in data.split(b"\n"):
        if not one.strip():
            continue
        try:
            found = json.loads(one)
            counts[found["event"]["event_type"]] += 1
            moments.append(datetime.fromisoformat(found["timestamp"]))
        except (ValueError, KeyError):
            damage += 1
    return counts, damage, moments


def stored(data: bytes) -> Events:
    storage = MemoryStorage()
    storage.commit(Batch(("r", "j"), (Append(EVENTS, data),), Durability.OS))
    return Events(storage, fake_runtime())


@given(
    st.lists(st.tuples(st.sampled_from(sorted(FORMS)), st.integers(1, 3)), max_size=8),
    st.sampled_from([0, 509, 511]),
)
def test_statistics_equal_naive_ones(parts: list[tuple[str, int]], before: int) -> None:
    """Whatever the forms of the lines are, counts, damage and times are those of a naive reader."""
    forms = [form for form, count in parts for _ in range(count)] + ["canonical"]
    data = b"".join(ENOUGH[:before] + [FORMS[form](number) for number, form in enumerate(forms)])
    counts, damage, moments = naive(data)
    events = stored(data)
    stats = events.stats()
    assert (stats.counts, stats.damage) == (counts, damage)
    assert (stats.first, stats.last) == (min(moments), max(moments))
    plain = events.stats(times=False)
    assert (plain.counts, plain.damage) == (counts, damage)


@pytest.mark.parametrize("tag", sorted(EVENT_TYPES))
def test_every_built_in_type_is_counted_by_position(tag: str) -> None:
    """The columns that are looked at reach to the end of the longest type; the size is that of the lines."""
    found = count_types(line(0, UnknownEvent(tag, {"job_id": "a-job"})) * 600, times=True)
    assert found == ({tag: 600}, ["2025-03-11T00:00:00.000000Z"] * 4)
    data = b"".join(ENOUGH)
    assert stored(data).stats().size == len(data)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"canonical", "another correlation id", "user's type"}))
def test_another_form_is_left_to_the_decoder(form: str) -> None:
    """One line that only decoding understands, anywhere in a chunk, and nothing of the chunk is counted."""
    assert count_types(b"".join(ENOUGH[:600]) + FORMS[form](0) + line()) is None


def test_a_time_that_is_none_is_damage() -> None:
    """A text in the form of a time that is no time is found when times are asked for."""
    events = stored(line(0) + line(1).replace(b"2025-03-11", b"2025-13-11"))
    assert (events.stats().total, events.stats().damage) == (1, 1)
    assert events.stats(times=False).total == 2


def test_counting_looks_at_the_beginning_of_a_line_alone():
    """What is damaged behind it is counted by its type here, and reported where it is read."""
    events = stored(line(1)[:-4] + b"\n" + line(2))
    assert (events.stats().total, events.stats().damage) == (2, 0)
    damage = []
    assert len(list(events.query(on_damage=damage.append))) == 1
    assert len(damage) == 1
