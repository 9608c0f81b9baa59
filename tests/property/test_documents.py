"""Documents: nothing is lost by reading, changing and writing."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, REDRIVES, SESSIONS, Codec
from prodigy_storage.codecs.patches import patched, same
from prodigy_storage.codecs.trees import dump, parse, verify
from prodigy_storage.codecs.values import decode_value, encode_value, micros, moment, parse_time, time_text
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.dead_letters import Claim, DeadLetter, Failure, Owner, WorktreeArtifacts
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.model.redrives import Canary, Redrive, RedriveSettings, RedriveStatus
from prodigy_storage.model.sessions import (
    MapReduceData,
    Phase,
    Session,
    SessionCheckpoint,
    SessionStatus,
    SessionType,
    Timing,
    WorkflowData,
)
from prodigy_storage.ports.storage import Document, Version

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive by contract
COUNTS = st.integers(0, 2**64)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)


def tuples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=3).map(tuple)


ERRORS = st.builds(ErrorType, st.sampled_from(["Timeout", "Unknown", "ValidationFailed"])) | st.builds(
    ErrorType, st.just("CommandFailed"), st.integers(-(2**31), 2**31 - 1)
)
FAILURES = st.builds(
    Failure,
    attempt_number=COUNTS,
    timestamp=TIMES,
    error_type=ERRORS,
    error_message=TEXT,
    error_context=st.none() | tuples(TEXT),
    stack_trace=st.none() | TEXT,
    agent_id=TEXT,
    step_failed=TEXT,
    duration_ms=COUNTS,
    json_log_location=st.none() | TEXT,
    session_id=st.none() | TEXT,
)
ARTIFACTS = st.builds(
    WorktreeArtifacts,
    worktree_path=TEXT,
    branch_name=TEXT,
    uncommitted_changes=st.none() | TEXT,
    error_logs=st.none() | TEXT,
)
CLAIMS = st.builds(
    Claim,
    id=TEXT,
    epoch=COUNTS,
    redrive_id=TEXT,
    owner=st.builds(Owner, writer=TEXT, pid=COUNTS, host=TEXT, boot=TEXT, started=st.floats(0, 1e12, allow_nan=False)),
    expires_at=TIMES,
)
LETTERS = st.builds(
    DeadLetter,
    item_id=TEXT,
    item_data=JSON,
    first_attempt=TIMES,
    last_attempt=TIMES,
    failure_count=COUNTS,
    failure_history=tuples(FAILURES),
    error_signature=TEXT,
    worktree_artifacts=st.none() | ARTIFACTS,
    reprocess_eligible=st.booleans(),
    manual_review_required=st.booleans(),
    claim=st.none() | CLAIMS,
)
REDRIVE_VALUES = st.builds(
    Redrive,
    id=TEXT,
    job_id=TEXT,
    status=st.sampled_from(RedriveStatus),
    created_at=TIMES,
    updated_at=TIMES,
    items=tuples(TEXT),
    filter=st.none() | TEXT,
    reason=TEXT,
    settings=st.builds(
        RedriveSettings,
        max_retries=st.integers(1, 9),
        force=st.booleans(),
        backoff=st.builds(Backoff, initial=st.floats(0, 99)),
        rate=st.none() | st.floats(0.1, 99),
        canary=st.none() | st.builds(Canary, items=st.integers(1, 9), stop_above=st.floats(0, 1)),
    ),
    correlation_id=TEXT,
    note=TEXT,
)
SESSION_VALUES = st.builds(
    Session,
    id=TEXT,
    session_type=st.sampled_from(SessionType),
    status=st.sampled_from(SessionStatus),
    started_at=TIMES,
    updated_at=TIMES,
    completed_at=st.none() | TIMES,
    metadata=OBJECTS,
    checkpoints=tuples(st.builds(SessionCheckpoint, id=TEXT, created_at=TIMES, state=JSON, metadata=OBJECTS)),
    timings=st.dictionaries(TEXT, st.builds(Timing, secs=COUNTS, nanos=st.integers(0, 10**9 - 1)), max_size=3),
    error=st.none() | TEXT,
    workflow_data=st.none()
    | st.builds(
        WorkflowData,
        workflow_id=TEXT,
        workflow_name=TEXT,
        completed_steps=tuples(COUNTS),
        variables=st.dictionaries(TEXT, TEXT, max_size=2),
        worktree_name=st.none() | TEXT,
    ),
    mapreduce_data=st.none()
    | st.builds(MapReduceData, job_id=TEXT, total_items=COUNTS, phase=st.sampled_from(Phase), reduce_results=JSON),
    repo=st.none() | TEXT,
    epoch=COUNTS,
)
MAPPING_VALUES = st.builds(SessionJobMapping, session_id=TEXT, job_id=TEXT, workflow_name=TEXT, created_at=TIMES)
CODECS: list[tuple[Codec[Any], st.SearchStrategy[Any]]] = [
    (DEAD_LETTERS, LETTERS),
    (REDRIVES, REDRIVE_VALUES),
    (SESSIONS, SESSION_VALUES),
    (MAPPINGS, MAPPING_VALUES),
]


def document(body: bytes) -> Document:
    return Document((), "kind", "id", body, Version("v"), "place")


@pytest.mark.parametrize(("codec", "values"), CODECS)
@given(data=st.data())
def test_every_value_survives(codec: Codec[Any], values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Encoded, decoded and encoded again: the same value and the same bytes."""
    value = data.draw(values)
    body = codec.encode(value)
    assert codec.decode(document(body)) == value
    assert codec.encode(value, document(body)) == body


