"""Whether kernel locks work where a store lies: one process holds a lock, another one must not get it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from prodigy_storage.errors import Timeout, Unsupported

_WAIT = 30
_OTHER = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("held")
    else:
        print("free")
"""
_HINT = "Keep the root on a local file system; several processes would overwrite each other here."


def try_kernel_locks(path: str) -> None:
    """Lock a new file, and let a second process try the same, before and after it is released.

    Args:
        path: An unused name; the file is removed.

    Raises:
        Unsupported: the locks do not hold between processes, or are not let go.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _seen_by_another(path) != "held":
            raise Unsupported("kernel locks do not keep another process out here", hint=_HINT)
        _lock(descriptor, fcntl.LOCK_UN)
        if _seen_by_another(path) != "free":
            raise Unsupported("kernel locks are not let go here", hint=_HINT)
    finally:
        os.close(descriptor)
        os.unlink(path)


def _lock(descriptor: int, how: int) -> None:
    try:
        fcntl.lockf(descriptor, how)
    except OSError as error:
        raise Unsupported(f"kernel locks do not work here: {error.strerror}", hint=_HINT) from error


def _seen_by_another(path: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter, with a program of ours
            [sys.executable, "-I", "-S", "-c", _OTHER, path], capture_output=True, text=True, timeout=_WAIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Timeout(f"a second process did not answer within {_WAIT} s") from error
    return done.stdout.strip()
