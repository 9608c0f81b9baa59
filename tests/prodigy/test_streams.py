"""Prodigy's event files: rotated, archived, growing and damaged ones, each record seen once."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from itertools import count
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Rewound
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import JobPaused
from prodigy_storage.ports.storage import Batch, Trim
from prodigy_storage.store import Store

from .conftest import CORPUS, LONG_AGO

SCOPE = ("shop", "job")
NUMBERS = count()


def lines(number, size=0):
    """Event lines as Prodigy writes them, no two alike."""
    return b"".join(
        b'{"id":"%s","timestamp":"2025-03-14T09:00:00.%09dZ","correlation_id":"%s",'
        b'"event":{"event_type":"job_paused","job_id":"job","checkpoint_version":1}}\n'
        % (str(uuid.UUID(int=next(NUMBERS))).encode(), next(NUMBERS), b"c" * (size or 36))
        for _ in range(number)
    )


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "root" / "events" / "shop" / "job"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def storage(opened, folder):
    return opened(folder.parents[2])


def write(path, data, *, calm=True):
    """Append; a calm file is one that nobody has written to for long."""
    with path.open("ab") as file:
        file.write(data)
    if calm:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def read(storage, cursor=None, scope=SCOPE):
    """Everything behind a cursor, the damage on the way, and the cursor behind it."""
    data, damage = b"", []
    while True:
        chunk = storage.records(scope, EVENTS, cursor)
        data += chunk.data
        damage += chunk.damage
        cursor = chunk.cursor
        if not chunk.data:
            return data, damage, cursor


def test_rotated_files_are_read_in_order_once():
    """Files that rotation called `.gz` are plain text, older than the file that is written, and read before it."""
    job = "mapreduce-20250314_090000"
    folder = CORPUS / "events/api-gateway" / job
    with Store(FileStorage(CORPUS)) as store:
        found = list(store.events.query(EventFilter(repo="api-gateway", job=job)))
        stats = store.events.stats(EventFilter(repo="api-gateway", job=job))
    names = sorted(path for path in folder.iterdir() if ".jsonl" in path.name)
    assert b"".join(record.raw + b"\n" for record in found) == b"".join(path.read_bytes() for path in names)
    assert (len(found), stats.total) == (66, 66)


def test_archives_are_read_without_a_project():
    """What retention archived, compressed or not, is in the store's own scope, as it names no project."""
    folder = CORPUS / "events/archive"
    plain = gzip.decompress((folder / "events_archive_20250317_151000.jsonl.gz").read_bytes())
    plain += (folder / "events_archive_20250317_151100.jsonl").read_bytes()
    with Store(FileStorage(CORPUS)) as store:
        assert read(store.storage, scope=())[:2] == (plain, [])
        ids = {json.loads(line)["id"] for line in plain.splitlines()}
        assert ids <= {record.id for record in store.events.query()}


def test_a_growing_file_is_followed(storage, folder):
    """Whole lines are given as they come; half a line is neither given nor reported while it is being written."""
    path, cursor, seen, written = folder / "events-20250314_090000.jsonl", None, b"", b""
    for _ in range(5):
        fresh = lines(3)
        written += fresh
        write(path, fresh[:-40], calm=False)
        data, damage, cursor = read(storage, cursor)
        assert not damage
        seen += data
        write(path, fresh[-40:], calm=False)
        data, damage, cursor = read(storage, cursor)
        assert not damage
        seen += data
    assert seen == written


@pytest.mark.parametrize("at", range(4))
def test_following_goes_on_across_a_rotation(storage, folder, at):
    """Wherever in Prodigy's rotation a reader looks, it loses no record and gets none twice."""
    live = folder / "events-20250314_090000.jsonl"
    parts = [lines(4), lines(4), lines(4)]
    write(live, parts[0], calm=False)
    data, _, cursor = read(storage)
    write(live, parts[1], calm=False)
    steps = [
        lambda: live.rename(f"{live}.bak"),
        lambda: Path(f"{live}.bak").rename(folder / "events-20250314_090000.20250314_100017.jsonl.gz"),
        lambda: write(live, parts[2], calm=False),
    ]
    for number, step in enumerate(steps):
        if number == at:
            more, _, cursor = read(storage, cursor)
            data += more
        step()
    more, damage, cursor = read(storage, cursor)
    assert (data + more, damage) == (b"".join(parts), [])
    assert read(storage, cursor)[0] == b""
    assert read(storage)[0] == b"".join(parts)


def test_a_large_archive_is_read_piece_by_piece(storage, folder):
    """A gzip file of several megabytes, in two members, comes whole, in chunks, and is not begun anew."""
    halves = [lines(3000, size=700), lines(3000, size=700)]
    write(folder / "events-a.jsonl.gz", gzip.compress(halves[0], 1) + gzip.compress(halves[1], 1))
    write(folder / "events-b.jsonl", last := lines(2))
    chunks, cursor = [], None
    while (chunk := storage.records(SCOPE, EVENTS, cursor)).data:
        assert len(chunk.data) < 3 << 20
        chunks.append(chunk.data)
        cursor = chunk.cursor
    assert len(chunks) > 2
    assert b"".join(chunks) == halves[0] + halves[1] + last


