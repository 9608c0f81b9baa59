"""Executes the examples of the README and of the documentation, each page in an empty home of its own."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, chdir
from pathlib import Path
from unittest.mock import patch

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

_rooms: list[ExitStack] = []


def enter(namespace: dict[str, object]) -> None:
    """Give a page a home, a working directory and an environment without our variables."""
    room = ExitStack()
    home = Path(room.enter_context(tempfile.TemporaryDirectory())).resolve()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRODIGY_")}
    room.enter_context(patch.dict(os.environ, {**kept, "HOME": str(home)}, clear=True))
    room.enter_context(chdir(home))
    namespace["home"] = home
    _rooms.append(room)


def leave(_namespace: dict[str, object]) -> None:
    """Remove what the page left behind."""
    _rooms.pop().close()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/**/*.md", "docs/*.md"],
    excludes=["docs/_build/**"],
    setup=enter,
    teardown=leave,
).pytest()
