"""What becomes of sealed segments: compressed, trimmed, and whole whatever step is the last one."""

import itertools
import shutil
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage, packed, upkeep
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.ports.storage import Append, Batch, Durability, Trim

JOB = ("r", "j")
TOTAL = 30


class Dead(BaseException):
    """The process dies here."""


class Recorder(Disk):
    """Writes down every change of the segments' folder, and dies at the n-th one."""

    def __init__(self, dies_at=None):
        self.changes = []
        self.left = dies_at

    def note(self, what, path):
        if "events" not in path:
            return
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Dead
        self.changes.append((what, path.rpartition(".")[2] if "." in path.rpartition("/")[2] else ""))

    def create(self, path):
        self.note("create", path)
        return super().create(path)

    def write(self, descriptor, data):
        self.note("write", str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return super().write(descriptor, data)

    def sync(self, descriptor):
        self.note("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        super().sync(descriptor)

    def sync_folder(self, path):
        self.note("sync folder", path)
        super().sync_folder(path)

    def link(self, source, target):
        self.note("link", target)
        super().link(source, target)

    def unlink(self, path):
        self.note("unlink", path)
        super().unlink(path)


@pytest.fixture
def filled(root, events, lines):
    """Sealed segments, several records in each append."""
    storage = FileStorage(root, max_file_size=900)
    for start in range(0, TOTAL, 5):
        storage.commit(Batch(JOB, [Append(events, lines(*range(start, start + 5), pad=50))], Durability.OS))
    storage.close()
    return root


def names(root):
    return sorted(path.name for path in (root / "events/r/j").iterdir() if not path.name.startswith("."))


def test_compression_goes_in_the_safe_order(filled, events, read, monkeypatch):
    """Written, synced, linked, the name synced; the raw form goes last."""
    monkeypatch.setattr(upkeep, "GRACE_NS", -1)
    disk = Recorder()
    storage = FileStorage(filled, disk=disk)
    storage.maintain()
    first = disk.changes[: disk.changes.index(("create", "tmp"), 1)]
    assert [change for change in first if change[0] != "write"] == [
        ("create", "tmp"),
        ("sync", "tmp"),
        ("link", "zst"),
        ("sync folder", ""),
        ("unlink", "tmp"),
    ]
    kinds = [change for change in disk.changes if change[1] != "tmp"]
    assert kinds.index(("unlink", "jsonl")) > max(at for at, one in enumerate(kinds) if one == ("link", "zst"))
    assert all(name.endswith(".zst") for name in names(filled))
    assert read(storage, events)[:2] == (list(range(TOTAL)), [])
    storage.close()


def test_both_forms_count_once_while_the_raw_one_waits(filled, events, read, monkeypatch):
    """A listing under way may still hold the raw form, so it stays for a while; readers take one of the two."""
    monkeypatch.setattr(upkeep, "GRACE_NS", 10**18)
    storage = FileStorage(filled)
    storage.maintain()
    found = names(filled)
    assert [f"{name}.zst" for name in found[::2]] == found[1::2]
    assert read(storage, events)[:2] == (list(range(TOTAL)), [])
    storage.maintain()
    assert names(filled) == found
    monkeypatch.setattr(upkeep, "GRACE_NS", -1)
    storage.maintain()
    assert names(filled) == found[1::2]
    storage.close()


def test_a_compressed_form_that_does_not_come_back_is_dropped(filled, events, read, monkeypatch):
    """It is decompressed and compared before it counts; the raw form stays."""
    before = names(filled)
    compress = packed.compress
    monkeypatch.setattr(upkeep, "GRACE_NS", -1)
    monkeypatch.setattr(packed, "compress", lambda data: compress(data[:-2] + b" \n"))
    storage = FileStorage(filled)
    storage.maintain()
    assert names(filled) == before
    assert read(storage, events)[:2] == (list(range(TOTAL)), [])
    storage.close()


@pytest.mark.parametrize("packs", [False, True])
def test_upkeep_and_trims_may_die_at_any_change(filled, events, read, monkeypatch, packs):
    """What was there is there, what was to go is gone or not, and the next try ends the work."""
    monkeypatch.setattr(upkeep, "GRACE_NS", -1)
    for dies_at in itertools.count():
        root = filled.with_name(f"copy-{dies_at}")
        shutil.copytree(filled, root)
        reader, storage = FileStorage(root), FileStorage(root, disk=Recorder(dies_at))
        cursor = read(reader, events)[2]
        died = _tried(storage, events, packs=packs)
        numbers, damage, _ = read(reader, events)
        assert (numbers, damage) == (list(range(numbers[0], TOTAL)), [])
        assert numbers[0] <= 13
        storage.close()
        again = FileStorage(root)
        assert not _tried(again, events, packs=packs)
        assert read(again, events)[:2] == (list(range(13, TOTAL)), [])
        assert read(reader, events, cursor=cursor)[:2] == ([], [])
        again.close()
        reader.close()
        if not died:
            break
    assert dies_at > 5


def _tried(storage, events, *, packs):
    """Whether it died of it."""
    try:
        if packs:
            storage.maintain()
        storage.commit(Batch(JOB, [Trim(events, 13)]))
    except Dead:
        return True
    return False
