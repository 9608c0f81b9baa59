"""The command line on a directory that Prodigy wrote."""

from __future__ import annotations

import json

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.cli.program import program
from prodigy_storage.cli.settings import Settings
from prodigy_storage.errors import NotFound
from prodigy_storage.services.foreign_checkpoints import Sort
from prodigy_storage.store import Store

from .conftest import CORPUS, copied, tree_of

STATES = "mapreduce-1742281689101"
REDUCED = "mapreduce-20250320_160000"
WORKFLOW = "workflow-1741642985600"


@pytest.fixture
def ask(capsys):
    """Run a verb on the corpus; gives its exit code and what it printed, as JSON where that was asked for."""

    def ask(*words):
        with pytest.raises(SystemExit) as ended:
            program(args=list(words), obj=Settings(Store(FileStorage(CORPUS))))
        out, err = capsys.readouterr()
        return ended.value.code, json.loads(out) if "--json" in words else out, err

    return ask


@pytest.mark.parametrize(
    "words",
    [
        ("repos",),
        ("sessions", "list", "--all"),
        ("sessions", "show", "session-d49e0912-55d9-4f11-930f-b09e7abe6d51"),
        ("sessions", "show", STATES),
        ("checkpoints", "list", STATES),
        ("checkpoints", "show", WORKFLOW),
        ("dlq", "list", "--limit", "1000"),
        ("dlq", "inspect", "item-0"),
        ("dlq", "stats"),
        ("dlq", "analyze"),
        ("events", "ls", "--limit", "5"),
        ("events", "ls", "--event-type", "dlq_item_added"),
        ("events", "stats", "--group-by", "job_id"),
        ("events", "search", "checkout"),
        ("worktree", "ls"),
        ("usage",),
    ],
)
def test_verbs_that_read_work_and_change_nothing(ask, words):
    """Each verb that looks answers, finds something and leaves the directory as it is."""
    before = tree_of(CORPUS)
    code, found, _ = ask(*words, "--json")
    assert (code, found["status"], found["diagnostics"]) == (0, "ok", [])
    assert any(found["data"].values())
    code, text, _ = ask(*words)
    assert (code, bool(text.strip())) == (0, True)
    assert tree_of(CORPUS) == before


def test_the_empty_lock_is_a_finding(ask):
    """The locks are listed, and the empty one is named with its path and offset."""
    code, found, _ = ask("locks", "list", "--json")
    assert (code, len(found["data"]["locks"])) == (1, 3)
    assert [(one["path"], one["offset"]) for one in found["diagnostics"]] == [
        (str(CORPUS / "resume_locks/mapreduce-20250325_222222.lock"), 0)
    ]


@pytest.mark.parametrize(
    ("name", "sort", "number"),
    [
        (STATES, Sort.JOB_STATE, 3),
        (REDUCED, Sort.REDUCE, 3),
        (WORKFLOW, Sort.WORKFLOW, 1),
        ("mapreduce-20250308_160000", Sort.MAPREDUCE, 4),
        ("session-cd35754d-2f50-4060-b157-2b0311c2b860/checkpoint", Sort.WORKFLOW, 1),
    ],
)
def test_checkpoints_of_every_sort_are_listed_and_shown(ask, name, sort, number):
    """What Prodigy calls a checkpoint is found by its job, workflow or session, and shown whole."""
    code, found, _ = ask("checkpoints", "list", name, "--json")
    listed = found["data"]["prodigy_checkpoints"]
    assert (code, len(listed), {one["type"] for one in listed}) == (0, number, {sort.value})
    for one in listed:
        assert ask("checkpoints", "show", name, one["id"], "--json")[1]["data"]["id"] == one["id"]
    assert listed[-1]["id"] in ask("checkpoints", "list", name)[2] + ask("checkpoints", "show", name)[1]


def test_checkpoints_are_validated(ask):
    """All but the imported one, whose hash fits neither form, are sound; so are those of each job and workflow."""
    code, found, _ = ask("checkpoints", "validate", "--json")
    judged = found["data"]["prodigy_checkpoints"]
    assert (code, len(judged), sum(one["sound"] for one in judged)) == (1, 87, 86)
    (one,) = found["diagnostics"]
    assert one["path"] == str(next((CORPUS / "state/api-gateway/checkpoints").glob("cp-949f1599*")))
    assert "neither" in one["message"]
    for name, number in ((STATES, 3), (WORKFLOW, 1)):
        code, found, _ = ask("checkpoints", "validate", name, "--json")
        assert (code, [one["sound"] for one in found["data"]["prodigy_checkpoints"]]) == (0, [True] * number)
    assert "86 of 87" in ask("checkpoints", "validate")[2]


def test_a_damaged_checkpoint_is_found_wanting(tmp_path):
    """What cannot be read, what lacks a member and what assigns items to agents that are gone is not sound."""
    root = copied(tmp_path, "state")
    sound = json.loads(next((root / "state/shop/checkpoints").glob("cp-2b87c04b*")).read_bytes())
    place = root / "state/shop/checkpoints"
    (place / "cp-cut.checkpoint.json").write_bytes(json.dumps(sound).encode()[:200])
    lacking = {name: value for name, value in sound.items() if name != "error_state"}
    (place / "cp-lacking.checkpoint.json").write_text(json.dumps(lacking))
    sound["agent_state"]["agent_assignments"]["nobody"] = ["item_1"]
    (place / "cp-nobody.checkpoint.json").write_text(json.dumps(sound))
    with Store(FileStorage(root)) as store:
        wanting = {one.place.rpartition("/")[2]: one for one in store.foreign_checkpoints.validate() if not one.sound}
    assert {name.split(".")[0] for name in wanting if not name.startswith("cp-949")} == {
        "cp-cut",
        "cp-lacking",
        "cp-nobody",
    }
    assert isinstance(wanting["cp-cut.checkpoint.json"].offset, int)
    assert "error_state" in wanting["cp-lacking.checkpoint.json"].reasons[0]
    assert "nobody" in wanting["cp-nobody.checkpoint.json"].reasons[0]


def test_every_checkpoint_has_a_sort(ask):
    """The store lists all of them, in the order of time, by project too; one that is not there is an error."""
    with Store(FileStorage(CORPUS)) as store:
        found = store.foreign_checkpoints.list()
        assert (len(found.checkpoints), found.damage) == (16 + 59 + 12, [])
        assert [one.at for one in found.checkpoints] == sorted(one.at for one in found.checkpoints)
        assert {one.repo for one in store.foreign_checkpoints.list(repo="shop").checkpoints} == {"shop"}
        with pytest.raises(NotFound):
            store.foreign_checkpoints.show(STATES, "checkpoint-v99")
    assert ask("checkpoints", "list", "nothing")[0] == 3
