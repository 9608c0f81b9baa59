"""The process around the library: clock, ids, threads, exits, forks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from datetime import UTC

import psutil
import pytest

from prodigy_storage.adapters import runtime
from prodigy_storage.adapters.runtime import ThreadBackground, Uuid7Ids, start_time, system_runtime
from prodigy_storage.ports.presence import Token


def in_child(work) -> str:
    """What `work` returns in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as file:
        return file.read()


def run_script(text: str) -> str:
    """What a script prints in an interpreter of its own."""
    command = [sys.executable, "-c", textwrap.dedent(text)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_clock_is_aware_and_never_goes_back() -> None:
    """Times are UTC; the monotonic clock grows; a negative sleep is none."""
    clock = system_runtime().clock
    before = clock.monotonic()
    clock.sleep(-1)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() >= before


def test_ids_are_uuids_that_sort_by_their_making() -> None:
    """A thousand ids are different, of version 7, and in order."""
    ids = [Uuid7Ids().new() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(name) == 36 and name[14] == "7" and name == name.lower() for name in ids)
    assert ids == sorted(ids)


def test_a_child_draws_other_ids_than_its_parent() -> None:
    """The source of ids does not repeat itself after a fork."""
    child = in_child(lambda: " ".join(Uuid7Ids().new()[15:] for _ in range(50)))
    assert not set(child.split()) & {Uuid7Ids().new()[15:] for _ in range(50)}


def test_identity_names_this_process_and_stays_the_same() -> None:
    """The token has our pid, a boot id and the start time that the system knows."""
    token = ThreadBackground().identity()
    assert token.pid == os.getpid()
    assert token.boot == runtime.boot_id() != ""
    assert abs(token.started - psutil.Process().create_time()) < 0.02
    assert ThreadBackground().identity() == token


def test_a_fork_makes_another_writer() -> None:
    """The child has its own pid and its own writer id."""
    mine = ThreadBackground().identity()
    child = eval(in_child(ThreadBackground().identity), {"Token": Token})
    assert child.pid != mine.pid
    assert child.writer != mine.writer
    assert child.boot == mine.boot


def test_without_proc_the_start_time_comes_from_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without /proc gives the same answer; a process that is gone gives 0."""
    expected = start_time(os.getpid())

    def missing(_: object) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(runtime.Path, "read_bytes", missing)
    assert abs(start_time(os.getpid()) - expected) < 0.02
    assert start_time(2**22 + 1) == 0.0


def test_work_is_repeated_until_it_is_stopped() -> None:
    """The thread works again and again, sooner when woken, and not after `stop`, which may be called twice."""
    rounds = threading.Semaphore(0)
    handle = ThreadBackground().every(3600.0, rounds.release)
    for _ in range(3):
        handle.wake()
        assert rounds.acquire(timeout=30)
    handle.stop()
    handle.stop()
    handle.wake()
    assert not rounds.acquire(blocking=False)


def test_time_alone_makes_work_run() -> None:
    """Nobody has to wake the thread."""
    rounds = threading.Semaphore(0)
    handle = ThreadBackground().every(0.001, rounds.release)
    assert all(rounds.acquire(timeout=30) for _ in range(3))
    handle.stop()


def test_an_error_in_background_work_is_reported_and_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's hook for threads gets the error; the next round happens."""
    seen: list[object] = []
    rounds = threading.Semaphore(0)

    def work() -> None:
        rounds.release()
        raise ValueError("broken")

    monkeypatch.setattr(threading, "excepthook", lambda details: seen.append(details.exc_value))
    handle = ThreadBackground().every(3600.0, work)
    for _ in range(2):
        handle.wake()
        assert rounds.acquire(timeout=30)
    handle.stop()
    assert [str(error) for error in seen] == ["broken", "broken"]


def test_work_may_stop_its_own_thread() -> None:
    """`stop` from inside the work does not wait for itself."""
    done = threading.Event()

    def work() -> None:
        handle.stop()
        done.set()

    handle = ThreadBackground().every(3600.0, work)
    handle.wake()
    assert done.wait(30)


def test_the_mutex_is_reentrant() -> None:
    """A thread may enter twice; another one has to wait."""
    mutex = ThreadBackground().mutex()
    with mutex, mutex:
        other: list[bool] = []
        thread = threading.Thread(target=lambda: other.append(mutex.acquire(blocking=False)))
        thread.start()
        thread.join()
    assert other == [False]


def test_each_thread_has_its_name() -> None:
    """The name is that of the calling thread."""
    names: list[str] = []
    thread = threading.Thread(target=lambda: names.append(ThreadBackground().thread_name()), name="worker-7")
    thread.start()
    thread.join()
    assert names == ["worker-7"]


def test_exit_hooks_run_last_first_whatever_one_of_them_raises() -> None:
    """Cancelled ones do not run; a daemon thread at work does no harm."""
    printed = run_script("""
        from prodigy_storage.adapters.runtime import ThreadBackground
        background = ThreadBackground()
        handle = background.every(0.001, lambda: None)
        background.at_exit(lambda: print("first"))
        background.at_exit(lambda: 1 / 0)
        background.at_exit(lambda: print("cancelled"))()
        background.at_exit(lambda: print("last"))
        print("end")
    """)
    assert printed.split() == ["end", "last", "first"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_exit_hooks_run_in_workers_of_multiprocessing(method: str, tmp_path) -> None:
    """Such a worker leaves without `atexit`; its hooks run all the same, once."""
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent(f"""
        import multiprocessing, sys
        from prodigy_storage.adapters.runtime import ThreadBackground
        def mark(path):
            with open(path, "a") as file:
                file.write("child ")
        def worker(path):
            ThreadBackground().at_exit(lambda: mark(path))
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            process = context.Process(target=worker, args=(sys.argv[1],))
            process.start()
            process.join()
        """)
    )
    mark = tmp_path / "mark"
    subprocess.run([sys.executable, str(script), str(mark)], check=True, timeout=60)
    assert mark.read_text() == "child "


def test_fork_hooks_run_in_the_child_only_until_cancelled() -> None:
    """The parent's state is untouched; a cancelled hook does not run."""
    seen: list[str] = []
    background = ThreadBackground()
    cancel = background.after_fork(lambda: seen.append("hook"))
    assert in_child(lambda: seen) == "['hook']"
    assert seen == []
    cancel()
    assert in_child(lambda: seen) == "[]"


class Owner:
    """Has a hook and can go."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def hook(self) -> None:
        self.seen.append("hook")


def test_a_fork_hook_does_not_keep_its_owner_alive() -> None:
    """When the object of a bound method is gone, so is the hook."""
    seen: list[str] = []
    owner = Owner(seen)
    ThreadBackground().after_fork(owner.hook)
    assert in_child(lambda: seen) == "['hook']"
    del owner
    gc.collect()
    assert in_child(lambda: seen) == "[]"


def test_a_handle_from_before_a_fork_stops_at_once_in_the_child() -> None:
    """The child has no such thread; `stop` does not wait for it."""
    handle = ThreadBackground().every(3600.0, lambda: None)
    assert in_child(lambda: handle.stop() or "stopped") == "stopped"
    handle.stop()