@pytest.mark.parametrize(("codec", "values"), CODECS)
@given(data=st.data(), extra=st.dictionaries(st.text("xyz_", min_size=3, max_size=6), JSON, max_size=3))
def test_unknown_members_survive_a_change(
    codec: Codec[Any], values: st.SearchStrategy[Any], data: st.DataObject, extra: dict[str, Any]
) -> None:
    """What this version does not know is still there, at every depth, after every known member was changed."""
    before, after = data.draw(values), data.draw(values)
    stored = document(dump(_planted(parse(codec.encode(before)), extra)))
    changed = codec.encode(after, stored)
    assert codec.decode(document(changed)) == after
    tree = parse(changed)
    assert {name: tree.get(name) for name in extra} == extra


def _planted(tree: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    return {**tree, **extra}


@given(JSON, JSON, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_a_patch_changes_what_differs_and_nothing_else(before: Any, after: Any, indent: Any, escaped: bool) -> None:
    """No change is no change, in any layout; a change of the whole stored value gives the wanted one."""
    text = f" {json.dumps(before, indent=indent, ensure_ascii=escaped)}\n"
    assert patched(text, before, before) == text
    assert same(json.loads(patched(text, before, after)), after)


def test_numbers_that_the_model_cannot_hold_survive_a_change_beside_them() -> None:
    """Nanoseconds of a time that is not changed stay."""
    value = SessionJobMapping(
        session_id="s", job_id="j", workflow_name="w", created_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    body = dump({**parse(MAPPINGS.encode(value)), "created_at": "2025-01-01T00:00:00.123456789Z"})
    known = MAPPINGS.decode(document(body))
    changed = MAPPINGS.encode(attrs.evolve(known, workflow_name="other"), document(body))
    assert parse(changed)["created_at"] == "2025-01-01T00:00:00.123456789Z"
    assert parse(changed)["workflow_name"] == "other"


@given(LETTERS, st.data())
def test_every_flipped_bit_is_detected_or_harmless(letter: DeadLetter, data: st.DataObject) -> None:
    """A single flipped bit raises Corrupt, or hits the name of the checksum and leaves the value as it was."""
    body = bytearray(DEAD_LETTERS.encode(letter))
    position = data.draw(st.integers(0, len(body) * 8 - 1))
    body[position // 8] ^= 1 << position % 8
    try:
        found = DEAD_LETTERS.decode(document(bytes(body)))
    except Corrupt:
        return
    assert found == letter


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_corrupt(body: bytes) -> None:
    """Whatever lies there is either a document or a typed error."""
    for codec, _ in CODECS:
        with pytest.raises(Corrupt):
            codec.decode(document(body))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":1,"a":2,"_crc":%d}' % zlib.crc32(b'{"a":1,"a":2'), "same key twice"),
        (b'{"a":1e400}', "beyond the numbers"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b'{"a":1', "byte 6"),
        (b'{"a":"\xff"}', "byte 6: it is no UTF-8"),
        (b"[1]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b"", "byte 0"),
        (b'{"a":1,"_crc":5}', "checksum"),
    ],
)
def test_a_bad_document_says_what_is_wrong_and_where(body: bytes, reason: str) -> None:
    """The error names the place, the byte where it is known, and the reason."""
    with pytest.raises(Corrupt, match=f"place: .*{reason}"):
        parse(body, "place")


@given(JSON)
def test_json_values_survive(value: Any) -> None:
    """What JSON can say comes back equal."""
    assert decode_value(encode_value(value, "it")) == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1, 2}, object(), b"x", "\ud800", datetime(2025, 1, 1, tzinfo=UTC)]
)
def test_what_is_no_json_is_refused_by_name(value: object) -> None:
    """The error says which value it was."""
    with pytest.raises(InvalidValue, match="the result of item_1 is no JSON"):
        encode_value(value, "the result of item_1")


@given(TIMES)
def test_times_survive_as_text_and_as_microseconds(when: datetime) -> None:
    """Six digits, always, so that text sorts like time."""
    assert parse_time(time_text(when)) == when
    assert moment(micros(when)) == when
    assert len(time_text(when)) == len("2025-01-01T00:00:00.000000Z")


@given(st.lists(TIMES, min_size=2, max_size=5))
def test_time_text_sorts_like_time(times: list[datetime]) -> None:
    """The order of the texts is the order of the times."""
    assert sorted(times, key=time_text) == sorted(times)


@pytest.mark.parametrize("text", ["2025-03-10", "2025-03-10T08:15:04", "now", "", "2025-13-01T00:00:00Z"])
def test_what_is_no_time_is_corrupt(text: str) -> None:
    """A date, a time without offset and nonsense are refused."""
    with pytest.raises(Corrupt):
        parse_time(text)


def test_a_checksum_guards_every_byte_before_it() -> None:
    """Each single byte of the content is covered."""
    body = dump({"a": 1, "b": "text"})
    assert verify(body) == body
    for position in range(body.index(b',\n  "_crc"')):
        damaged = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        with pytest.raises(Corrupt):
            verify(damaged)
