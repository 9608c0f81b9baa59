import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.adapters.files.frames import SLACK, find_frame, frame, last_frame, shorten, unframe

RECORD = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=9), st.just({})), max_size=3)
GROUPS = st.lists(st.lists(RECORD, min_size=1, max_size=4), min_size=1, max_size=6)


def lines(records) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def framed(groups, offset=0) -> bytes:
    out = b""
    for group in groups:
        out += frame(lines(group), offset + len(out))
    return out


@given(GROUPS, st.integers(0, 10**9))
def test_frames_come_off_again(groups, offset):
    """Unframing gives back the bytes that were appended, and every framed line is still one JSON object."""
    buffer = framed(groups, offset)
    assert unframe(buffer, "f", offset) == (b"".join(lines(group) for group in groups), [])
    assert all(isinstance(json.loads(line), dict) for line in buffer.split(b"\n")[:-1])
    assert last_frame(buffer + b'{"half":') == len(buffer)


def test_an_object_without_members_is_framed_without_a_comma():
    """`{}` stays an object when it is framed."""
    assert frame(b"{}\n", 0).startswith(b'{\t"_seq":0,"_crc":')


GROUPED = [[{"a": 1}], [{"b": 2}, {"c": {"d": "_crc"}}, {"e": 3}], [{"f": 4}]]


@pytest.mark.parametrize("offset", [0, 1000])
def test_every_single_bit_flip_is_reported_and_costs_no_other_group(offset):
    """Whatever bit flips: there is a report, and the groups that were not hit are delivered."""
    buffer = framed(GROUPED, offset)
    starts = [0, len(framed(GROUPED[:1], offset)), len(framed(GROUPED[:2], offset)), len(buffer)]
    for at in range(len(buffer) - 1):  # without its last newline the buffer has a torn tail, which is cut off before
        hit = next(index for index in range(3) if starts[index] <= at < starts[index + 1])
        for bit in range(8):
            broken = bytearray(buffer)
            broken[at] ^= 1 << bit
            data, damage = unframe(bytes(broken), "f", offset)
            assert damage, (at, bit)
            others = [line for index, group in enumerate(GROUPED) if index != hit for line in group]
            assert all(lines([record]) in data for record in others), (at, bit, data)


def test_a_single_damaged_record_is_dropped():
    """A framed record with a wrong checksum is not delivered, its neighbours are."""
    buffer = framed([[{"a": 1}], [{"b": 2}], [{"c": 3}]]).replace(b'"b":2', b'"b":7')
    data, damage = unframe(buffer, "file", 0)
    assert data == b'{"a":1}\n{"c":3}\n'
    assert [(one.place, one.offset) for one in damage] == [("file", len(framed([[{"a": 1}]])))]


def test_zeroed_bytes_before_a_record_do_not_take_it_along():
    """A record behind a zeroed page is found again by the place that its frame names."""
    first, both = len(framed([[{"a": 1}]])), framed([[{"a": 1}], [{"b": 2}]])
    data, damage = unframe(bytes(first) + both[first:], "f", 0)
    assert data == b'{"b":2}\n'
    assert len(damage) == 1


def test_bytes_that_are_missing_are_reported():
    """A whole record at a wrong place is delivered, and the gap before it reported."""
    first, both = len(framed([[{"a": 1}]])), framed([[{"a": 1}], [{"b": 2}]])
    data, damage = unframe(both[first:], "f", 0)
    assert data == b'{"b":2}\n'
    assert "missing" in damage[0].reason


def test_lines_without_a_frame_are_delivered_when_they_are_objects():
    """Behind the last group, whole objects are records, and other lines are reported."""
    data, damage = unframe(framed([[{"a": 1}]]) + b'{"b":2}\nnonsense\n\0\0\n', "f", 0)
    assert data == b'{"a":1}\n{"b":2}\n'
    assert len(damage) == 2


def test_a_shortened_group_ends_where_it_ended():
    """Wherever it begins and however long its numbers are, it verifies, at most `SLACK` bytes before what is left."""
    lines = [b'{"n":%d,"text":"some text"}\n' % number for number in range(9)]
    for begin in [*range(1500), 99_980, 999_985, 9_999_990]:
        group = frame(b"".join(lines), begin)
        for cut in (2, 5, 8):
            start = len(b"".join(lines[:cut]))
            at, fresh = shorten(group, find_frame(group), begin, start)
            assert at + len(fresh) == begin + len(group)
            assert begin + start - SLACK <= at <= begin + start
            assert unframe(fresh, "", at) == (b"".join(lines[cut:]), [])


def test_a_damaged_group_is_not_signed_anew():
    """Shortening verifies what it frames."""
    group = bytearray(frame(b'{"a":1}\n' * 9, 7))
    group[50] ^= 1
    assert shorten(bytes(group), find_frame(bytes(group)), 7, 40) is None
    assert shorten(frame(b'{"a":1}\n' * 9, 7), find_frame(frame(b'{"a":1}\n' * 9, 7)), 8, 40) is None
