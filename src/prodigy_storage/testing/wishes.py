"""What the state machine may wish for, as Hypothesis strategies."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import strategies as st

from prodigy_storage.ports.storage import Kind, Query, Stream
from prodigy_storage.testing.samples import BLOB, LOG, NOTE, SCOPES, TRAIL, note

IDS = ("a", "A", "a/b", "é", "z" * 60)
TIMES = st.integers(min_value=-1, max_value=6)

scopes = st.sampled_from([("shop", "job"), ("shop",), (), *SCOPES])
tags = st.fixed_dictionaries({}, optional={"colour": st.sampled_from(["red", "blue"]), "shape": st.just("round")})
bodies = st.builds(lambda at, tags, text: note(text, at=at, tags=tags), TIMES, tags, st.sampled_from("xyz"))
documents = st.one_of(
    st.tuples(st.just(NOTE), st.sampled_from(IDS), bodies),
    st.tuples(st.just(BLOB), st.sampled_from(IDS), st.binary(max_size=4)),
)
expectations = st.sampled_from(["right"] * 12 + ["any"] * 6 + ["absent", "stale", "alien"])
queries = st.builds(
    Query,
    kind=st.sampled_from([NOTE, NOTE, BLOB]),
    scope=st.sampled_from([(), (), ("shop",), ("shop",), *SCOPES]),
    tags=st.one_of(st.just({}), tags),
    since=st.none() | st.none() | TIMES,
    until=st.none() | st.none() | TIMES,
    limit=st.integers(min_value=1, max_value=4),
)


@attrs.frozen
class Change:
    """A wish for a put, a delete or a check; what it expects is said by a word and found in the model."""

    verb: str
    kind: Kind
    id: str
    body: bytes
    expect: str


@attrs.frozen
class Growth:
    """A wish for an append of records with these times."""

    stream: Stream
    ats: Sequence[int]
    text: str


@attrs.frozen
class Cut:
    """A wish for a trim: by time, or by one of the cursors that are known."""

    stream: Stream
    before: int
    cursor: int | None


Wish = Change | Growth | Cut
streams = st.sampled_from([LOG, LOG, TRAIL])
changes = st.builds(
    lambda verb, document, expect: Change(verb, document[0], document[1], document[2], expect),
    st.sampled_from(["put"] * 5 + ["delete", "check"]),
    documents,
    expectations,
)
growths = st.builds(Growth, streams, st.lists(TIMES, min_size=1, max_size=4), st.sampled_from(["", "text"]))
cuts = st.builds(Cut, streams, TIMES, st.none() | st.integers(min_value=0, max_value=30))
wishes = st.lists(st.one_of(changes, changes, changes, growths, cuts), min_size=1, max_size=8)
