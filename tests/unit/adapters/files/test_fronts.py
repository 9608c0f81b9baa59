"""What a trim could remove: exact to the record, and as good after compression, cuts and kills."""

import itertools
import json

import pytest

from prodigy_storage.adapters.files import FileStorage, upkeep
from prodigy_storage.errors import InvalidValue, Rewound
from prodigy_storage.ports.storage import Append, Batch, Durability, Trim

JOB = ("r", "j")


def append(storage, stream, data):
    storage.commit(Batch(JOB, [Append(stream, data)], Durability.OS))


def below(limit):
    return lambda line: json.loads(line)["n"] < limit


def front(storage, stream, goes):
    """The numbers at the front, the cursor for a trim, and the damage."""
    numbers, damage, cursor = [], [], None
    while True:
        chunk = storage.front(JOB, stream, goes, cursor)
        numbers += [json.loads(line)["n"] for line in chunk.data.split(b"\n")[:-1]]
        damage += chunk.damage
        if not chunk.data:
            return numbers, chunk.cursor, damage
        cursor = chunk.cursor


def trim(storage, stream, cursor):
    storage.commit(Batch(JOB, [Trim(stream, cursor)]))


def test_the_front_leaves_a_live_segment_out(root, events, lines):
    """Records of a living writer's last segment stay; when it has gone they may go."""
    writer = FileStorage(root)
    append(writer, events, lines(1, 2, 3))
    reader = FileStorage(root)
    assert front(reader, events, below(9))[0] == []
    writer.close()
    assert front(reader, events, below(3))[0] == [1, 2]
    reader.close()


@pytest.mark.parametrize("pad", [0, 30, 300])
@pytest.mark.parametrize("packed", [False, True])
def test_a_trim_inside_an_append_removes_exactly_what_the_front_gave(
    root, events, lines, read, pad, packed, monkeypatch
):
    """Whatever the record in the middle of an append: the front and the rest are everything, and all of it verifies."""
    monkeypatch.setattr(upkeep, "GRACE_NS", 0)
    for count in range(1, 12):
        storage = FileStorage(root / str(count))
        append(storage, events, lines(*range(5), pad=pad))
        append(storage, events, lines(*range(5, 17), pad=pad))
        append(storage, events, lines(17, pad=pad))
        storage.close()
        storage = FileStorage(root / str(count))
        if packed:
            storage.maintain()
        gone, cursor, damage = front(storage, events, below(5 + count))
        assert damage == []
        assert gone == list(range(len(gone)))
        assert len(gone) in ({5, 5 + count} if pad == 0 and count == 1 else {5 + count})
        for _ in range(2):  # a trim that is made again removes nothing more
            trim(storage, events, cursor)
            assert read(storage, events)[:2] == (list(range(len(gone), 18)), [])
        storage.close()


def test_a_group_can_be_cut_again_and_again(root, events, lines, read):
    """Every cut keeps the ends of the appends where they were, so that followers go on."""
    storage = FileStorage(root)
    append(storage, events, lines(*range(40), pad=60))
    storage.close()
    storage = FileStorage(root)
    seen = read(storage, events)[2]
    for limit in (1, 2, 3, 9, 38, 39):
        gone, cursor, _ = front(storage, events, below(limit))
        assert gone[-1] == limit - 1
        trim(storage, events, cursor)
        trim(storage, events, cursor)  # the group begins a little before its first line now; nothing more goes
        assert read(storage, events)[:2] == (list(range(limit, 40)), [])
    append(storage, events, lines(40))
    assert read(storage, events, cursor=seen)[:2] == ([40], [])
    storage.close()


@pytest.mark.parametrize("pad", range(0, 24, 3))
def test_short_records_are_given_only_if_they_can_go(root, events, lines, read, pad):
    """What is too short for the rest of its append to be framed anew stays; the front says so."""
    storage = FileStorage(root)
    append(storage, events, lines(*range(6), pad=pad))
    storage.close()
    storage = FileStorage(root)
    gone, cursor, _ = front(storage, events, below(1))
    trim(storage, events, cursor)
    assert read(storage, events)[:2] == (list(range(len(gone), 6)), [])
    storage.close()


def test_trimming_by_time_is_exact_inside_an_append(root, events, lines, read):
    """What is older goes, and nothing else, also when it was appended together with what is younger."""
    storage = FileStorage(root)
    append(storage, events, lines(*range(10), pad=50))
    storage.close()
    storage = FileStorage(root)
    storage.commit(Batch(JOB, [Trim(events, 4)]))
    assert read(storage, events)[:2] == (list(range(4, 10)), [])
    storage.close()


def test_the_front_of_several_writers_is_that_of_each(root, events, lines, read):
    """A record that stays keeps back those behind it in its own segment only."""
    storages = [FileStorage(root) for _ in range(3)]
    for storage, numbers in zip(storages, ([1, 50, 2], [3, 4], [60, 5]), strict=True):
        for number in numbers:
            append(storage, events, lines(number))
    for storage in storages:
        storage.close()
    storage = FileStorage(root)
    gone, cursor, _ = front(storage, events, below(10))
    assert gone == [1, 3, 4]
    trim(storage, events, cursor)
    assert read(storage, events)[0] == [50, 2, 60, 5]
    storage.close()


def test_a_front_of_many_chunks_is_asked_about_each_record_once(root, events, lines):
    """A function that counts gives so many, however many chunks and appends there are."""
    storage = FileStorage(root, max_file_size=700_000)
    for start in range(0, 30, 3):
        append(storage, events, lines(start, start + 1, start + 2, pad=100_000))
    storage.close()
    storage = FileStorage(root)
    budget = itertools.count()
    gone, cursor, _ = front(storage, events, lambda _: next(budget) < 17)
    assert gone == list(range(17))
    trim(storage, events, cursor)
    assert front(storage, events, lambda _: True)[0] == list(range(17, 30))
    storage.close()


def test_damage_at_the_front_is_reported_and_goes_with_its_neighbours(root, events, lines, read):
    """A damaged append that lies before the border is reported; one in which the border lies stays whole."""
    storage = FileStorage(root)
    for start in (0, 10, 20):
        append(storage, events, lines(*range(start, start + 3), pad=50))
    storage.close()
    (path,) = (root / "events/r/j").iterdir()
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    storage = FileStorage(root)
    assert front(storage, events, below(2))[0] == []  # not known where a line of a damaged append ends
    gone, cursor, damage = front(storage, events, below(21))
    assert gone[-4:] == [10, 11, 12, 20]
    assert set(gone[:-4]) <= {0, 1, 2}
    assert [one.place for one in damage] == [str(path)]
    trim(storage, events, cursor)
    assert read(storage, events)[:2] == ([21, 22], [])
    storage.close()


def test_a_cursor_that_is_none_is_refused(storage, events, lines):
    """A text that is no cursor, or one with broken places, changes nothing."""
    append(storage, events, lines(1))
    store = json.loads(storage.records(JOB, events).cursor)
    for text in ("[]", "no", json.dumps(store | {"c": 5}), json.dumps(store | {"c": {"x": "y"}})):
        with pytest.raises(InvalidValue):
            trim(storage, events, text)
        with pytest.raises(InvalidValue):
            storage.front(JOB, events, below(9), text)
    with pytest.raises(Rewound):
        storage.front(JOB, events, below(9), json.dumps(store | {"l": 7}))
