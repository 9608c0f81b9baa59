"""The dialect as an option of the command line: what a verb and its worker processes write is acceptable to Prodigy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .checker import kind_of, offence, unpacked

PROGRAM = Path(sys.executable).with_name("prodigy-storage")


@pytest.fixture
def sources(tmp_path):
    """A package with files that can be parsed, and one in a folder that cannot."""
    for name, text in (("a.py", "x = 1\n"), ("deep/b.py", "import a\n"), ("deep/bad.py", "def (\n")):
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "pkg"


def demo(tmp_path, sources, *words):
    """Run the demonstration job; gives the root of its store."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRODIGY_")}
    command = [PROGRAM, *words, "--root", tmp_path / "root", "demo", "--json", "--workers", "1", "--input", sources]
    done = subprocess.run(command, capture_output=True, text=True, env=kept, timeout=100, check=False)
    assert json.loads(done.stdout)["status"] in {"ok", "partial", "findings"}, done
    return tmp_path / "root"


def of_prodigy(root):
    """The files that Prodigy looks at, by kind."""
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    return {name: kind for name in names if not name.startswith(".store") and (kind := kind_of(name))}


def test_a_job_in_the_dialect_is_acceptable_to_prodigy(tmp_path, sources):
    """Each file of a kind that Prodigy reads passes the checker, and lies where Prodigy looks."""
    root = demo(tmp_path, sources, "--dialect", "prodigy-0.4")
    found = of_prodigy(root)
    assert {
        kind: offence(kind, unpacked(name, (root / name).read_bytes())) for name, kind in found.items()
    } == dict.fromkeys(found.values())
    assert {"dlq-item", "session", "job-state", "job-metadata", "mapping"} <= set(found.values())
    (letter,) = [name for name, kind in found.items() if kind == "dlq-item"]
    assert "/mapreduce/dlq/" in letter
    assert letter.endswith("/items/deep%2Fbad.py.json")
    assert json.loads((root / letter).read_bytes())["item_id"] == "deep/bad.py"
    tags = {json.loads(line)["event"]["event_type"] for line in events(root)}
    assert {"agent_progress", "d_l_q_item_added"} <= tags


def events(root):
    return [line for path in root.glob("events/*/*/*.jsonl") for line in path.read_text("utf-8").splitlines()]


def test_the_option_counts_more_than_the_setting(tmp_path, sources):
    """With `--dialect documented` a store whose settings name the other dialect is written in the documented places."""
    (tmp_path / "c.yml").write_text("storage: {dialect: prodigy-0.4}\n")
    root = demo(tmp_path, sources, "--config", tmp_path / "c.yml", "--dialect", "documented")
    assert [path.parent.name for path in root.glob("dlq/*/*/*/*.json")] == ["items"]
    assert not list(root.glob("dlq/*/*/mapreduce"))
