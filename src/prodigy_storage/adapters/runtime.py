"""The process around the library: clock, ids, background threads, and the hooks at exit and after a fork.

This is the only module that reads the time. Forks and exits are process-wide, so their hooks live in two tables
of this module: Python offers no way to take a fork hook back, a table does.
"""

from __future__ import annotations

import atexit
import itertools
import os
import secrets
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any, TypeAlias

import uuid_utils

from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.runtime import Handle, Runtime

_uuid7 = uuid_utils.uuid7
Work = Callable[[], None]
AnyPath: TypeAlias = str | os.PathLike[str]


class SystemClock:
    """The clock of this machine."""

    now = staticmethod(partial(datetime.now, UTC))
    """The time in UTC, aware."""

    monotonic = staticmethod(time.monotonic)
    """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait; a negative time is no wait."""
        time.sleep(max(0.0, seconds))


class Uuid7Ids:
    """UUIDs of version 7, which sort by the millisecond of their making; safe across forks."""

    def new(self) -> str:
        """A fresh UUID, hyphenated, in lower case."""
        return str(_uuid7())


class _Table:
    """Hooks in the order in which they came, each with a way to take it back."""

    def __init__(self) -> None:
        self._works: dict[int, Callable[[], Work | None]] = {}
        self._numbers = itertools.count()

    def add(self, reference: Callable[[], Work | None]) -> Work:
        number = next(self._numbers)
        self._works[number] = reference

        def cancel() -> None:
            self._works.pop(number, None)

        return cancel

    def take(self) -> list[Work]:
        """Every living hook; the dead ones are forgotten."""
        works = [(number, reference()) for number, reference in list(self._works.items())]
        for number, work in works:
            if work is None:
                self._works.pop(number, None)
        return [work for _, work in works if work is not None]

    def clear(self) -> None:
        self._works.clear()


_at_exit = _Table()
_after_fork = _Table()


def _run_exit_hooks() -> None:
    """Run all of them, the last one first, whatever one of them raises; `atexit` then prints what was raised."""
    with ExitStack() as stack:
        for work in _at_exit.take():
            stack.callback(work)
        _at_exit.clear()


def _run_fork_hooks() -> None:
    with ExitStack() as stack:
        for work in reversed(_after_fork.take()):
            stack.callback(work)
        _join_multiprocessing(forked=True)


def _join_multiprocessing(*, forked: bool) -> None:
    """Let the exit hooks run in a worker of `multiprocessing` too, which leaves by `os._exit` without `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None:
        return
    if forked:  # the worker forgets inherited finalizers after this point, so ours is made when that has happened
        util.register_after_fork(_at_exit, lambda _: util.Finalize(None, _run_exit_hooks, exitpriority=0))
    elif process.parent_process() is not None:
        util.Finalize(None, _run_exit_hooks, exitpriority=0)


atexit.register(_run_exit_hooks)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_run_fork_hooks)
_join_multiprocessing(forked=False)


class _Repeating:
    """One daemon thread that calls `work` every so often. A fork child inherits no thread: start another there."""

    def __init__(self, seconds: float, work: Work) -> None:
        self._seconds = seconds
        self._work = work
        self._woken = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="prodigy-storage", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._woken.wait(self._seconds)
            self._woken.clear()
            if self._stopped:
                return
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - the thread goes on; the interpreter's hook reports it
                details = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(details))

    def wake(self) -> None:
        """Run it now, in its own thread."""
        self._woken.set()

    def stop(self) -> None:
        """Run it no more; returns when a call under way has ended."""
        self._stopped = True
        if not self._thread.is_alive():
            return
        self._woken.set()
        if self._thread is not threading.current_thread():
            self._thread.join()


class _Thread(threading.local):
    """What each thread knows about itself; looked up anew in each thread, and twice as fast as `current_thread`."""

    def __init__(self) -> None:
        self.name = threading.current_thread().name


_thread = _Thread()


class ThreadBackground:
    """Threads of this process, its exit and its forks."""

    def mutex(self) -> AbstractContextManager[object]:
        """A new re-entrant lock for the threads of this process."""
        return threading.RLock()

    def every(self, seconds: float, work: Work) -> Handle:
        """Call `work` again and again in one daemon thread, each time `seconds` after the last call ended."""
        return _Repeating(seconds, work)

    def at_exit(self, work: Work) -> Work:
        """Call `work` when the interpreter ends in order; returns a function that cancels it.

        The hooks run after the other threads were joined, the last one first, in workers of `multiprocessing`
        too. They do not run after a signal that kills, nor after `os._exit`.
        """
        return _at_exit.add(lambda: work)

    def after_fork(self, work: Work) -> Work:
        """Call `work` in each child right after a fork; returns a function that cancels it.

        A bound method does not keep its object alive: when the object goes, so does the hook.
        """
        return _after_fork.add(weakref.WeakMethod(work) if isinstance(work, MethodType) else lambda: work)

    def identity(self) -> Token:
        """The token of this process; its `writer` is drawn anew in each process and after each fork."""
        pid = os.getpid()
        return _tokens.get(pid) or _tokens.setdefault(pid, _token(pid))  # one for all threads, whoever comes first

    def local(self) -> Any:
        """See `Background.local`."""
        return threading.local()

    def thread_name(self) -> str:
        """The name of the calling thread, as it was when that thread first asked: this is called for each event."""
        return _thread.name


_tokens: dict[int, Token] = {}
_after_fork.add(lambda: _tokens.clear)  # a pid may come back in a descendant; a writer id must not


def _token(pid: int) -> Token:
    return Token(secrets.token_hex(8), pid, socket.gethostname(), boot_id(), start_time(pid))


def canonical(path: AnyPath) -> str:
    """A path that is the same for everybody who means the same directory: absolute, links followed."""
    return os.path.realpath(path)


def boot_id() -> str:
    """The kernel's id of this boot; empty where there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


def start_time(pid: int) -> float:
    """When a process started, in seconds since 1970 rounded to 0.01; 0 if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = next(line for line in Path("/proc/stat").read_bytes().splitlines() if line.startswith(b"btime "))
    except (OSError, StopIteration):
        return _start_time_elsewhere(pid)
    ticks = int(stat.rpartition(b")")[2].split()[19])  # the command in brackets may hold blanks and brackets
    return round(int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK"), 2)


def _start_time_elsewhere(pid: int) -> float:
    import psutil  # noqa: PLC0415 - 10 ms that only systems without /proc spend

    try:
        return round(psutil.Process(pid).create_time(), 2)
    except psutil.Error:
        return 0.0


def in_threads(work: Work, count: int, stop: Work) -> None:
    """Run `work` in so many threads at once and wait for all of them; in this thread if it is one.

    Args:
        work: What each thread does.
        count: How many.
        stop: Called when a thread has raised, or this one was interrupted: asks the others to come to an end. Their
            end is waited for, then the first exception is raised.
    """
    if count == 1:
        work()
        return
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)
            stop()

    threads = [threading.Thread(target=run, name=f"worker-{number}", daemon=True) for number in range(1, count + 1)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
    if errors:
        raise errors[0]


def system_runtime() -> Runtime:
    """The runtime of this process: real clock, real ids, real threads."""
    return Runtime(clock=SystemClock(), ids=Uuid7Ids(), background=ThreadBackground())
