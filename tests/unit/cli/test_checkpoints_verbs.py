"""`checkpoints validate|diff|delete|clean|export|import`, in this process."""

from __future__ import annotations

import pytest

from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.model.checkpoints import CheckpointTrigger
from prodigy_storage.ports.storage import Batch, Delete, Kind, Put


@pytest.fixture
def run(store):
    """A paused run of four items: one done, one dead; three checkpoints and the setup."""
    with store.runs.start("repo", items=[1, 2, 3, 4], trigger=CheckpointTrigger(items=1)) as run:
        run.complete(run.claim())
        run.fail(run.claim(), "no good")
    return run


def ids(store, run):
    return [info.id for info in store.checkpoints.list("repo", run.job_id).checkpoints]


def damage(store, run, id):
    scope = ("repo", run.job_id)
    body = store.storage.fetch(scope, CHECKPOINT, [id])[id].body
    blind = Kind(CHECKPOINT.name, lambda _: CHECKPOINT.index(body), CHECKPOINT.tags)
    store.storage.commit(Batch(scope, (Put(blind, id, body[:-9]),)))


class TestValidate:
    def test_all_is_sound(self, ask, store, run):
        """Of one job, by either id, or of all."""
        for words in ((), (run.session_id,), (run.job_id, "--repo", "repo"), ("--repo", "repo")):
            answer = ask("checkpoints", "validate", *words)
            assert (answer.code, answer.err) == (0, "4 of 4 checkpoints of 1 job are sound.\n")
        empty = ask("checkpoints", "validate", "--repo", "other", "--json").json["data"]
        assert empty == {"checkpoints": [], "prodigy_checkpoints": []}

    def test_damage_is_named_and_repaired_once(self, ask, store, run):
        """Exit code 1 with findings until it was moved to quarantine."""
        bad = ids(store, run)[-1]
        damage(store, run, bad)
        answer = ask("checkpoints", "validate", "--json")
        assert (answer.code, answer.json["status"]) == (1, "findings")
        assert [one["id"] for one in answer.json["data"]["checkpoints"] if not one["sound"]] == [bad]
        assert "quarantine" in ask("checkpoints", "validate", "--repair").err
        assert ask("checkpoints", "validate").code == 0


class TestDiff:
    def test_the_last_two_are_compared(self, ask, store, run):
        """Totals before and after, and the items."""
        _, first, second, last = ids(store, run)
        answer = ask("checkpoints", "diff", run.session_id, first, second)
        assert answer.code == 0
        assert "died: item_1" in answer.out
        found = ask("checkpoints", "diff", run.session_id, "--json").json["data"]
        assert (found["before_id"], found["after_id"], found["died"]) == (second, last, [])
        assert found["after"] == {"completed": 1, "dead_letters": 1, "failures": 0}

    def test_two_are_needed(self, ask, store):
        """A job that has just begun has none."""
        run = store.runs.start("repo", items=[1])
        answer = ask("checkpoints", "diff", run.session_id)
        assert (answer.code, "two are needed" in answer.err) == (2, True)
        run.__exit__(None, None, None)

    def test_what_is_no_map_checkpoint_cannot_be_compared(self, ask, store, run):
        """The error says so."""
        assert ask("checkpoints", "diff", run.session_id, "setup-checkpoint").code == 2


class TestDelete:
    def test_an_older_one_goes_and_the_newest_only_by_force(self, ask, store, run):
        """The newest of an unfinished job is refused with what would help."""
        _, first, second, last = ids(store, run)
        assert ask("checkpoints", "delete", run.session_id, first, "--yes").code == 0
        refused = ask("checkpoints", "delete", run.session_id, last, "--yes")
        assert (refused.code, "--force" in refused.err) == (2, True)
        assert ask("checkpoints", "delete", run.session_id, last, "--yes", "--force").code == 0
        assert ids(store, run) == ["setup-checkpoint", second]

    def test_the_setup_stays(self, ask, store, run):
        """Also with force."""
        answer = ask("checkpoints", "delete", run.session_id, "setup-checkpoint", "--yes", "--force")
        assert (answer.code, "sessions clean" in answer.err) == (2, True)

    def test_it_asks_first_and_suggests_the_near_one(self, ask, store, run):
        """A dry run changes nothing."""
        newest = ids(store, run)[-1]
        assert ask("checkpoints", "delete", run.session_id, newest).code == 2
        assert ask("checkpoints", "delete", run.session_id, newest, "--dry-run").code == 0
        answer = ask("checkpoints", "delete", run.session_id, newest[:-1] + "77", "--yes")
        assert (answer.code, "Did you mean map-checkpoint-" in answer.err) == (3, True)
        assert len(ids(store, run)) == 4


class TestClean:
    def test_retention_keeps_the_newest(self, ask, store, run):
        """The dry run names what then goes."""
        kept = ids(store, run)
        words = ("checkpoints", "clean", run.job_id, "--keep", "1", "--json")
        told = ask(*words, "--dry-run").json["data"]
        assert [one["id"] for one in told["checkpoints"]] == kept[1:3]
        assert ids(store, run) == kept
        assert ask(*words, "--yes").json["data"] == {**told, "removed": 2, "dry_run": False}
        assert ids(store, run) == [kept[0], kept[3]]
        assert "no checkpoint go" in ask("checkpoints", "clean", "--yes").err

    def test_it_asks_first(self, ask, store, run):
        """And says what would go."""
        answer = ask("checkpoints", "clean", "--older-than", "0s")
        assert (answer.code, ids(store, run)[1] in answer.err) == (2, True)


class TestCarry:
    def test_what_was_exported_is_imported_where_it_is_missing(self, ask, store, run, tmp_path):
        """All or some, verified; a file is replaced by force only."""
        file = tmp_path / "job.checkpoints"
        answer = ask("checkpoints", "export", run.session_id, str(file))
        assert (answer.code, "4 checkpoints" in answer.err) == (0, True)
        assert ask("checkpoints", "export", run.session_id, str(file)).code == 2
        newest = ids(store, run)[-1]
        assert ask("checkpoints", "export", run.session_id, str(file), newest, "--force").code == 0
        store.storage.commit(Batch(("repo", run.job_id), (Delete(CHECKPOINT, newest),)))
        data = ask("checkpoints", "import", str(file), "--json").json["data"]
        assert (data["written"], data["present"]) == ([newest], [])
        assert "were there already" in ask("checkpoints", "import", str(file)).err
        assert list(tmp_path.iterdir()) == [file]

    def test_a_damaged_file_is_refused(self, ask, store, run, tmp_path):
        """Exit code 5, and nothing was written."""
        file = tmp_path / "job.checkpoints"
        ask("checkpoints", "export", run.session_id, str(file))
        file.write_bytes(file.read_bytes()[:-20])
        answer = ask("checkpoints", "import", str(file))
        assert (answer.code, "the file" in answer.err) == (5, True)
        assert ask("checkpoints", "import", str(tmp_path / "nothing")).code == 2
