import json
import os
import socket
import subprocess
import sys
import threading

import attrs
import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.locks import Lock, drop_lock, shared_lock
from prodigy_storage.errors import Closed, Timeout
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Append, Batch, Durability, Put

JOB = ("r", "j")


def in_child(work) -> object:
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


def test_a_fork_child_is_a_writer_of_its_own(storage, events, lines, read):
    """A child uses neither the parent's segment nor its proof, and what it does costs the parent nothing."""
    storage.commit(Batch(JOB, [Append(events, lines(1))]))
    mine = storage.me()

    def child():
        storage.commit(Batch(JOB, [Append(events, lines(2))]))
        return [storage.me().writer, storage.alive(mine), read(storage, events)[0]]

    writer, parent_lives, seen = in_child(child)
    assert writer != mine.writer
    assert parent_lives is True
    assert sorted(seen) == [1, 2]
    assert storage.alive(attrs.evolve(mine, writer=writer)) is False
    assert storage.alive(mine) is True
    storage.commit(Batch(JOB, [Append(events, lines(3))]))
    assert sorted(read(storage, events)[0]) == [1, 2, 3]


def test_a_child_does_not_hold_the_locks_of_its_parent(tmp_path):
    """A lock that the parent holds is busy for the child, whatever the child closes, and stays the parent's."""
    path = str(tmp_path / "lock")
    lock = shared_lock(path)
    lock.acquire(1)
    assert in_child(lambda: shared_lock(path).try_acquire()) is False
    assert in_child(lambda: shared_lock(path).try_acquire()) is False
    lock.release()
    assert in_child(lambda: shared_lock(path).try_acquire()) is True
    drop_lock(lock)


def test_one_process_has_one_lock_for_a_file(tmp_path):
    """Two users of a lock file share it: the second waits, and closing one frees nothing."""
    path = str(tmp_path / "lock")
    one, other = shared_lock(path), shared_lock(path)
    assert one is other
    one.acquire(1)
    drop_lock(other)
    assert not shared_lock(path).try_acquire()
    assert in_child(lambda: shared_lock(path).try_acquire()) is False
    with pytest.raises(Timeout):
        one.acquire(0.01)
    one.release()
    drop_lock(one)
    drop_lock(one)


def test_a_lock_file_that_was_replaced_is_noticed(root, storage, kinds):
    """When a lock file is removed by hand, the next commit locks the file that is there."""
    storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":1}')]))
    (lock,) = (root / ".store/locks").iterdir()
    lock.unlink()
    storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":2}')]))
    assert lock.exists()


def test_a_busy_scope_ends_in_a_timeout(root, kinds):
    """A scope that another process keeps locked gives Timeout, and nothing happens."""
    storage = FileStorage(root, lock_timeout=0.05)
    storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":1}')]))
    (lock,) = (root / ".store/locks").iterdir()
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    with pytest.raises(Timeout):
        storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":2}')]))
    assert storage.fetch((), kinds("session"), ["a"])["a"].body == b'{"n":1}'
    holder.communicate(b"\n")
    storage.commit(Batch((), [Put(kinds("session"), "a", b'{"n":2}')]))
    storage.close()


def test_threads_contend_without_losing_records(storage, events, lines, read):
    """Threads that append with a shared sync lose and double nothing."""

    def work(base):
        for n in range(25):
            storage.commit(Batch(JOB, [Append(events, lines(base + n))], Durability.GROUP))

    threads = [threading.Thread(target=work, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read(storage, events)[0]) == sorted(100 * number + n for number in range(4) for n in range(25))


def test_who_lives_is_judged_by_what_can_be_known(storage):
    """Another host is unknown, another start of the machine is dead, a process of others is judged by its pid."""
    mine = storage.me()
    assert storage.alive(mine) is True
    assert mine.pid == os.getpid()
    assert mine.host == socket.gethostname()
    assert storage.alive(attrs.evolve(mine, host="elsewhere")) is None
    assert storage.alive(attrs.evolve(mine, writer="0" * 32, boot="other")) is False
    assert storage.alive(attrs.evolve(mine, writer="0" * 32)) is False
    assert storage.alive(attrs.evolve(mine, writer="")) is True
    assert storage.alive(attrs.evolve(mine, writer="", started=mine.started - 1000)) is False
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert storage.alive(Token("", gone.pid, mine.host)) is False


def test_a_writer_lives_until_its_store_is_closed(root, storage):
    """Another store sees a writer live, and dead once it is closed; a closed store refuses everything."""
    other = FileStorage(root)
    token = other.me()
    assert storage.alive(token) is True
    other.close()
    other.close()
    assert storage.alive(token) is False
    with pytest.raises(Closed):
        other.me()


def test_a_lock_frees_its_thread_lock_when_the_kernel_refuses(tmp_path):
    """An error of the kernel leaves the lock usable for the next try."""
    with (tmp_path / "lock").open("w+b", buffering=0) as handle:
        lock = Lock(str(tmp_path / "lock"), handle)
    for _ in range(2):
        with pytest.raises(ValueError, match="closed"):
            lock.try_acquire()
