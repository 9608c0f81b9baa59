"""The work of `dlq retry --exec`: a command of the shell, with the dead letter on its stdin."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
from datetime import timedelta
from typing import IO, Any

import attrs

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.codecs.documents import DEAD_LETTERS
from prodigy_storage.codecs.quantities import duration_text
from prodigy_storage.codecs.trees import parse
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.values import Json
from prodigy_storage.redrive import WorkFailed

_KEPT_BYTES = 8192
_KEPT_LINES = 20
_POLL = 0.05
_GRACE = 2.0


@attrs.define
class Command:
    """Callable with a dead letter, from several threads.

    The command runs in a session of its own, so that Ctrl-C reaches it through us alone.

    Args:
        text: For the shell.
        timeout: Seconds after which it is ended; None for no limit.
        stopping: Whether commands under way are to be ended; their items are then given back.
    """

    text: str
    timeout: float | None = None
    stopping: bool = False

    def __call__(self, letter: DeadLetter) -> Json:
        """Run it.

        Returns:
            The exit code 0 and the end of what it printed.

        Raises:
            WorkFailed: it ended with another exit code, or was ended at its time limit.
            KeyboardInterrupt: it was ended because we stop.
        """
        with tempfile.TemporaryFile() as stdin:
            stdin.write(_document(letter))
            stdin.seek(0)
            with subprocess.Popen(  # noqa: S602  # running a command of the shell is what --exec is for
                self.text,
                shell=True,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process:
                try:
                    output = self._followed(process)
                finally:
                    _end(process)
        return self._judged(process.returncode, _lines(output))

    def _judged(self, code: int, lines: list[str]) -> Json:
        if code == 0:
            return {"exit_code": 0, "output": lines}
        how = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
        raise WorkFailed(f"{how}: {lines[-1]}" if lines else how, exit_code=code, output=lines)

    def _followed(self, process: subprocess.Popen[bytes]) -> bytes:
        """The end of the output; returns when the command has ended, also if a child of it keeps the pipe."""
        clock = SystemClock()
        end = None if self.timeout is None else clock.monotonic() + self.timeout
        tail = b""
        assert process.stdout is not None  # it is a pipe
        with selectors.DefaultSelector() as selector:
            os.set_blocking(process.stdout.fileno(), False)
            selector.register(process.stdout, selectors.EVENT_READ)
            while process.poll() is None:
                if self.stopping:
                    raise KeyboardInterrupt
                if end is not None and clock.monotonic() >= end:
                    assert self.timeout is not None  # else there is no end
                    raise WorkFailed(f"timed out after {_seconds(self.timeout)}", output=_lines(tail))
                if selector.get_map():
                    selector.select(_POLL)
                    tail = _more(process.stdout, tail, selector)
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL)
            return _more(process.stdout, tail, selector)


def _more(pipe: IO[bytes], tail: bytes, selector: selectors.BaseSelector) -> bytes:
    """What was kept so far, and what can be read now."""
    while True:
        try:
            data = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return tail
        if not data:
            with contextlib.suppress(KeyError):
                selector.unregister(pipe)
            return tail
        tail = (tail + data)[-_KEPT_BYTES:]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything that it has started, if it still runs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _lines(output: bytes) -> list[str]:
    return output.decode(errors="replace").splitlines()[-_KEPT_LINES:]


def _seconds(count: float) -> str:
    return duration_text(timedelta(seconds=count))


def _document(letter: DeadLetter) -> bytes:
    tree: dict[str, Any] = dict(parse(DEAD_LETTERS.encode(letter)))
    return json.dumps(tree, ensure_ascii=False).encode() + b"\n"
