"""Printing: one JSON object on stdout, lines on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:  # a help text does not need it
    from prodigy_storage.cli.diagnostics import Diagnostic


def emit(status: str, data: Mapping[str, Any] | None, diagnostics: Sequence[Diagnostic]) -> None:
    """Print the one object of `--json`."""
    import json  # noqa: PLC0415  # a help text does not need it

    content = {"status": status, "data": data, "diagnostics": [one.json() for one in diagnostics]}
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    text = json.dumps(content, ensure_ascii=not unicode)
    print(text.encode(errors="backslashreplace").decode(), flush=True)  # a lone surrogate becomes a JSON escape


def say(text: str) -> None:
    """Print a line on stderr; nobody reading it is no reason to stop."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _forget(sys.stderr)  # else what is still buffered fails again wherever streams are flushed


def shown(path: str) -> str:
    """A path for people, the home directory as `~`."""
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111  # the path may be a URL
    inside = home and (path == home or path.startswith(home + "/"))
    return "~" + path[len(home) :] if inside else path


def make_printable() -> None:
    """Let every text be printed, also where stdout or stderr was closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # stays open
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def forget_stdout() -> None:
    """Nobody reads any more: let what is still buffered go nowhere."""
    _forget(sys.stdout)


def let_go() -> None:
    """Flush what can be flushed, so that the end of the interpreter finds nothing to complain about."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _forget(stream)


def _forget(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
