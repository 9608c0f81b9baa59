"""`backup`, `verify`, `restore`, `usage`."""

from __future__ import annotations

import json

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import DEAD_LETTER
from prodigy_storage.ports.storage import Batch, Put, Query
from prodigy_storage.store import Store

from .conftest import call


def job(store, repo="shop", fails=True):
    """A finished job with a dead letter; returns its id."""
    with store.runs.start(repo, items=[1, 2], max_retries=0) as run:
        for attempt in run.attempts():
            with attempt:
                if attempt.item == 2 and fails:
                    raise ValueError("no good")
    store.events.flush()
    return run.job_id


def letters(storage):
    return list(storage.documents(Query(DEAD_LETTER)).documents)


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "all.backup")


def changed(storage):
    """Let the dead letter have another content; returns it."""
    (letter,) = letters(storage)
    tree = {**json.loads(letter.body), "manual_review_required": True}
    del tree["_crc"]
    storage.commit(Batch(letter.scope, [Put(DEAD_LETTER, letter.id, json.dumps(tree).encode())]))
    return letters(storage)[0]


class TestBackup:
    def test_a_store_goes_into_a_file_and_comes_back(self, ask, store, file, tmp_path):
        """What `backup` wrote, `verify` confirms and `restore` brings into another store."""
        job(store)
        made = ask("backup", file, "--json")
        assert (made.code, made.json["status"]) == (0, "ok")
        assert made.json["data"]["documents"]["dead_letter"] == 1
        assert ask("verify", file, "--json").json["data"] == made.json["data"]
        answer = call("restore", file, "--root", tmp_path / "root", "--json")
        assert answer.json["data"]["records"] == made.json["data"]["records"]
        with Store(FileStorage(tmp_path / "root")) as other:
            assert [one.body for one in letters(other.storage)] == [one.body for one in letters(store.storage)]

    def test_people_read_what_was_done_and_how_to_restore(self, ask, store, file):
        """The answer names the file, what is in it and how large it is; the command to restore is below it."""
        job(store)
        answer = ask("backup", file)
        assert answer.out.startswith(f"Wrote {file}: everything as of ")
        assert "1  dead_letter" in answer.out
        assert "records in" in answer.out
        assert f"Restore it: prodigy-storage restore {file}" in answer.err
        assert ask("verify", file).out.startswith(f"Verified {file}: everything as of ")

    def test_a_project_or_a_job(self, ask, store, file):
        """`--repo` and `--job-id` choose a part; what is not known is suggested."""
        id = job(store)
        job(store, repo="other")
        assert ask("backup", file, "--repo", "shop", "--json").json["data"]["scope"] == ["shop"]
        assert ask("backup", file, "--force", "--job-id", id, "--json").json["data"]["scope"] == ["shop", id]
        for words, near in ((("--repo", "shpo"), "shop"), (("--job-id", id[:-1]), id)):
            answer = ask("backup", file + "2", *words)
            assert (answer.code, f"Did you mean {near}?" in answer.err) == (3, True)

    def test_an_existing_file_stays(self, ask, store, file):
        """A second backup into the same file needs `--force`."""
        job(store)
        ask("backup", file)
        assert "exists already" in ask("backup", file).err
        assert ask("backup", file, "--force").code == 0

    def test_a_file_that_is_no_backup_is_refused(self, ask, store, tmp_path):
        """`verify` and `restore` end with 5 for a damaged file, with 3 for a missing one, and restore nothing."""
        bad = tmp_path / "bad"
        bad.write_bytes(b"no zstd")
        for verb in ("verify", "restore"):
            answer = ask(verb, str(bad))
            assert (answer.code, answer.out) == (5, "")
            assert f"{bad}: byte 0: " in answer.err
            assert ask(verb, str(tmp_path / "gone")).code == 3
        assert not letters(store.storage)


class TestRestore:
    def test_conflicts_are_kept_listed_and_end_with_6(self, ask, store, file):
        """A document with other content stays, is named, and makes the exit code that of partial success."""
        job(store)
        ask("backup", file)
        kept = changed(store.storage)
        answer = ask("restore", file, "--json")
        assert (answer.code, answer.json["status"]) == (6, "partial")
        (conflict,) = answer.json["data"]["conflicts"]
        assert (conflict["kind"], conflict["id"]) == ("dead_letter", kept.id)
        assert letters(store.storage)[0].body == kept.body
        assert (
            f"conflict: dead_letter/{'/'.join(kept.scope)}/{kept.id} has other content here" in ask("restore", file).err
        )

    def test_overwriting_asks(self, ask, store, file):
        """`--force` says what it would overwrite and refuses without an answer; `--yes` gives it, `--dry-run` tells."""
        job(store)
        before = letters(store.storage)[0].body
        ask("backup", file)
        kept = changed(store.storage).body
        refused = ask("restore", file, "--force")
        assert (refused.code, "Overwrite 1 documents" in refused.err) == (2, True)
        told = ask("restore", file, "--force", "--dry-run")
        assert (told.code, told.out.startswith("Would restore")) == (0, True)
        assert letters(store.storage)[0].body == kept
        assert ask("restore", file, "--force", "--yes").code == 0
        assert letters(store.storage)[0].body == before

    def test_a_dry_run_writes_nothing(self, ask, store, file):
        """`--dry-run` counts what would be restored."""
        other = Store(MemoryStorage())
        job(other)
        other.transfers.backup(file)
        answer = ask("restore", file, "--dry-run", "--json")
        assert answer.json["data"]["copied"] > 0
        assert not letters(store.storage)


class TestUsage:
    def test_everything_by_kind_and_project(self, ask, store):
        """The table names each kind with its count and size, and each project below it."""
        job(store)
        job(store, repo="other", fails=False)
        answer = ask("usage")
        assert "dead letters" in answer.out
        assert "everything" in answer.out
        assert {"shop", "other"} <= set(answer.out.split())
        data = ask("usage", "--json").json["data"]
        assert {one["repo"]: one["jobs"] for one in data["repos"]} == {"shop": 1, "other": 1}
        assert sum(one["bytes"] for one in data["measures"]) == data["total"]["bytes"] > 0

    def test_one_project_or_job(self, ask, store):
        """`--repo` shows the project's jobs, `--job-id` finds its project."""
        id = job(store)
        job(store, repo="other")
        assert id in ask("usage", "--repo", "shop").out
        rows = ask("usage", "--job-id", id, "--json").json["data"]["measures"]
        assert {(row["repo"], row["job_id"]) for row in rows} == {("shop", id)}

    def test_an_empty_store(self, ask):
        """Nothing stored is said so, with what to do."""
        answer = ask("usage")
        assert (answer.code, answer.out) == (0, "")
        assert "Nothing is stored yet." in answer.err

    def test_files_are_measured_as_they_are(self, parsed):
        """Through the installed program: the sum is that of all files below the root."""
        root, _ = parsed
        total = call("usage", "--root", root, "--json").json["data"]["total"]["bytes"]
        assert total == sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
