"""Run by `nox -s no_extras` where no extra is installed: the library works, and the command says what it lacks."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec

import prodigy_storage
from prodigy_storage.errors import Unsupported

EXTRAS = ["cel", "click", "hypothesis", "humanize", "pytest", "rich"]


def main(command: str) -> None:
    installed = [name for name in EXTRAS if find_spec(name)]
    assert not installed, f"this environment has extras: {installed}"
    with tempfile.TemporaryDirectory() as root:
        round_trip(root)
    result = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert result.returncode != 0, result
    assert "pip install 'prodigy-storage[cli]'" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr, result.stderr


def hint_of_a_filter(store: prodigy_storage.Store) -> str:
    try:
        store.dlq.list(filter="true")
    except Unsupported as error:
        return error.hint
    return ""


def round_trip(root: str) -> None:
    with prodigy_storage.open(root) as store, store.runs.start("repo", items=[1, 2, 3]) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = attempt.item * 2
    with prodigy_storage.open(root) as store:
        assert [repo.name for repo in store.repos()] == ["repo"]
        assert "pip install 'prodigy-storage[filters]'" in hint_of_a_filter(store)


main(sys.argv[1])
