"""`migrate` on the command line, and what a person answers on a terminal."""

from __future__ import annotations

import json
import os
import pty
import shutil
from pathlib import Path

import pytest

from prodigy_storage.codecs.kinds import DEAD_LETTER
from prodigy_storage.ports.storage import Query

from .conftest import PROGRAM, call, environment

CORPUS = Path(__file__).parents[2] / "prodigy" / "corpus" / "legacy-project"


@pytest.fixture
def project(tmp_path):
    shutil.copytree(CORPUS, tmp_path / "shop")
    return tmp_path / "shop"


def spoil(project):
    """Let a dead letter of the project differ from what was migrated."""
    letter = next(project.rglob("item_0.json"))
    letter.write_bytes(letter.read_bytes().replace(b'"failure_count": ', b'"failure_count": 1'))


def test_a_project_is_migrated(ask, store, project):
    """The answer says what was copied, where the note is and which files were left; `--json` says the same."""
    told = ask("migrate", str(project), "--dry-run")
    assert told.out.startswith(f"Would copy {project}/.prodigy as project shop: 4 documents and 67 records.")
    answer = ask("migrate", str(project))
    assert f"Copied {project}/.prodigy as project shop: 4 documents and 67 records." in answer.out
    assert f"the note is {project}/.prodigy/migrated.json" in answer.out.replace("\n", " ")
    assert "index.json" in answer.err
    data = ask("migrate", str(project), "--json").json["data"]
    assert (data["copied"], data["same"], data["known"], data["repo"]) == (0, 4, 67, "shop")
    assert all(path.endswith("index.json") for path in data["left"])
    assert len(store.storage.documents(Query(DEAD_LETTER, ("shop",))).documents) == 3


def test_a_directory_without_prodigy_and_a_missing_one(ask, tmp_path):
    """Nothing to migrate is 3 with what to do, a directory that is not there is a usage error."""
    answer = ask("migrate", str(tmp_path))
    assert (answer.code, "has no .prodigy directory" in answer.err) == (3, True)
    assert ask("migrate", str(tmp_path / "none")).code == 2


def test_conflicts_end_with_6_and_are_overwritten_only_when_asked_for(ask, project):
    """A document that differs is named and kept; `--force --yes` takes that of the project."""
    ask("migrate", str(project))
    (project / ".prodigy" / "migrated.json").unlink()
    spoil(project)
    answer = ask("migrate", str(project), "--json")
    assert (answer.code, answer.json["status"], answer.json["data"]["mark"]) == (6, "partial", None)
    assert [one["id"] for one in answer.json["data"]["conflicts"]] == ["item_0"]
    assert ask("migrate", str(project), "--force").code == 2
    assert ask("migrate", str(project), "--force", "--yes", "--json").json["data"]["replaced"] == 1


def test_the_store_itself_is_refused(project):
    """Migrating the directory that is the root of the store is a mistake."""
    answer = call("migrate", project, "--root", project / ".prodigy", code=2)
    assert "the store itself" in answer.err


@pytest.mark.parametrize(("said", "code", "replaced"), [("y", 0, 1), ("n", 1, 0)])
def test_a_person_is_asked_on_a_terminal(project, tmp_path, said, code, replaced):
    """On a terminal the question names the document; yes overwrites it, no changes nothing."""
    root = tmp_path / "root"
    call("migrate", project, "--root", root)
    before = next(project.rglob("item_0.json")).read_bytes()
    spoil(project)
    pid, terminal = pty.fork()
    if pid == 0:
        words = [str(PROGRAM), "migrate", str(project), "--root", str(root), "--force"]
        os.execve(PROGRAM, words, {**environment(), "TERM": "xterm"})
    printed = b""
    while b"[y/N]" not in printed:
        printed += os.read(terminal, 65536)
    os.write(terminal, said.encode() + b"\n")
    try:
        while data := os.read(terminal, 65536):
            printed += data
    except OSError:  # the other end was closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert b"Overwrite 1 documents" in printed
    assert b"dead_letter/shop/mapreduce-20250304_235959/item_0" in printed
    assert (b"1 documents overwritten" in printed) is bool(replaced)
    kept = json.loads(call("dlq", "inspect", "item_0", "--root", root, "--json").out)["data"]["item"]
    assert (kept["failure_count"] == json.loads(before)["failure_count"]) is not bool(replaced)
