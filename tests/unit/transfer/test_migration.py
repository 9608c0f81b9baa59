"""From a project's own `.prodigy` directory into a store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.project import LocalProject
from prodigy_storage.codecs.kinds import DEAD_LETTER, PRODIGY_CHECKPOINT, SESSION
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import InvalidValue, NotFound
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.ports.storage import Query
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import fake_runtime

from .conftest import fill, held, lines_of

CORPUS = Path(__file__).parents[2] / "prodigy" / "corpus" / "legacy-project"
OLD_SESSION = {
    "session_id": "session-old",
    "status": "Interrupted",
    "started_at": "2024-01-02T03:04:05.123456789Z",
    "ended_at": None,
    "iterations_completed": 3,
    "files_changed": 7,
    "errors": ["it broke"],
    "working_directory": "/home/me/shop",
    "worktree_name": "wt-1",
}


@pytest.fixture
def project(tmp_path):
    place = tmp_path / "legacy-project"
    shutil.copytree(CORPUS, place)
    local = LocalProject(place)
    yield local
    local.close()


@pytest.fixture
def store(target):
    return Store(target, runtime=fake_runtime())


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_everything_goes_to_the_project_and_its_jobs(project, store, target):
    """Dead letters, checkpoints and both kinds of event files come over; those in one file go to the jobs they name."""
    done = store.transfers.migrate(project)
    repo = "legacy-project"
    assert done.repo == repo
    letters = target.documents(Query(DEAD_LETTER, (repo, "mapreduce-20250304_235959"))).documents
    assert sorted(letter.id for letter in letters) == ["item_0", "item_1", "item_2"]
    folder = Path(project.root)
    for letter in letters:
        file = folder / "dlq/mapreduce/dlq/mapreduce-20250304_235959/items" / f"{letter.id}.json"
        assert letter.body == file.read_bytes()
    assert [one.id for one in target.documents(Query(PRODIGY_CHECKPOINT, (repo,))).documents] == ["local-1"]
    shared = (folder / "events" / "mapreduce_events.jsonl").read_bytes().splitlines()
    named = [line for line in shared if "job_id" in json.loads(line)["event"]]
    assert lines_of(target, (repo, "mapreduce-legacy"), EVENTS) == named
    assert lines_of(target, (repo,), EVENTS) == [line for line in shared if line not in named]
    assert len(lines_of(target, (repo, "mapreduce-20250301_070000"), EVENTS)) == 40
    assert list(target.scopes(EVENTS)) == [(repo,), (repo, "mapreduce-20250301_070000"), (repo, "mapreduce-legacy")]


def test_nothing_is_removed_and_a_second_time_nothing_is_done(project, store, target):
    """The directory gains the note and is else untouched; repeated, the migration finds everything there."""
    before = contents(project.root)
    done = store.transfers.migrate(project)
    assert done.mark == str(Path(project.root) / "migrated.json")
    after = contents(project.root)
    assert after.pop(Path(done.mark))
    assert after == before
    note = json.loads(Path(done.mark).read_bytes())
    assert (note["repo"], note["records"]) == ("legacy-project", 67)
    now = held(target)
    again = store.transfers.migrate(project)
    assert not again.report.changed
    assert held(target) == now


def test_files_that_are_no_data_are_listed(project, store):
    """What the store keeps nothing of is named, in the answer and in the note, and stays."""
    Path(project.root, "notes.md").write_text("mine")
    done = store.transfers.migrate(project)
    assert "notes.md" in done.left
    assert all(Path(project.root, name).is_file() for name in done.left)
    assert not any(name.endswith(("item_0.json", "mapreduce_events.jsonl")) for name in done.left)
    assert json.loads(Path(done.mark).read_bytes())["left"] == list(done.left)
    assert "migrated.json" not in store.transfers.migrate(project).left


def test_another_name_and_a_dry_run(project, store, target):
    """`repo` gives the project another name; a dry run writes neither data nor the note."""
    told = store.transfers.migrate(project, repo="other", dry_run=True)
    assert (told.mark, held(target)) == (None, ({}, {}))
    done = store.transfers.migrate(project, repo="other")
    assert done.report == told.report
    assert {scope[0] for scope in target.scopes(EVENTS)} == {"other"}
    assert {scope[0] for scope in target.scopes(DEAD_LETTER)} == {"other"}


def test_old_session_files_become_sessions(project, store):
    """A session file of an old Prodigy becomes a session of the project; one that is damaged is reported."""
    root = Path(project.root)
    (root / "session_state.json").write_text(json.dumps(OLD_SESSION))
    (root / "session_2.json").write_text('{"session_id": "x"}')
    (root / "session_3.json").write_text("{")
    done = store.transfers.migrate(project)
    session = store.sessions.load("session-old").value
    assert session.status is SessionStatus.PAUSED
    assert (session.repo, session.error) == ("legacy-project", "it broke")
    assert session.workflow_data.worktree_name == "wt-1"
    assert session.workflow_data.iterations_completed == 3
    assert sorted(damage.place for damage in done.report.damage) == [
        str(root / "session_2.json"),
        str(root / "session_3.json"),
    ]
    assert done.mark is None
    assert not any("session_" in name for name in done.left)


def test_a_last_line_without_its_newline_is_carried_or_reported(project, store, target):
    """A whole record at the end of an event file comes over, once; half of one is reported and leaves no note."""
    events = Path(project.root) / "events"
    last = json.dumps({"id": "z", "event": {"event_type": "job_paused", "job_id": "mapreduce-legacy"}}).encode()
    with (events / "mapreduce_events.jsonl").open("ab") as file:
        file.write(last)
    scope = ("legacy-project", "mapreduce-legacy")
    for _ in range(2):
        done = store.transfers.migrate(project)
        assert lines_of(target, scope, EVENTS).count(last) == 1
        assert done.mark
    (events / "mapreduce_events.jsonl").write_bytes(b"x" * 100_000 + b"\n" + last[:-5] + b"y" * 100_000)
    (damage,) = store.transfers.migrate(project).report.damage[-1:]
    assert (damage.place, "torn tail" in damage.reason) == (str(events / "mapreduce_events.jsonl"), True)


def test_what_differs_is_kept_and_no_note_is_written(project, store, target):
    """A document that the store has otherwise stays, and the migration does not count as done."""
    store.transfers.migrate(project)
    Path(project.root, "migrated.json").unlink()
    (letter,) = target.documents(Query(DEAD_LETTER, limit=1)).documents
    file = next(Path(project.root).rglob(f"{letter.id}.json"))
    file.write_bytes(file.read_bytes().replace(b'"failure_count": ', b'"failure_count": 1'))
    done = store.transfers.migrate(project)
    assert [one.id for one in done.report.differing] == [letter.id]
    assert done.mark is None
    assert store.transfers.migrate(project, overwrite=True).mark


def test_a_store_in_the_project_keeps_its_names(tmp_path, target):
    """A directory that this library wrote goes over as it is: jobs, sessions, dead letters."""
    storage = FileStorage(tmp_path / "shop" / ".prodigy")
    fill(storage)
    storage.close()
    local = LocalProject(tmp_path / "shop" / ".prodigy")
    done = Store(target, runtime=fake_runtime()).transfers.migrate(local)
    assert held(target) == held(local.storage)
    assert done.left == ()
    assert any(key[0] == SESSION.name for key in held(target)[0])
    local.close()


def test_no_directory_and_the_store_itself(tmp_path, project):
    """A project without `.prodigy` is an error that says so, and a store is not migrated into itself."""
    with pytest.raises(NotFound, match=r"no \.prodigy"):
        LocalProject(tmp_path)
    with Store(FileStorage(project.root)) as store, pytest.raises(InvalidValue, match="itself"):
        store.transfers.migrate(project)
