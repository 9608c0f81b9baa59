import json

import pytest

from prodigy_storage.adapters.files import FileStorage, upkeep
from prodigy_storage.errors import InvalidValue, Rewound
from prodigy_storage.ports.storage import Append, Batch, Durability, Trim

JOB = ("r", "j")


def append(storage, stream, data, durability=Durability.OS):
    storage.commit(Batch(JOB, [Append(stream, data)], durability))


def segment_files(root):
    return sorted(path.name for path in (root / "events/r/j").iterdir())


def test_rotation_begins_a_new_number(root, storage, events, lines, read):
    """A segment that has reached its size is sealed; numbers follow each other, order stays."""
    for n in range(40):
        append(storage, events, lines(n, pad=20))
    numbers = [int(name.split("-")[2]) for name in segment_files(root)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 4
    assert read(storage, events)[:2] == (list(range(40)), [])
    assert read(FileStorage(root), events)[:2] == (list(range(40)), [])


def test_two_stores_of_one_process_have_segments_of_their_own(root, storage, events, lines, read):
    """Two stores never write to one file, and each sees what the other wrote."""
    other = FileStorage(root)
    for n in range(0, 10, 2):
        append(storage, events, lines(n))
        append(other, events, lines(n + 1))
    assert sorted(read(storage, events)[0]) == sorted(read(other, events)[0]) == list(range(10))
    assert len({name.split("-")[3] for name in segment_files(root)}) == 2
    other.close()


def test_a_reader_of_a_live_segment_waits_for_whole_appends(root, storage, events, lines, read):
    """Of a living writer's segment only whole appends are given; of a dead one's every whole line, and the tail."""
    append(storage, events, lines(1))
    path = root / "events/r/j" / segment_files(root)[0]
    with path.open("ab") as file:
        file.write(lines(2) + lines(3)[:-4])
    reader = FileStorage(root)
    numbers, damage, cursor = read(reader, events)
    assert (numbers, damage) == ([1], [])
    storage.close()
    numbers, damage, cursor = read(reader, events, cursor=cursor)
    assert numbers == [2]
    assert [(one.place, "torn tail" in one.reason) for one in damage] == [(str(path), True)]
    assert read(reader, events, cursor=cursor)[:2] == ([], [])


def test_nothing_behind_a_wrong_checksum_is_lost(root, storage, events, lines, read):
    """A damaged record is reported with path and offset, and those behind it are read."""
    for n in (1, 2, 3):
        append(storage, events, lines(n))
    storage.close()
    path = root / "events/r/j" / segment_files(root)[0]
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"n":2', b'{"n":7'))
    numbers, damage, _ = read(FileStorage(root), events)
    assert numbers == [1, 3]
    assert [(one.place, one.offset) for one in damage] == [(str(path), content.index(b'{"n":2'))]


def test_a_cut_segment_is_a_rewound_stream(root, storage, events, lines, read):
    """A cursor behind the end of a segment, a number above the top and another store's id raise Rewound."""
    append(storage, events, lines(1, 2))
    append(storage, events, lines(3))
    cursor = read(storage, events)[2]
    storage.close()
    path = root / "events/r/j" / segment_files(root)[0]
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(Rewound):
        FileStorage(root).records(JOB, events, cursor)
    path.unlink()
    with pytest.raises(Rewound):
        FileStorage(root).records(JOB, events, cursor)
    path.write_bytes(content)
    (root / ".store/format.json").write_text('{"format":1,"store":"other"}')
    with pytest.raises(Rewound):
        FileStorage(root).records(JOB, events, cursor)
    with pytest.raises(InvalidValue):
        FileStorage(root).records(JOB, events, "nonsense")


def test_segments_of_others_are_followed(root, storage, events, lines, read):
    """Files without a number are read by whole lines, grow, and a changed beginning is noticed."""
    folder = root / "events/r/j"
    folder.mkdir(parents=True)
    (folder / "events-20240101.jsonl").write_bytes(lines(1, 2) + b'{"n":3')
    numbers, damage, cursor = read(storage, events)
    assert (numbers, damage) == ([1, 2], [])
    with (folder / "events-20240101.jsonl").open("ab") as file:
        file.write(b"}\n")
    append(storage, events, lines(4))
    numbers, _, cursor = read(storage, events, cursor=cursor)
    assert sorted(numbers) == [3, 4]
    (folder / "events-20240101.jsonl").write_bytes(lines(8, 9, 9, 9, 9))
    with pytest.raises(Rewound):
        storage.records(JOB, events, cursor)


def test_trimming_by_cursor_is_exact_and_keeps_numbers(root, storage, events, lines, read):
    """What the cursor passed goes, the rest stays at its offsets, and the highest number never comes back."""
    for n in range(30):
        append(storage, events, lines(n, pad=20))
    chunk = FileStorage(root).records(JOB, events)
    storage.close()
    store = FileStorage(root, max_file_size=400)
    append(store, events, lines(30))
    follower = read(store, events)[2]
    store.commit(Batch(JOB, [Trim(events, chunk.cursor)]))
    assert read(store, events)[0] == [30]
    store.close()
    again = FileStorage(root)
    top = max(int(name.split("-")[2]) for name in segment_files(root))
    again.commit(Batch(JOB, [Trim(events, read(again, events)[2])]))
    assert read(again, events)[:2] == ([], [])
    assert again.scopes(events) == []
    assert [int(name.split("-")[2]) for name in segment_files(root)] == [top]
    append(again, events, lines(31))
    assert max(int(name.split("-")[2]) for name in segment_files(root)) == top + 1
    assert read(again, events, cursor=follower)[0] == [31]
    again.close()


def test_trimming_by_time_stops_at_the_first_young_record(root, storage, events, lines, read):
    """Old records go up to the border of an append; a damaged line is neither old nor young."""
    for n in range(6):
        append(storage, events, lines(2 * n, 2 * n + 1))
    cursor = FileStorage(root).records(JOB, events).cursor
    storage.close()
    store = FileStorage(root)
    store.commit(Batch(JOB, [Trim(events, 5)]))
    assert read(store, events)[:2] == (list(range(4, 12)), [])
    assert read(store, events, cursor=cursor)[:2] == ([], [])
    store.commit(Batch(JOB, [Trim(events, 100)]))
    assert read(store, events)[:2] == ([], [])
    store.close()


def test_live_segments_are_left_alone(storage, events, lines, read):
    """A trim takes nothing from a segment that its writer still appends to."""
    append(storage, events, lines(1))
    storage.commit(Batch(JOB, [Trim(events, 100)]))
    assert read(storage, events)[0] == [1]


@pytest.fixture
def compressed(root, monkeypatch, events, lines):
    """A store whose sealed segments were compressed, with a cursor in the middle of them."""
    monkeypatch.setattr(upkeep, "GRACE_NS", -1)
    writer = FileStorage(root)
    for n in range(0, 3000, 3):
        append(writer, events, lines(n, n + 1, n + 2, pad=1200))
    middle = writer.records(JOB, events).cursor
    writer.close()
    store = FileStorage(root)
    store.maintain()
    yield store, middle
    store.close()


def test_compression_changes_nothing_for_readers(root, compressed, events, read):
    """Compressed segments give the same records, to a new reader and to one in the middle; the raw form is gone."""
    store, middle = compressed
    assert [name[-10:] for name in segment_files(root)] == [".jsonl.zst"]
    first = store.records(JOB, events).data.count(b"\n")
    assert read(store, events)[:2] == (list(range(3000)), [])
    assert read(store, events, cursor=middle)[0] == list(range(3000))[-len(read(store, events, cursor=middle)[0]) :]
    assert 0 < first < 3000


def test_trimming_cuts_a_compressed_segment(compressed, events, read):
    """The border of a trim may lie inside a compressed segment."""
    store, _ = compressed
    store.commit(Batch(JOB, [Trim(events, 2000)]))
    assert read(store, events)[:2] == (list(range(2000, 3000)), [])
    store.maintain()
    assert read(store, events)[:2] == (list(range(2000, 3000)), [])


def test_damage_in_a_compressed_frame_costs_only_that_frame(root, compressed, events, read):
    """A flipped bit in a frame is reported, and the other frames are read; a damaged table is rebuilt."""
    store, _ = compressed
    path = root / "events/r/j" / segment_files(root)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    numbers, damage, _ = read(store, events)
    assert 1000 < len(numbers) < 3000
    assert len(damage) == 1
    content[len(content) // 2] ^= 1
    content[-1] ^= 1
    path.write_bytes(content)
    assert read(store, events)[:2] == (list(range(3000)), [])


def test_maintaining_sweeps_what_dead_writers_left(root, storage, events, lines):
    """Temporary files and proofs of dead writers go; those of the living stay."""
    append(storage, events, lines(1))
    (root / "events/r/j" / f".{'0' * 32}.1.tmp").write_text("left")
    (root / ".store/writers" / ("0" * 32)).touch()
    alive = FileStorage(root)
    writer = alive.me().writer
    storage.maintain()
    assert not (root / "events/r/j" / f".{'0' * 32}.1.tmp").exists()
    assert sorted(path.name for path in (root / ".store/writers").iterdir()) == sorted([writer, storage.me().writer])
    alive.close()


@pytest.mark.parametrize("sealed", [False, True])
def test_damage_is_found_also_from_the_middle_of_an_append(root, storage, events, lines, read, sealed):
    """A verifying reader that goes on inside an append, where one that does not verify stopped, checks all of it."""
    append(storage, events, b"".join(lines(n, pad=500) for n in range(16000)))
    cursor = storage.records(JOB, events, verify=False).cursor
    if sealed:
        storage.close()
    (path,) = (root / "events/r/j").iterdir()
    stopped = next(iter(json.loads(cursor)["o"].values()))
    assert 0 < stopped < path.stat().st_size
    reader = FileStorage(root) if sealed else storage
    found, damage, _ = read(reader, events, cursor=cursor)
    assert (found[-1], len(found), damage) == (15999, 16000 - found[0], [])
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"!" + data[101:])
    assert [one.place for one in read(reader, events, cursor=cursor)[1]] == [str(path)]
    reader.close()
