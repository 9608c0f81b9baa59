"""`doctor`: what people and programs are told, how it ends, and that looking changes nothing."""

from __future__ import annotations

import re
import shutil

import pytest

from prodigy_storage.codecs.kinds import MAPPING, SESSION
from prodigy_storage.ports.storage import Batch, Delete, Index, Kind, Put

from .conftest import call
from .sample import COLUMNS, make_sample


@pytest.fixture
def finished(store):
    """A job that is over."""
    with store.runs.start("shop", items=["good", "bad"], max_retries=0) as run:
        for attempt in run.attempts():
            run.fail(attempt, "broken") if attempt.item == "bad" else run.complete(attempt)
    store.events.flush()
    return run


def put(store, kind, scope, id, body):
    store.storage.commit(Batch(scope, (Put(Kind(kind.name, lambda _: Index(0), kind.tags), id, body),)))


@pytest.fixture
def harmed(store, finished):
    """One side of the mapping is missing, and a stray session is damaged."""
    store.storage.commit(Batch(("shop",), (Delete(MAPPING, finished.job_id),)))
    put(store, SESSION, (), "session-9", b"{")
    return finished


@pytest.mark.usefixtures("finished")
def test_a_store_that_is_well(ask):
    """It says what was looked at and how much, and ends with 0."""
    answer = ask("doctor")
    assert (answer.code, answer.out) == (0, "")
    assert "Looked at 1 dead letter," in answer.err
    assert "1 session," in answer.err
    assert answer.err.endswith("nothing is wrong.\n")
    assert ask("doctor", "--json").json["data"]["looked_at"]["session"] == 1


def test_an_empty_store_is_well(ask):
    """There is nothing to look at, and it says so."""
    answer = ask("doctor")
    assert (answer.code, answer.err) == (0, "Looked at an empty store: nothing is wrong.\n")


@pytest.mark.usefixtures("harmed")
def test_findings_are_grouped_with_what_to_do(ask):
    """Errors first, each with its place and the next step; the exit code is 1."""
    answer = ask("doctor")
    lines = [line.strip() for line in answer.out.splitlines()]
    assert (answer.code, lines[0], lines[4]) == (1, "1 error", "1 warning")
    assert lines[1].startswith("session session-9: it is no JSON")
    assert lines[2].startswith("session/session-9")
    assert lines[3] == "→ doctor --repair: move it to quarantine, byte for byte"
    assert lines[7] == "→ doctor --repair: write the other side, as this one says it"
    assert answer.err.endswith("2 findings.\n")


@pytest.mark.usefixtures("harmed")
def test_programs_get_each_finding(ask):
    """With its code, severity and place; the diagnostics say the same."""
    answer = ask("doctor", "--json")
    assert (answer.code, answer.json["status"]) == (1, "findings")
    findings = answer.json["data"]["findings"]
    assert [(one["code"], one["severity"]) for one in findings] == [("corrupt", "error"), ("one-sided", "warning")]
    assert [one["code"] for one in answer.json["diagnostics"]] == ["corrupt", "one-sided"]


@pytest.mark.usefixtures("harmed")
def test_a_dry_run_changes_nothing(ask):
    """It tells what a repair would do, and ends as the repair would."""
    answer = ask("doctor", "--repair", "--dry-run")
    assert (answer.code, "Repair 2 findings of 2 (dry run: nothing is changed)" in answer.err) == (0, True)
    assert ask("doctor").code == 1


def test_a_repair_that_repairs_all(ask, harmed, store):
    """It ends with 0, says what was done, and the damaged bytes are kept."""
    answer = ask("doctor", "--repair", "--yes")
    assert (answer.code, "2 repaired, 0 left" in answer.err) == (0, True)
    assert "→ moved to quarantine" in answer.out
    assert store.mappings.find(harmed.job_id)["shop"].session_id == harmed.session_id
    again = ask("doctor", "--json").json["data"]["findings"]
    assert [one["code"] for one in again] == ["quarantined"]
    assert "1 document in quarantine," in ask("doctor").err
    put(store, SESSION, (), "session-8", b"[")
    ask("doctor", "--repair", "--yes")
    assert "2 documents in quarantine," in ask("doctor").err


@pytest.mark.usefixtures("harmed")
def test_a_repair_that_leaves_something(ask, store):
    """What needs a decision stays, and the exit code is 6."""
    store.worktrees.register_orphan("shop", "job", path="/elsewhere", error="busy")
    answer = ask("doctor", "--repair", "--yes", "--json")
    assert (answer.code, answer.json["status"], answer.json["data"]["repaired"]) == (6, "partial", 2)
    assert [one["hint"] for one in answer.json["diagnostics"]] == ["prodigy-storage worktree clean-orphaned"]


@pytest.mark.usefixtures("harmed")
def test_a_repair_that_fails_is_told(ask, store, monkeypatch):
    """Why, beside what it was about; the others are repaired all the same."""
    monkeypatch.setattr(store.mappings, "keep", lambda *_: store.runs.find("nowhere"))
    answer = ask("doctor", "--repair", "--yes")
    assert (answer.code, "1 repaired, 1 left" in answer.err) == (6, True)
    assert "→ Not repaired: there is no session or job nowhere" in answer.out


@pytest.mark.usefixtures("harmed")
def test_nobody_to_ask_is_no_yes(ask):
    """Without a terminal it refuses and changes nothing."""
    assert ask("doctor", "--repair").code == 2
    assert len(ask("doctor", "--json").json["data"]["findings"]) == 2


def test_the_installed_program_repairs_a_damaged_file(parsed, tmp_path):
    """A demo's store is well; with a cut session it says where, and the repair keeps its bytes."""
    root = tmp_path / "root"
    shutil.copytree(parsed[0], root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert "nothing is wrong" in call("doctor", "--root", root).err
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before

    (session,) = (root / "sessions").iterdir()
    session.write_bytes(body := session.read_bytes()[:100])
    answer = call("doctor", "--root", root, code=1)
    assert f"{session}: byte 100" in answer.out
    call("doctor", "--root", root, "--repair", "--yes")
    assert not session.exists()
    assert body in [path.read_bytes() for path in root.rglob("quarantine/**/*.json")]


def test_a_terminal_of_80_columns_is_enough(parsed, tmp_path):
    """Messages are folded; only what is to be copied whole is longer."""
    place = make_sample(tmp_path / "home", parsed[0])
    answer = place.terminal("doctor")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", answer.out).splitlines()
    assert answer.code == 1
    assert "nobody holds its job" in " ".join(answer.out.split())
    assert [line for line in lines if len(line) > COLUMNS and len(line.split()) > 1 and "prodigy-" not in line] == []
