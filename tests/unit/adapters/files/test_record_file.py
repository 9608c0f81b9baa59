"""One file of records, read as a store."""

import gzip
import json
import os
from contextlib import ExitStack, closing

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.packed import compress, seek_table
from prodigy_storage.adapters.files.record_file import RecordFile
from prodigy_storage.errors import InvalidValue, NotFound, ReadOnly, Rewound
from prodigy_storage.ports.storage import Append, Batch, Durability, Kind, Query

JOB = ("r", "j")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.file"


@pytest.fixture
def read():
    """Opens files of records, and closes them in the end."""
    with ExitStack() as opened:
        yield lambda path, **more: opened.enter_context(closing(RecordFile(path, **more)))


def all_of(storage, events, cursor=None):
    """The numbers of the records, the damage and the cursor behind them."""
    numbers, damage = [], []
    while True:
        chunk = storage.records((), events, cursor)
        numbers += [json.loads(line)["n"] for line in chunk.data.split(b"\n")[:-1] if line]
        damage += [(one.offset, one.reason) for one in chunk.damage]
        cursor = chunk.cursor
        if not chunk.data:
            return numbers, damage, cursor


def zstd_frames(data):
    """Two frames and a seek table, as compressed segments have."""
    half = data.index(b"\n", len(data) // 2) + 1
    frames = [compress(data[:half]), compress(data[half:])]
    return b"".join(frames) + seek_table([(len(frames[0]), half), (len(frames[1]), len(data) - half)])


@pytest.mark.parametrize(
    "form", [bytes, gzip.compress, lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]), zstd_frames]
)
def test_the_form_is_told_by_the_first_bytes(path, events, lines, form, read):
    """Plain lines, gzip with one member or several, zstd with its frames: each record once, whatever the name."""
    data = lines(*range(30_000), pad=60)
    path.write_bytes(form(data))
    file = read(path)
    assert file.scopes(events) == [()]
    numbers, damage, cursor = all_of(file, events)
    assert (numbers, damage) == (list(range(30_000)), [])
    assert all_of(file, events)[0] == numbers
    assert all_of(read(path), events, cursor)[0] == []
    file.close()
    file.close()


def test_records_of_the_stores_own_segments_come_without_frames(tmp_path, events, lines, read):
    """What was appended, byte for byte, from a raw segment and from a compressed one."""
    with_segments = FileStorage(tmp_path)
    for n in (1, 2):
        with_segments.commit(Batch(JOB, [Append(events, lines(n, n + 10))], Durability.OS))
    with_segments.close()
    (segment,) = (tmp_path / "events/r/j").iterdir()
    assert read(segment).records((), events).data == lines(1, 11) + lines(2, 12)
    with closing(FileStorage(tmp_path)) as storage:
        storage.maintain()
    packed = next((tmp_path / "events/r/j").glob("*.zst"))
    assert read(packed).records((), events).data == lines(1, 11) + lines(2, 12)


def test_only_chosen_lines_are_given(path, events, lines, read):
    """A function chooses; that none of many fits is no end."""
    path.write_bytes(lines(*range(40_000), pad=60))
    file = read(path, keep=lambda line: json.loads(line)["n"] % 39_999 == 0)
    assert all_of(file, events)[0] == [0, 39_999]


def test_a_last_line_without_its_end(path, events, lines, read):
    """A whole object is a record; half of one is reported, unless somebody may still be writing."""
    path.write_bytes(lines(1) + lines(2)[:-1])
    assert all_of(read(path), events)[:2] == ([1, 2], [])
    path.write_bytes(lines(1) + lines(2)[:-3])
    tail = len(lines(2)) - 3
    assert all_of(read(path), events)[:2] == ([1], [(len(lines(1)), f"a torn tail of {tail} bytes")])
    file = read(path, growing=True)
    numbers, damage, cursor = all_of(file, events)
    assert (numbers, damage) == ([1], [])
    with path.open("ab") as more:
        more.write(lines(2)[-3:] + lines(3))
    assert all_of(file, events, cursor)[:2] == ([2, 3], [])


@pytest.mark.parametrize("form", [gzip.compress, zstd_frames])
def test_damaged_compression_is_reported(path, events, lines, form, read):
    """What can be read is given, and the place is told."""
    whole = form(lines(*range(30_000), pad=60))
    path.write_bytes(whole[: len(whole) // 2])
    numbers, damage, _ = all_of(read(path), events)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) < 30_000
    assert len(damage) == 1


def test_a_file_that_was_replaced_or_cut_is_rewound(path, events, lines, read):
    """The old one is read to its end first; then the cursor is refused, and the new one can be read."""
    path.write_bytes(lines(1, 2))
    file = read(path)
    _, _, cursor = all_of(file, events)
    with path.open("ab") as old:
        old.write(lines(3))
    path.rename(path.with_suffix(".1"))
    numbers, _, cursor = all_of(file, events, cursor)
    assert numbers == [3]
    path.write_bytes(lines(4))
    with pytest.raises(Rewound):
        all_of(file, events, cursor)
    numbers, _, cursor = all_of(file, events)
    assert numbers == [4]
    os.truncate(path, 0)
    with pytest.raises(Rewound):
        all_of(file, events, cursor)


def test_a_cursor_counts_in_another_reader_of_the_file(path, events, lines, read):
    """It stands behind what was seen; one of another file or of nothing is refused."""
    path.write_bytes(lines(*range(30_000), pad=60))
    cursor = read(path).records((), events).cursor
    seen = len(read(path).records((), events).data.splitlines())
    assert all_of(read(path), events, cursor)[0] == list(range(seen, 30_000))
    other = path.with_suffix(".other")
    other.write_bytes(lines(1))
    with pytest.raises(Rewound):
        read(other).records((), events, cursor)
    with pytest.raises(InvalidValue):
        read(other).records((), events, "no cursor")


def test_it_holds_nothing_else_and_takes_no_change(path, events, lines, read):
    """No documents, no other scope, no commit; a file that is not there is an error."""
    with pytest.raises(NotFound):
        read(path)
    path.write_bytes(lines(1))
    file = read(path)
    kind = Kind("any", lambda _: None)
    assert file.capabilities == frozenset()
    assert file.records(JOB, events).data == b""
    assert (file.scopes(kind), file.fetch((), kind, ["x"]), file.documents(Query(kind)).documents) == ([], {}, [])
    with pytest.raises(ReadOnly):
        file.commit(Batch((), [Append(events, lines(2))]))
