import json
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.errors import Corrupt, StorageError, Unsupported
from prodigy_storage.ports.storage import Append, Batch, Check, Expect, Put, Query

JOB = ("repo", "job")


def test_reading_creates_nothing(root, storage, kinds, events):
    """A root that does not exist reads as empty and stays away."""
    assert storage.fetch(JOB, kinds("session"), ["a"]) == {}
    assert storage.documents(Query(kinds("session"))).documents == []
    assert storage.records(JOB, events).data == b""
    assert storage.scopes(events) == []
    storage.maintain()
    assert not root.exists()


@pytest.mark.parametrize(
    ("kind", "scope", "name", "path"),
    [
        ("session", (), "session-1", "sessions/session-1.json"),
        ("dead_letter", JOB, "item/1", "dlq/repo/job/items/item%2F1.json"),
        ("checkpoint", JOB, "map-checkpoint-2-1", "state/repo/mapreduce/jobs/job/map-checkpoint-2-1.json"),
        ("job_state", JOB, "job-state", "state/repo/mapreduce/jobs/job/job-state.json"),
        ("mapping", ("repo",), "m", "state/repo/mappings/m.json"),
        ("resume_lock", JOB, "job", "resume_locks/job.lock"),
        ("lease", JOB, "job", ".store/leases/2/repo/job/job.json"),
        ("lease", (), "job", ".store/leases/0/job.json"),
        ("mine", ("repo",), "x", ".store/kinds/mine/1/repo/x.json"),
        ("session", JOB, "x", ".store/kinds/session/2/repo/job/x.json"),
        ("checkpoint", JOB, "other", ".store/kinds/checkpoint/2/repo/job/other.json"),
    ],
)
def test_documents_lie_where_they_are_documented(root, storage, kinds, kind, scope, name, path):
    """Each kind has its place, and what does not fit there lies in the default folder; walks and scopes find it."""
    storage.commit(Batch(scope, [Put(kinds(kind), name, b'{"n":1}')]))
    assert (root / path).read_bytes() == b'{"n":1}'
    seen = () if kind == "resume_lock" else scope
    assert [(one.scope, one.id) for one in storage.documents(Query(kinds(kind))).documents] == [(seen, name)]
    assert storage.scopes(kinds(kind)) == [seen]
    assert storage.fetch(scope, kinds(kind), [name])[name].place == str(root / path)


def test_other_files_of_a_folder_are_no_documents(root, storage, kinds):
    """A walk over checkpoints passes by the job's state, its progress and what somebody else put there."""
    storage.commit(Batch(JOB, [Put(kinds("checkpoint"), "setup-checkpoint", b'{"n":1}')]))
    storage.commit(Batch(JOB, [Put(kinds("job_state"), "job-state", b'{"n":1}')]))
    (root / "state/repo/mapreduce/jobs/job/notes.json").write_text("{}")
    assert [one.id for one in storage.documents(Query(kinds("checkpoint"))).documents] == ["setup-checkpoint"]


def test_a_repo_named_archive_is_no_archive(root, storage, events, lines):
    """The folder `events/archive` is not a project, and a project of that name gets another folder."""
    (root / "events/archive/job").mkdir(parents=True)
    (root / "events/archive/job/events-1.jsonl").write_bytes(lines(1))
    storage.commit(Batch(("archive", "job"), [Append(events, lines(2))]))
    assert storage.scopes(events) == [("archive", "job")]
    assert storage.records(("archive", "job"), events).data == lines(2)


