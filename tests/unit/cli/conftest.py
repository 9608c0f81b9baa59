"""Stores to look at: one in memory, asked in this process, and one in files, asked through the installed program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import Settings
from prodigy_storage.store import Store

PROGRAM = Path(sys.executable).with_name("prodigy-storage")


@attrs.frozen
class Answer:
    """What a verb printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return json.loads(lines[0])


class Kept(Store):
    """A store that several verbs can use one after the other."""

    def close(self):
        self.events.flush()


@pytest.fixture
def store():
    with Kept(MemoryStorage()) as store:
        yield store


@pytest.fixture
def ask(store, capsys, monkeypatch):
    """Run a verb on the store in memory."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("PRODIGY_HOME", raising=False)

    def ask(*words):
        with pytest.raises(SystemExit) as ended:
            program(args=list(words), obj=Settings(store))
        return Answer(ended.value.code, *capsys.readouterr())

    return ask


def environment(**more):
    """The variables for a program that must not see those of this machine's user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRODIGY_")}
    path = f"{PROGRAM.parent}{os.pathsep}{kept.get('PATH', '')}"  # as in an activated environment
    kept.pop("PYTHONUNBUFFERED", None)  # as it is for most users
    return {**kept, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1", **more}


def call(*words, code=0, **more):
    """Run the installed program."""
    done = subprocess.run(
        [PROGRAM, *map(str, words)], capture_output=True, text=True, env=environment(**more), timeout=100, check=False
    )
    assert code in (None, done.returncode), done
    assert "Traceback" not in done.stderr, done
    return Answer(done.returncode, done.stdout, done.stderr)


def make_input(directory):
    """Files that parse, files that do not, and what is no input at all."""
    good = "def f():\n    pass\n\n\nclass A:\n    async def g(self): ...\n"
    files = {
        "pkg/__init__.py": b"",
        "pkg/deep/er/a.py": good.encode(),
        "pkg/b.py": good.encode(),
        "top.py": good.encode(),
        "bad/syntax.py": b"print 'x'\n",
        "bad/encoding.py": b"x = '\xff'\n",
        "bad/null.py": b"x\0y",
        "site-packages/left/out.py": b"syntax error here",
        "notes.txt": b"no python",
    }
    for name, content in files.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (directory / "link.py").symlink_to("top.py")
    (directory / "loop").symlink_to(".")
    return directory


@pytest.fixture(scope="session")
def parsed(tmp_path_factory):
    """A store in files after a small demo; do not change it. Gives its root and the demo's answer."""
    place = tmp_path_factory.mktemp("parsed")
    answer = call("demo", "--root", place / "root", "--input", make_input(place / "proj"), "--workers", 2, "--json")
    return place / "root", answer
