"""Backup files: everything in one file, refused when anything about it is wrong."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prodigy_storage.adapters.archives import CompressedFiles
from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Conflict, Corrupt, InvalidName, NotFound, StorageError, StorageFull, Unsupported
from prodigy_storage.ports.storage import Append, Batch, Damage, Index, Kind, Put, Stream
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import fake_runtime
from prodigy_storage.transfer import Contents, check, entries, pack, unpack

from .conftest import begin, fill, held

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def filled(source):
    fill(source)
    fill(source, repo="other", items=3)
    return Store(source, runtime=fake_runtime())


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "all.backup")


def lines_in(file):
    return b"".join(CompressedFiles().read(file)).splitlines()


def test_a_backup_restores_everything(filled, source, target, file):
    """Into an empty store of another backend comes back what was there, byte for byte; a second restore does nothing."""
    made = filled.transfers.backup(file)
    store = Store(target, runtime=fake_runtime())
    first = store.transfers.restore(file)
    assert held(target) == held(source)
    assert first.backup == made == store.transfers.verify(file)
    assert first.report.complete
    assert made.records == sum(held(source)[1].values())
    assert sum(made.documents.values()) == len(held(source)[0])
    assert not store.transfers.restore(file).report.changed


@pytest.mark.parametrize("depth", [1, 2])
def test_a_project_or_a_job_alone(source, target, file, depth):
    """A backup of a part has that part and the sessions that name it; the head says which."""
    scope = fill(source)[:depth]
    fill(source, repo="other")
    store = Store(source, runtime=fake_runtime())
    made = store.transfers.backup(file, **dict(zip(("repo", "job"), scope, strict=False)))
    assert made.scope == scope
    Store(target).transfers.restore(file)
    assert held(target, scope)[1] == held(source, scope)[1]
    assert {key[1][0] for key in held(target)[0] if key[1]} == {"shop"}
    assert any(key[0] == "session" for key in held(target)[0])
    with pytest.raises(InvalidName, match="together with its project"):
        store.transfers.backup(file + "2", job="j")


def test_a_restored_job_can_be_resumed(source, target, file):
    """A job that was broken off when the backup was made goes on in the restored store, with nothing done twice."""
    run = begin(source)
    Store(source, runtime=fake_runtime()).transfers.backup(file)
    store = Store(target, runtime=fake_runtime())
    store.transfers.restore(file)
    done = []
    with store.runs.resume(run.session_id) as resumed:
        for attempt in resumed.attempts():
            with attempt:
                done.append(attempt.item)
    assert done == [2, 3]


def test_the_format_is_as_documented(source, file):
    """A head, entries with digests, a manifest; what is no UTF-8 is in base64."""
    blob = Kind("blob", lambda _: Index(0))
    source.commit(Batch(("shop",), [Put(blob, "a", b"\xff\x00"), Append(EVENTS, b'{"n":1}\n')]))
    Store(source, runtime=fake_runtime()).transfers.backup(file, more=[blob])
    head, records, document, manifest = map(json.loads, lines_in(file))
    assert head["prodigy_storage_backup"] == 1
    assert head["scope"] == []
    assert datetime.fromisoformat(head["made_at"]).tzinfo == UTC
    assert records["records"].items() >= {"stream": "events", "scope": ["shop"], "text": '{"n":1}\n'}.items()
    assert document["document"].items() >= {"kind": "blob", "scope": ["shop"], "id": "a", "base64": "/wA="}.items()
    assert manifest["manifest"]["documents"] == {"blob": 1}
    assert [one["records"] for one in manifest["manifest"]["streams"]] == [1]


def test_kinds_that_nobody_named_come_along(source, file, tmp_path):
    """What a backend that measures itself holds is in the backup, and comes back into files and out of them again."""
    note, log = Kind("note", lambda body: Index(len(body)), ()), Stream("log", lambda _: 0)
    source.commit(Batch(("shop", "j"), [Put(note, "a", b'{"a":1}'), Append(log, b'{"n":1}\n')]))
    Store(source, runtime=fake_runtime()).transfers.backup(file)
    target = FileStorage(tmp_path / "target")
    report = Store(target).transfers.restore(file).report
    assert (report.copied, report.records) == (1, 1)
    assert target.fetch(("shop", "j"), note, ["a"])["a"].body == b'{"a":1}'
    assert target.records(("shop", "j"), log).data == b'{"n":1}\n'
    target.close()


def test_every_flipped_bit_and_every_cut_is_refused(source, file, tmp_path):
    """A file that lost its end, or of which any byte changed, is refused with a place before anything is restored."""
    source.commit(Batch(("s",), [Append(EVENTS, b'{"n":1}\n')]))
    Store(source, runtime=fake_runtime()).transfers.backup(file)
    whole = Path(file).read_bytes()
    bad = tmp_path / "bad"
    target = MemoryStorage()
    store = Store(target, runtime=fake_runtime())
    damaged = [whole[:size] for size in range(len(whole))]
    damaged += [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))]
    del damaged[len(whole) + 4]  # flips a bit of the frame's header that has no meaning
    damaged += [whole + b"x", whole + whole]
    for content in damaged:
        bad.write_bytes(content)
        with pytest.raises(Corrupt) as caught:
            store.transfers.restore(str(bad))
        assert str(bad) in caught.value.message
    assert held(target) == ({}, {})


HEAD = {"prodigy_storage_backup": 1, "made_at": "now", "scope": []}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it is empty"),
        ([{"hello": 1}], "no backup of a store"),
        ([[1]], "no backup of a store"),
        ([HEAD], "cut off"),
        ([HEAD, {"document": {"kind": "a", "scope": [], "id": "", "sha256": "", "text": ""}}], "has 0 bytes"),
        ([HEAD, {"document": {"kind": "a", "scope": ["a", "b", "c"], "id": "x"}}], "at most two names"),
        ([HEAD, {"document": {"kind": "a", "scope": [], "id": "x", "sha256": "0", "text": ""}}], "its digest"),
        ([HEAD, {"other": {}}], "'records' is missing"),
        ([HEAD, {"manifest": {"damage": [], "documents": {}, "streams": [], "sha256": "0"}}], "the content: sha256"),
        ([{**HEAD, "scope": ["a", "b", "c"]}], "at most two names"),
    ],
)
def test_what_is_no_backup_is_refused(tmp_path, lines, reason):
    """Sound zstd with other content is refused too, and the error says what is wrong where."""
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    file = tmp_path / "odd"
    file.write_bytes(zstd.compress(content) if content else b"")
    with pytest.raises(Corrupt, match=reason):
        Store(MemoryStorage()).transfers.restore(str(file))


def test_a_newer_format_is_not_guessed(tmp_path):
    """A backup of a later version is refused as such, not called damaged."""
    file = tmp_path / "newer"
    file.write_bytes(zstd.compress(json.dumps({**HEAD, "prodigy_storage_backup": 2}).encode() + b"\n"))
    with pytest.raises(Unsupported, match="format 2"):
        Store(MemoryStorage()).transfers.verify(str(file))


def test_damage_of_the_store_is_listed_in_the_file(tmp_path, file):
    """What could not be read when the backup was made is said then, and by whoever reads the file later."""
    storage = FileStorage(tmp_path / "source")
    repo, job = fill(storage)
    (letter,) = (tmp_path / "source" / "dlq" / repo / job / "items").iterdir()
    letter.write_bytes(b"{")
    with Store(storage) as store:
        made = store.transfers.backup(file)
    assert [damage.place for damage in made.damage] == [str(letter)]
    assert Store(MemoryStorage()).transfers.verify(file) == made
    assert isinstance(made.damage[0], Damage)


def test_a_file_is_there_whole_or_not_at_all(filled, file, tmp_path, monkeypatch):
    """An existing file is kept unless it is to be replaced, and a backup that fails leaves nothing behind."""
    filled.transfers.backup(file)
    with pytest.raises(Conflict):
        filled.transfers.backup(file)
    filled.transfers.backup(file, replace=True)
    before = sorted(tmp_path.iterdir())

    def full(*_, **__):
        raise StorageFull("no space is left")

    monkeypatch.setattr(filled.storage, "records", full)
    with pytest.raises(StorageFull):
        filled.transfers.backup(file, replace=True)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(NotFound):
        filled.transfers.verify(file + ".gone")
    with pytest.raises(NotFound):
        filled.transfers.backup(str(tmp_path / "no" / "folder"))
    with pytest.raises(StorageError):
        filled.transfers.verify(str(tmp_path))


def test_large_content_is_read_in_pieces(tmp_path):
    """Neither writing nor reading holds more than a few pieces, and what decompresses to much more is cut up too."""
    files, path = CompressedFiles(), tmp_path / "large"
    piece = b"x" * (1 << 20)
    files.write(path, (piece for _ in range(30)))
    sizes = [len(found) for found in files.read(path)]
    assert sum(sizes) == 30 << 20
    assert max(sizes) <= 1 << 20
    path.write_bytes(zstd.compress(piece * 30))
    assert max(len(found) for found in files.read(path)) <= 1 << 20
    with pytest.raises(Corrupt):
        check(files.read(path), place="large")


def test_packing_and_unpacking_are_inverse(source):
    """The entries come out as they went in, in their order."""
    fill(source)
    carried = list(entries(source, Contents()))
    content = list(pack(carried, scope=(), made_at="now", done=lambda _: None))
    halves = b"".join(content)
    pieces = [halves[at : at + 7] for at in range(0, len(halves), 7)]
    assert list(unpack(pieces, Contents(), place="", done=lambda _: None)) == carried
