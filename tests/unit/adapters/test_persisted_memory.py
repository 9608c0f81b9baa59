from __future__ import annotations

import os
import subprocess
import sys

import pytest

import prodigy_storage
from prodigy_storage.adapters.memory import PersistedMemoryStorage
from prodigy_storage.errors import Closed, Corrupt, Locked, ReadOnly, Rewound, StorageError, StorageFull
from prodigy_storage.model.settings import MemorySettings, StorageSettings
from prodigy_storage.ports.storage import Append, Batch, Delete, Put, Query, Trim
from prodigy_storage.testing import StorageContract
from prodigy_storage.testing.samples import BLOB, LOG, line, numbers_in


class TestContract(StorageContract):
    """Memory that is saved keeps every clause that memory keeps."""

    def open(self, place):
        return PersistedMemoryStorage(place / "memory.bin")

    def test_c12_a_lost_stream_rewinds_its_cursors(self, storage, place):
        """With the file the stream is lost: a cursor from before raises `Rewound` instead of waiting."""
        append(storage, 1)
        cursor = storage.records((), LOG).cursor
        storage.close()
        (place / "memory.bin").unlink()
        again = self.open(place)
        with pytest.raises(Rewound):
            again.records((), LOG, cursor)
        again.close()


def append(storage, number):
    storage.commit(Batch((), [Append(LOG, line(number))]))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "memory.bin"


def filled(path):
    storage = PersistedMemoryStorage(path)
    storage.commit(Batch(("r", "ä/b"), [Put(BLOB, "ü", b'{"n":1,\n"x":"\xff"}'), Append(LOG, line(1) + line(2))]))
    storage.commit(Batch((), [Append(LOG, line(3))]))
    return storage


def test_versions_positions_and_cursors_survive(path):
    """A store that is opened again goes on where it was: no version changes, and a cursor sees what comes later."""
    storage = filled(path)
    (before,) = storage.fetch(("r", "ä/b"), BLOB, ["ü"]).values()
    cursor = storage.records((), LOG).cursor
    storage.close()

    again = PersistedMemoryStorage(path)
    assert again.fetch(("r", "ä/b"), BLOB, ["ü"])["ü"] == before
    assert list(again.documents(Query(BLOB)).documents) == [before]
    assert numbers_in(again.records(("r", "ä/b"), LOG).data) == [1, 2]
    again.commit(Batch((), [Append(LOG, line(4)), Put(BLOB, "new", b"{}")]))
    assert numbers_in(again.records((), LOG, cursor).data) == [4]
    assert again.fetch((), BLOB, ["new"])["new"].version != before.version
    again.close()


def test_what_is_trimmed_and_deleted_stays_so(path):
    """A trimmed front does not come back, and its offsets are not given away again."""
    storage = filled(path)
    cursor = storage.records((), LOG).cursor
    storage.commit(Batch((), [Trim(LOG, cursor)]))
    storage.commit(Batch(("r", "ä/b"), [Delete(BLOB, "ü")]))
    storage.close()
    again = PersistedMemoryStorage(path)
    assert again.records((), LOG).data == b""
    assert again.fetch(("r", "ä/b"), BLOB, ["ü"]) == {}
    again.commit(Batch((), [Append(LOG, line(5))]))
    assert numbers_in(again.records((), LOG, cursor).data) == [5]
    again.close()


def test_the_limit_counts_what_was_loaded(path):
    """What is in the file takes room of `max_bytes`."""
    filled(path).close()
    again = PersistedMemoryStorage(path, max_bytes=100)
    with pytest.raises(StorageFull):
        again.commit(Batch((), [Put(BLOB, "big", b"x" * 90)]))
    again.close()


@pytest.mark.parametrize("at", range(0, 300, 7))
def test_every_damage_is_noticed(path, at):
    """One changed byte anywhere makes the file corrupt, and leaves it as it is."""
    filled(path).close()
    data = path.read_bytes()
    at %= len(data)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(Corrupt, match=r"memory\.bin: "):
        PersistedMemoryStorage(path)
    path.write_bytes(data[: at + 1])
    if at + 1 < len(data):
        with pytest.raises(Corrupt):
            PersistedMemoryStorage(path)


def test_one_store_at_a_time(path):
    """A second store on the same file is refused, and gets it when the first is closed."""
    first = filled(path)
    with pytest.raises(Locked, match="is open in another store"):
        PersistedMemoryStorage(path)
    first.close()
    PersistedMemoryStorage(path).close()


def test_a_failed_save_loses_nothing(path, monkeypatch):
    """If the disk is full the former file stays, the store stays open, and a later close saves everything."""
    filled(path).close()
    storage = PersistedMemoryStorage(path)
    storage.commit(Batch((), [Put(BLOB, "later", b"{}")]))
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="No space left"):
        storage.close()
    assert path.read_bytes() == before
    assert sorted(one.name for one in path.parent.iterdir()) == ["memory.bin", "memory.bin.lock"]
    monkeypatch.undo()
    assert storage.fetch((), BLOB, ["later"])
    storage.close()
    storage.close()
    with pytest.raises(Closed):
        storage.save()
    again = PersistedMemoryStorage(path)
    assert again.fetch((), BLOB, ["later"])
    again.close()


def test_a_place_that_cannot_be_used_says_why(tmp_path, monkeypatch):
    """A folder in place of the file, or a folder without permission, is a typed error with the path."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="folder: Is a directory"):
        PersistedMemoryStorage(tmp_path / "folder")

    def forbidden(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(ReadOnly, match="Permission denied"):
        PersistedMemoryStorage(tmp_path / "file")


def test_a_fork_child_saves_nothing(path):
    """What a child does with its copy never reaches the file."""
    storage = filled(path)
    storage.save()
    before = path.read_bytes()
    pid = os.fork()
    if pid == 0:
        storage.commit(Batch((), [Put(BLOB, "child", b"{}")]))
        storage.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert path.read_bytes() == before
    with pytest.raises(Locked):
        PersistedMemoryStorage(path)
    storage.close()


def test_the_settings_keep_a_whole_store(path):
    """`persist_to_disk` and `persistence_path` bring back everything, dead letters and sessions too."""
    settings = StorageSettings(
        backend="memory", memory=MemorySettings(persist_to_disk=True, persistence_path=str(path))
    )
    with prodigy_storage.open(settings) as store, store.runs.start("repo", items=[1, 2]) as run:
        attempt = run.claim()
        run.complete(attempt, "one")
    with prodigy_storage.open(settings) as store, store.runs.resume(run.session_id) as again:
        assert (again.completed, again.total) == (1, 2)


def test_an_end_in_order_saves_what_nobody_closed(path):
    """A script that forgets to close loses neither documents nor events still in a buffer."""
    script = f"""
import prodigy_storage
from prodigy_storage.model.events import AgentFailed
memory = {{"persist_to_disk": True, "persistence_path": {str(path)!r}}}
store = prodigy_storage.open("memory:", settings={{"backend_config": memory}})
store.events.logger("repo", "job").log(AgentFailed("job", "agent", "why", retry_eligible=True))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    memory = {"persist_to_disk": True, "persistence_path": str(path)}
    with prodigy_storage.open("memory:", settings={"backend_config": memory}) as store:
        assert [record.event.agent_id for record in store.events.query()] == ["agent"]
