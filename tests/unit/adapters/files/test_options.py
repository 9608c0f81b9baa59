"""What the options of a file store do: open lock files, no kernel locks, compression in the background."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage, packer, upkeep
from prodigy_storage.adapters.files.locks import Lock, drop_lock, shared_lock
from prodigy_storage.adapters.files.scope_locks import Locking, ScopeLocks
from prodigy_storage.errors import Timeout
from prodigy_storage.ports.storage import Append, Batch, Capability, Durability, Put

JOB = ("r", "j")


def open_files(root) -> list[str]:
    """The files below a directory that this process has open."""
    found = [one.resolve() for one in Path("/proc/self/fd").iterdir()]
    return [str(path) for path in found if path.is_relative_to(root)]


def wait_for(condition) -> None:
    """Wait until a condition holds; the test's own deadline is far away."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it never happened")


def in_child(work):
    """Run a function in a forked child; what it returns comes back as JSON."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(theirs, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    with os.fdopen(ours, "rb") as pipe:
        return json.loads(pipe.read())


def batch(kinds, scope=JOB) -> Batch:
    return Batch(scope, [Put(kinds("things"), "a", b'{"n":1}')], Durability.OS)


def test_unused_lock_files_are_closed(root, kinds):
    """So many stay open as was said, whatever the number of scopes; none of them is one that is held."""
    with_few = FileStorage(root, open_locks=3)
    for number in range(20):
        with_few.commit(batch(kinds, (f"r{number}",)))
    assert len([path for path in open_files(root) if "/locks/" in path]) == 3
    with_few.close()
    assert open_files(root) == []


def test_threads_share_few_lock_files(root, events, lines, read):
    """With one open lock file and many threads in many scopes, nothing is lost and nobody waits for ever."""
    storage = FileStorage(root, open_locks=1, max_file_size=200)

    def work(start):
        for number in range(30):
            storage.commit(Batch((f"r{number % 5}",), [Append(events, lines(start + number))], Durability.OS))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [number for repo in range(5) for number in read(storage, events, (f"r{repo}",))[0]]
    assert sorted(seen) == sorted(start + number for start in range(0, 400, 100) for number in range(30))
    storage.close()


def test_two_stores_of_one_process_share_what_one_of_them_closes(root, kinds):
    """A lock file that one store has no more room for stays locked for the other."""
    one, other = FileStorage(root, open_locks=1), FileStorage(root, lock_timeout=0.01)
    one.commit(batch(kinds))
    (path,) = [path for path in open_files(root) if "/locks/" in path]
    other.commit(batch(kinds))
    held = shared_lock(path)
    held.acquire(1)
    one.commit(batch(kinds, ("another",)))
    with pytest.raises(Timeout):
        other.commit(batch(kinds))
    held.release()
    drop_lock(held)
    one.close()
    other.close()


def test_a_lock_that_was_dropped_meanwhile_is_not_used(tmp_path, monkeypatch):
    """Whoever takes a lock that was closed for want of room between finding and taking it begins again."""
    locks = ScopeLocks(Locking(timeout=lambda: 1.0, keep=1, exclusive=True))
    path, another = str(tmp_path / "one"), str(tmp_path / "other")
    locks.acquire(path).release()
    elsewhere = shared_lock(path)  # so that the file itself stays open
    real = Lock.try_acquire

    def crowded(lock):
        monkeypatch.setattr(Lock, "try_acquire", real)
        locks.acquire(another).release()
        return real(lock)

    monkeypatch.setattr(Lock, "try_acquire", crowded)
    lock = locks.acquire(path)
    assert lock.users == 2
    lock.release()
    locks.close()
    drop_lock(elsewhere)
    assert open_files(tmp_path) == []


def test_without_kernel_locks_other_processes_are_not_seen(root, kinds):
    """What another process locks is no obstacle, and every other writer counts as dead."""
    storage = FileStorage(root)
    storage.commit(batch(kinds))
    me = storage.me()
    (path,) = [path for path in open_files(root) if "/locks/" in path]
    lock = shared_lock(path)
    lock.acquire(1)

    def child():
        loose, strict = FileStorage(root, file_locks=False), FileStorage(root, lock_timeout=0.01)
        loose.commit(batch(kinds))
        with pytest.raises(Timeout):
            strict.commit(batch(kinds))
        return [strict.alive(me), loose.alive(me), loose.alive(loose.me())]

    assert in_child(child) == [True, False, True]
    lock.release()
    drop_lock(lock)
    storage.close()


def test_kernel_locks_come_back_with_a_store_that_wants_them(root, kinds):
    """Two stores of one process share a lock file; it is a kernel lock as soon as one of them says so."""
    loose = FileStorage(root, file_locks=False)
    loose.commit(batch(kinds))
    assert Capability.MULTI_PROCESS not in loose.capabilities
    (path,) = [path for path in open_files(root) if "/locks/" in path]
    assert shared_lock(path, exclusive=False).exclusive is False
    strict = FileStorage(root)
    strict.commit(batch(kinds))
    lock = shared_lock(path, exclusive=False)
    lock.acquire(1)
    assert in_child(lambda: shared_lock(path).try_acquire()) is False
    lock.release()
    for _ in range(2):
        drop_lock(lock)
    loose.close()
    strict.close()


@pytest.fixture
def compressing(root, monkeypatch):
    monkeypatch.setattr(upkeep, "GRACE_NS", 10_000_000)
    monkeypatch.setattr(packer, "_GRACE", 0.02)
    storage = FileStorage(root, max_file_size=400, compress=True)
    yield storage
    storage.close()


def segments(root, suffix):
    return [path.name for path in (root / "events" / "r" / "j").iterdir() if path.name.endswith(suffix)]


def test_rotation_compresses_in_the_background(root, compressing, events, lines, read):
    """Sealed segments are compressed and their raw forms go, while the live one stays; all of it reads as before."""
    for number in range(40):
        compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    wait_for(lambda: len(segments(root, ".jsonl")) == 1 and not segments(root, ".tmp"))
    assert len(segments(root, ".zst")) > 3
    assert read(compressing, events)[:2] == (list(range(40)), [])


def test_without_the_option_nothing_is_compressed(storage, root, events, lines):
    """Sealed segments stay raw until `maintain` is called."""
    for number in range(8):
        storage.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    assert storage._packer is None
    assert segments(root, ".zst") == []


def test_a_failure_of_compressing_harms_nothing(root, compressing, events, lines, read):
    """The segment stays raw and whole, appends go on, and the next rotation tries again."""
    failed, tidy = threading.Event(), compressing._packer._tidy

    def broken(*_place):
        failed.set()
        raise OSError(28, "No space left on device")

    compressing._packer._tidy = broken
    for number in range(8):
        compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    assert failed.wait(10)
    assert segments(root, ".zst") == []
    compressing._packer._tidy = tidy
    for number in range(8, 16):
        compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    wait_for(lambda: len(segments(root, ".jsonl")) == 1)
    assert read(compressing, events)[:2] == (list(range(16)), [])


def test_an_append_does_not_wait_for_compression(root, compressing, events, lines, read):
    """While a segment is being compressed, appends and rotations go on."""
    tidy, entered, release = compressing._packer._tidy, threading.Event(), threading.Event()

    def slow(*place):
        entered.set()
        assert release.wait(10)
        tidy(*place)

    compressing._packer._tidy = slow
    for number in range(20):
        compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    assert entered.wait(10)
    assert read(compressing, events)[0] == list(range(20))
    release.set()
    wait_for(lambda: len(segments(root, ".jsonl")) == 1)


def test_a_fork_child_compresses_with_a_thread_of_its_own(root, compressing, events, lines, read):
    """A child inherits no thread; its own rotations are compressed all the same."""
    for number in range(8):
        compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
    wait_for(lambda: len(segments(root, ".jsonl")) == 1)

    def child():
        for number in range(8, 16):
            compressing.commit(Batch(JOB, [Append(events, lines(number, pad=100))], Durability.OS))
        wait_for(lambda: len(segments(root, ".jsonl")) == 2)
        compressing.close()
        return True

    assert in_child(child) is True
    assert sorted(read(compressing, events)[0]) == list(range(16))