@pytest.mark.parametrize("damage", ["cut", "flipped", "rubbish behind"])
def test_a_damaged_archive_gives_what_it_has(storage, folder, damage):
    """The lines before the damage are given, it is reported once with path and offset, and the next file is read."""
    packed = gzip.compress(plain := lines(200), 1)
    spoiled = {
        "cut": packed[:-200],
        "flipped": packed[:-200] + bytes(byte ^ 0xFF for byte in packed[-200:-100]) + packed[-100:],
        "rubbish behind": packed + b"rubbish",
    }[damage]
    path = write(folder / "events-a.jsonl.gz", spoiled)
    write(folder / "events-b.jsonl", last := lines(2))
    data, found, cursor = read(storage)
    assert data.endswith(last)
    assert damage == "flipped" or plain.startswith(data.removesuffix(last))  # a checksum comes at the end
    assert [one.place for one in found] == [str(path)]
    assert all(isinstance(one.offset, int) for one in found)
    assert read(storage, cursor)[:2] == (b"", [])


def test_what_retention_rewrote_is_said(storage, folder):
    """A file that lost its first lines is not what a follower has seen: it is told, and reads on without repeats."""
    path = write(folder / "events-20250314_090000.jsonl", data := lines(5))
    _, _, cursor = read(storage)
    path.unlink()
    write(path, data[data.index(b"\n") + 1 :])
    with pytest.raises(Rewound, match="events-20250314_090000"):
        storage.records(SCOPE, EVENTS, cursor)


def test_ours_and_theirs_are_one_job(tmp_path, folder):
    """Events that we add to a job of Prodigy's lie beside its files, and both are read."""
    before = write(folder / "events-20250314_090000.jsonl", lines(3)).read_bytes()
    with Store(FileStorage(tmp_path / "root")) as store:
        store.events.log("shop", "job", JobPaused("job", 1))
        store.events.flush()
        assert store.events.stats().total == 4
        assert len({record.id for record in store.events.query()}) == 4
    assert (folder / "events-20250314_090000.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["events.jsonl", ".hidden.jsonl", "mapreduce_events.jsonl", "events-x.jsonl.bak"])
def test_every_name_that_lines_have_is_read(storage, folder, name):
    """Event files are told by their ending alone, as Prodigy does."""
    write(folder / name, data := lines(2))
    assert read(storage)[:2] == (data, [])


def test_a_last_line_without_an_end(storage, folder):
    """A whole record without a newline is given; a cut one is reported once, with path and offset."""
    write(folder / "events-a.jsonl", (whole := lines(2))[:-1])
    path = write(folder / "events-b.jsonl", (cut := lines(2))[:-30])
    data, damage, cursor = read(storage)
    first = cut[: cut.index(b"\n") + 1]
    assert data == whole + first
    assert [(one.place, one.offset) for one in damage] == [(str(path), len(first))]
    assert read(storage, cursor)[:2] == (b"", [])


def test_a_bad_line_is_reported_where_it_lies(tmp_path, folder):
    """A line that is no event is named with its file and offset, by whoever reads it; its neighbours are there."""
    good = lines(2)
    write(folder / "events-a.jsonl", good)
    path = write(
        folder / "events-b.jsonl", good[: good.index(b"\n") + 1].replace(b"0", b"1", 3) + b'{"torn\n' + lines(1)
    )
    place = (str(path), path.read_bytes().index(b'{"torn'))
    with Store(FileStorage(tmp_path / "root")) as store:
        damage = []
        found = list(store.events.query(on_damage=damage.append))
        assert [(one.place, one.offset) for one in damage] == [place]
        damage.clear()
        assert store.events.stats(on_damage=damage.append).total == len(found) == 4
        assert [(one.place, one.offset) for one in damage] == [place]


class TestTrimming:
    """Files of other programs go whole, when everything in them may go and nobody writes to them, or not at all."""

    def trim(self, storage, before):
        storage.commit(Batch(SCOPE, (Trim(EVENTS, before),)))

    def test_by_cursor(self, storage, folder):
        """What a cursor has passed goes; what it has not, what is fresh and what is an archive stays."""
        write(folder / "events-a.jsonl", lines(2))
        write(folder / "events-b.jsonl", lines(2), calm=False)
        write(folder / "events-c.jsonl.gz", gzip.compress(lines(2)))
        _, _, cursor = read(storage)
        write(folder / "events-d.jsonl", lines(2))
        self.trim(storage, cursor)
        assert sorted(path.name for path in folder.iterdir()) == [
            "events-b.jsonl",
            "events-c.jsonl.gz",
            "events-d.jsonl",
        ]

    def test_by_time(self, storage, folder):
        """A file goes when its last record is old enough; archives stay, as they are what was kept."""
        write(folder / "events-a.jsonl", lines(2))
        write(folder / "events-b.jsonl", lines(1) + lines(1).replace(b"2025-03-14", b"2026-03-14"))
        write(folder / "events-c.jsonl.gz", gzip.compress(lines(2)) + b"\n")
        self.trim(storage, 1_750_000_000_000_000)
        assert sorted(path.name for path in folder.iterdir()) == ["events-b.jsonl", "events-c.jsonl.gz"]

    def test_a_follower_goes_on(self, storage, folder):
        """Whoever has read what is trimmed loses nothing of what comes later."""
        write(folder / "events-a.jsonl", lines(2))
        _, _, cursor = read(storage)
        self.trim(storage, cursor)
        write(folder / "events-b.jsonl", data := lines(2))
        assert read(storage, cursor)[0] == data
