"""Executes the examples of the README and of the documentation, Python and commands, each page in an empty home."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, chdir
from pathlib import Path
from unittest.mock import patch

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

_CORPUS = Path(__file__).parent / "tests" / "prodigy" / "corpus"
_rooms: list[ExitStack] = []


def enter(namespace: dict[str, object]) -> None:
    """Give a page a home, a working directory and an environment without our variables."""
    room = ExitStack()
    home = Path(room.enter_context(tempfile.TemporaryDirectory())).resolve()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRODIGY_")}
    room.enter_context(patch.dict(os.environ, {**kept, "HOME": str(home)}, clear=True))
    room.enter_context(chdir(home))
    namespace["home"] = home
    namespace["corpus"] = _CORPUS
    _rooms.append(room)


def leave(_namespace: dict[str, object]) -> None:
    """Remove what the page left behind."""
    _rooms.pop().close()


def run_commands(example: Example) -> None:
    """Run each line of a console block that begins with `$ prodigy-storage`; it has to end with code 0."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for line in str(example.parsed).splitlines():
        if line.startswith("$ prodigy-storage"):
            done = subprocess.run(
                ["sh", "-c", line[2:]], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("console", run_commands), SkipParser()],
    patterns=["README.md", "docs/**/*.md", "docs/*.md"],
    excludes=["docs/_build/**"],
    setup=enter,
    teardown=leave,
).pytest()
