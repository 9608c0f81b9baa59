from __future__ import annotations

import pytest

from prodigy_storage.errors import InvalidName, InvalidValue
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Check,
    Delete,
    Durability,
    Expect,
    Index,
    Kind,
    Position,
    Put,
    Query,
    Stream,
    Trim,
)

KIND = Kind("things", index=lambda _body: Index(at=0))
OTHER = Kind("others", index=lambda _body: Index(at=0))
STREAM = Stream("facts", at=lambda _record: 0)


def test_a_batch_may_mix_everything_once():
    """One operation for each document and each stream makes a batch, durable by default."""
    batch = Batch(
        ("repo",),
        [
            Put(KIND, "a", b"1"),
            Put(OTHER, "a", b"1"),
            Delete(KIND, "b"),
            Check(KIND, "c", Expect.ABSENT),
            Append(STREAM, b'{"n":1}\n{"n":2}\n'),
        ],
    )

    assert len(batch.operations) == 5
    assert batch.durability is Durability.FULL


@pytest.mark.parametrize(
    ("operations", "name"),
    [
        ([Put(KIND, "a", b"1"), Put(KIND, "a", b"2")], "things/a"),
        ([Put(KIND, "a", b"1"), Delete(KIND, "a")], "things/a"),
        ([Check(KIND, "a", Expect.ANY), Put(KIND, "a", b"1")], "things/a"),
        ([Append(STREAM, b"{}\n"), Append(STREAM, b"{}\n")], "facts"),
        ([Append(STREAM, b"{}\n"), Trim(STREAM, 0)], "facts"),
        ([Put(KIND, "a", b"1"), Put(Kind("things", index=lambda _body: Index(at=1)), "a", b"2")], "things/a"),
    ],
)
def test_two_operations_for_one_thing_are_refused(operations, name):
    """A document and a stream occur at most once in a batch, whatever is done to them."""
    with pytest.raises(InvalidValue, match=name):
        Batch((), operations)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", b"[]\n", b'{"a":1}\n{"b"', b'{"a":1}\n\n', b'{"a":1} \n'])
def test_records_that_are_no_whole_lines_are_refused(data):
    """An append ends with a JSON object and a newline."""
    with pytest.raises(InvalidValue, match="newline"):
        Batch((), [Append(STREAM, data)])


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,\t"_seq":1,"_crc":5}\n', b'{"a":1,\t"_seq":1,"_crc":5}\n{"b":1}\n', b'{"b":1}\n{\t"_seq":1,"_crc":5}\n'],
)
def test_reserved_members_at_the_end_of_any_record_are_refused(data):
    """The members by which the store tells damage cannot be forged by a caller."""
    with pytest.raises(InvalidValue, match="reserved"):
        Batch((), [Append(STREAM, data)])


@pytest.mark.parametrize(
    "data", [b'{"a":1,"_seq":1,"_crc":5}\n', b'{"_crc":"x"}\n', b'{"text":"\\"_crc\\":5}"}\n', b'{"a":{"_crc":5}}\n']
)
def test_the_same_names_elsewhere_are_allowed(data):
    """What only looks like a reserved member is somebody's data."""
    assert Batch((), [Append(STREAM, data)]).operations


@pytest.mark.parametrize("operation", [Put(KIND, "", b""), Delete(KIND, "a\0"), Check(KIND, "x" * 251, Expect.ANY)])
def test_ids_are_names(operation):
    """An id that is no name never reaches a backend."""
    with pytest.raises(InvalidName):
        Batch((), [operation])


@pytest.mark.parametrize("scope", [("a", "b", "c"), ("",), "repo"], ids=repr)
def test_scopes_are_checked(scope):
    """Neither a batch nor a query has a scope that is none."""
    with pytest.raises(InvalidName):
        Batch(scope, [])
    with pytest.raises(InvalidName):
        Query(KIND, scope=scope)


def test_kinds_and_streams_are_equal_by_name():
    """Two declarations of one kind are one kind, whatever functions they carry."""
    assert Kind("things", index=lambda _body: Index(at=1), tags=("state",)) == KIND
    assert OTHER != KIND
    assert len({STREAM, Stream("facts", at=lambda _record: 1)}) == 1


def test_positions_are_ordered_by_time_scope_and_id():
    """A walk goes by time first, then by scope, then by id."""
    ordered = [
        Position(1, ("b",), "z"),
        Position(2, (), "z"),
        Position(2, ("a",), "y"),
        Position(2, ("a",), "z"),
        Position(2, ("a", "a"), "a"),
    ]

    assert sorted({*ordered}) == ordered


def test_durability_levels_are_ordered():
    """A backend that does more than it was asked for can be compared with the wish."""
    assert Durability.OS < Durability.GROUP < Durability.FULL
