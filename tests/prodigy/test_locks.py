"""Prodigy's resume locks and ours respect each other, with real processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Locked
from prodigy_storage.store import Store

JOB = "mapreduce-20250326_123456"
SCOPE = ("shop", JOB)


def prodigys(root, name, pid, host=None):
    """Write a resume lock as Prodigy does."""
    lock = {
        "job_id": name,
        "process_id": pid,
        "hostname": host or socket.gethostname(),
        "acquired_at": "2025-03-26T12:34:56.123456789Z",
    }
    path = root / "resume_locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(lock, indent=2))
    return path


def die_holding(root, name):
    """Let a process of ours take a lock and die."""
    program = (
        "import os, sys; from prodigy_storage.adapters.files import FileStorage; from prodigy_storage.store import Store;"
        "Store(FileStorage(sys.argv[1])).locks.acquire(('shop', sys.argv[2]), sys.argv[2]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, root, name], check=True, timeout=60)


@pytest.fixture
def process():
    """A living process that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def store(tmp_path):
    with Store(FileStorage(tmp_path / "root")) as store:
        yield store


def test_a_living_process_holds_its_lock_until_it_ends(store, tmp_path, process):
    """A lock of Prodigy's is held as long as its process lives, and taken over when it is dead."""
    prodigys(tmp_path / "root", JOB, process.pid)
    with pytest.raises(Locked, match="in another program") as caught:
        store.locks.acquire(SCOPE, JOB)
    assert (caught.value.pid, caught.value.host, caught.value.name) == (process.pid, socket.gethostname(), JOB)
    process.stdin.close()
    process.wait(30)
    assert store.locks.acquire(SCOPE, JOB).epoch > 0


@pytest.mark.parametrize("pid", [0, 2**32 - 1])
def test_numbers_that_no_process_has_hold_nothing(store, tmp_path, pid):
    """Process ids that mean a group of processes to the system do not count as alive for ever."""
    prodigys(tmp_path / "root", JOB, pid)
    assert store.locks.acquire(SCOPE, JOB).epoch > 0


def test_a_lock_of_another_machine_is_not_judged_by_its_process(store, tmp_path):
    """The number of a process says nothing about another host: the lock is held, until it is taken by force."""
    prodigys(tmp_path / "root", JOB, 2**22 - 1, host="elsewhere")
    with pytest.raises(Locked):
        store.locks.acquire(SCOPE, JOB)
    assert store.locks.acquire(SCOPE, JOB, force=True).epoch > 0


def test_an_empty_lock_is_explained_and_listed(corpus):
    """The empty file that Prodigy leaves behind is told as what it is, and yields to force alone."""
    name = "mapreduce-20250325_222222"
    with Store(FileStorage(corpus)) as there:
        with pytest.raises(Locked, match="empty: Prodigy was writing it") as caught:
            there.locks.acquire(("shop", name), name)
        assert "--force" in caught.value.hint
        damage = []
        held = there.locks.list(damage.append)
        assert {lease.name for lease in held} == {path.stem for path in (corpus / "resume_locks").iterdir()} - {name}
        assert [(one.place, one.offset) for one in damage] == [(str(corpus / f"resume_locks/{name}.lock"), 0)]
        assert there.locks.acquire(("shop", name), name, force=True).epoch > 0


def test_prodigy_takes_over_from_our_dead_process_and_is_respected(store, tmp_path, process):
    """A lock that Prodigy took after our holder had died is Prodigy's, although our lease still names the dead."""
    root = tmp_path / "root"
    die_holding(root, JOB)
    assert (root / "resume_locks" / f"{JOB}.lock").exists()
    prodigys(root, JOB, process.pid)
    with pytest.raises(Locked, match=str(process.pid)):
        store.locks.acquire(SCOPE, JOB)


def test_a_dead_process_of_ours_holds_nothing(store, tmp_path):
    """The lock that a process of ours left behind is taken over, and then names the new holder."""
    root = tmp_path / "root"
    die_holding(root, JOB)
    store.locks.acquire(SCOPE, JOB)
    assert json.loads((root / "resume_locks" / f"{JOB}.lock").read_bytes())["process_id"] == os.getpid()


def test_our_lock_is_what_prodigy_expects(store, tmp_path):
    """The file has Prodigy's four members, names a living process of this host, and goes with the lease."""
    grant = store.locks.acquire(SCOPE, JOB)
    path = tmp_path / "root" / "resume_locks" / f"{JOB}.lock"
    lock = json.loads(path.read_bytes())
    assert list(lock) == ["job_id", "process_id", "hostname", "acquired_at"]
    assert (lock["job_id"], lock["process_id"], lock["hostname"]) == (JOB, os.getpid(), socket.gethostname())
    store.locks.release(grant)
    assert not path.exists()


def test_a_lock_of_the_session_is_respected_too(store, tmp_path, process):
    """Prodigy resumes by the session's id as well: a run whose session it holds is not resumed here."""
    with store.runs.start("shop", items=[1]) as run:
        run.pause()
    prodigys(tmp_path / "root", run.session_id, process.pid)
    with pytest.raises(Locked, match=str(process.pid)):
        store.runs.resume(run.job_id)


def test_the_lock_changes_hands_only_as_it_was_seen(store, tmp_path, process, monkeypatch):
    """A lock that Prodigy makes between our look and our commit is not overwritten."""
    root = tmp_path / "root"
    store.locks.release(store.locks.acquire(SCOPE, JOB))
    commit = store.storage.commit

    def late(batch):
        prodigys(root, JOB, process.pid)
        return commit(batch)

    monkeypatch.setattr(store.storage, "commit", late)
    with pytest.raises(Locked, match=str(process.pid)):
        store.locks.acquire(SCOPE, JOB)
    assert json.loads((root / "resume_locks" / f"{JOB}.lock").read_bytes())["process_id"] == process.pid


def test_the_lock_is_complete_when_its_name_appears(store, tmp_path):
    """Another process that looks all the time sees no lock of ours that is empty or half-written."""
    path = tmp_path / "root" / "resume_locks" / f"{JOB}.lock"
    store.locks.release(store.locks.acquire(SCOPE, JOB))
    program = (
        "import json, sys\n"
        "seen = 0\n"
        "print('ready', flush=True)\n"
        "while seen < 20:\n"
        "    try:\n"
        "        seen += json.load(open(sys.argv[1]))['process_id'] == int(sys.argv[2])\n"
        "    except FileNotFoundError:\n"
        "        pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path, str(os.getpid())], stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"ready\n"
        while reader.poll() is None:
            store.locks.release(store.locks.acquire(SCOPE, JOB))
        assert reader.returncode == 0