def test_modes_hold_whatever_the_umask(root, storage, kinds, events, lines):
    """Directories have mode 0700 and files 0600."""
    before = os.umask(0o177)
    try:
        storage.commit(Batch(JOB, [Put(kinds("dead_letter"), "a", b'{"n":1}'), Append(events, lines(1))]))
    finally:
        os.umask(before)
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_no_symbolic_link_is_followed(root, tmp_path, storage, kinds):
    """A link in place of a folder or a file is an error for a fetch and a report for a walk."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.json").write_bytes(b'{"n":1}')
    storage.commit(Batch((), [Put(kinds("session"), "b", b'{"n":2}')]))
    (root / "sessions/a.json").symlink_to(outside / "a.json")
    with pytest.raises(Corrupt):
        storage.fetch((), kinds("session"), ["a"])
    page = storage.documents(Query(kinds("session")))
    assert [one.id for one in page.documents] == ["b"]
    assert [one.place for one in page.damage] == [str(root / "sessions/a.json")]
    (root / "dlq").symlink_to(outside)
    with pytest.raises(Corrupt):
        storage.commit(Batch(JOB, [Put(kinds("dead_letter"), "a", b'{"n":1}')]))
    assert [path.name for path in outside.iterdir()] == ["a.json"]


def test_a_root_that_is_a_file_is_refused(tmp_path, kinds):
    """A file in place of the root is an error that says so, and it stays as it is."""
    (tmp_path / "file").write_text("mine")
    storage = FileStorage(tmp_path / "file")
    with pytest.raises(StorageError, match="not a directory"):
        storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":1}')]))
    with pytest.raises(StorageError, match="not a directory"):
        storage.fetch((), kinds("session"), ["a"])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_newer_format_is_refused(root, storage, kinds):
    """A store of a later version is neither read nor written."""
    storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":1}')]))
    (root / ".store/format.json").write_text(json.dumps({"format": 2, "store": "x"}))
    again = FileStorage(root)
    with pytest.raises(Unsupported):
        again.fetch((), kinds("session"), ["a"])
    with pytest.raises(Unsupported):
        again.commit(Batch((), [Put(kinds("session"), "b", b'{"n":1}')]))
    assert not (root / "sessions/b.json").exists()


def test_a_hidden_folder_that_was_removed_comes_back(root, storage, kinds, events, lines, read):
    """Without `.store` the store goes on as a new one: the next guarded write makes it again."""
    storage.commit(Batch(JOB, [Append(events, lines(1)), Put(kinds("dead_letter"), "a", b'{"n":1}')]))
    shutil.rmtree(root / ".store")
    storage.commit(Batch(JOB, [Check(kinds("dead_letter"), "b", Expect.ABSENT), Append(events, lines(2))]))
    assert read(storage, events, JOB)[0] == [1, 2]
    assert (root / ".store/format.json").exists()


def test_damaged_and_stray_documents_are_reported_on_the_first_page(root, storage, kinds):
    """A body without an index and a name that stands for no id hide no other document."""
    for n in range(3):
        storage.commit(Batch((), [Put(kinds("session"), f"s{n}", b'{"n":%d}' % n)]))
    (root / "sessions/bad.json").write_bytes(b"\0\0")
    (root / "sessions/.json").write_bytes(b'{"n":1}')
    page = storage.documents(Query(kinds("session"), limit=2))
    assert [one.id for one in page.documents] == ["s0", "s1"]
    assert {Path(one.place).name for one in page.damage} == {"bad.json", ".json"}
    last = storage.documents(Query(kinds("session"), limit=2), page.next)
    assert [one.id for one in last.documents] == ["s2"]
    assert not last.damage


class Beaten(Disk):
    """A disk on which another process makes every folder a moment earlier."""

    def make_folder(self, path):
        Path(path).mkdir()
        super().make_folder(path)


def test_a_folder_that_another_process_makes_first_is_used(tmp_path, kinds):
    """Two processes may begin one store at the same moment; the slower one goes on."""
    with closing(FileStorage(tmp_path / "store", disk=Beaten())) as storage:
        storage.commit(Batch((), (Put(kinds("session"), "a", b'{"n":1}'),)))
        assert storage.fetch((), kinds("session"), ["a"])["a"].body == b'{"n":1}'
