"""Everything that can be wrong: found with its place, repaired where that loses nothing, and not found again."""

from __future__ import annotations

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.codecs.checkpoints import SETUP_ID
from prodigy_storage.codecs.kinds import (
    CHECKPOINT,
    DEAD_LETTER,
    JOB_STATE,
    MAPPING,
    QUARANTINE,
    RESUME_LOCK,
    SESSION,
    WORKTREE,
)
from prodigy_storage.codecs.leases import encode_resume_lock
from prodigy_storage.doctor import Severity
from prodigy_storage.errors import Conflict, InvalidValue, Locked
from prodigy_storage.model.prodigy.worktrees import WorktreeStatus
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Batch, Delete, Query
from prodigy_storage.runs.cleaning import Cleanable

from .conftest import finish, found


def kept(world, scope):
    """The bytes in quarantine."""
    return [one.body for one in world.storage.documents(Query(QUARANTINE, scope)).documents]


def test_a_store_that_is_well_has_no_findings(store):
    """And whoever wants to know is told what was looked at."""
    finish(store)
    seen = {}
    findings = store.doctor.examine(looked=lambda what, count: seen.update({what: seen.get(what, 0) + count}))
    assert list(findings) == []
    assert (seen["session"], seen["dead letter"], seen["mapping"], seen["job"]) == (1, 1, 2, 1)
    assert seen["event"] > 0


@pytest.mark.parametrize("kind", [SESSION, DEAD_LETTER, CHECKPOINT, WORKTREE])
def test_a_damaged_document_is_set_aside(world, store, kind):
    """Whole, and only this one; then it is not found any more."""
    run = finish(store)
    store.worktrees.create("shop", run.session_id, project="/project")
    page = world.storage.documents(Query(kind))
    victim = next(one for one in page.documents if one.id != SETUP_ID)
    body = victim.body[:40]
    world.put(kind, victim.scope, victim.id, body)

    (finding,) = found(store)["corrupt"]
    assert finding.severity is Severity.ERROR
    assert finding.offset is None or 0 < finding.offset <= len(body)
    assert victim.id in finding.place
    assert victim.id in finding.message
    assert store.doctor.repair(finding) == "moved to quarantine"
    assert kept(world, victim.scope) == [body]
    assert world.storage.fetch(victim.scope, kind, [victim.id]) == {}
    after = found(store)
    assert "corrupt" not in after
    assert victim.id in after["quarantined"][0].message


def test_what_lies_in_quarantine_is_never_overwritten(world, store):
    """A second damaged document of the same id is kept beside the first."""
    run = finish(store)
    for body in (b"{", b'{"id":', b"{"):
        world.put(SESSION, (), run.session_id, body)
        (finding,) = found(store)["corrupt"]
        store.doctor.repair(finding)
    assert sorted(kept(world, ())) == [b"{", b'{"id":']


def test_a_document_that_has_changed_since_is_left_alone(world, store):
    """A repair is for what was found, not for what somebody has written meanwhile."""
    run = finish(store)
    good = world.storage.fetch((), SESSION, [run.session_id])[run.session_id].body
    world.put(SESSION, (), run.session_id, good[:30])
    (finding,) = found(store)["corrupt"]
    world.put(SESSION, (), run.session_id, good)
    with pytest.raises(Conflict):
        store.doctor.repair(finding)
    assert store.sessions.get(run.session_id).id == run.session_id


def test_what_is_being_run_is_left_alone(world, store):
    """Its documents stay until nobody holds the job."""
    with world.process("other").runs.start("shop", items=[1, 2]) as run:
        run.complete(run.claim())
        good = world.storage.fetch((), SESSION, [run.session_id])[run.session_id].body
        world.put(SESSION, (), run.session_id, b"{")
        (finding,) = found(store)["corrupt"]
        with pytest.raises(Locked, match="is being run"):
            store.doctor.repair(finding)
        world.put(SESSION, (), run.session_id, good)
        assert found(store) == {}


def test_a_damaged_setup_stays_where_it_is(world, store):
    """A job cannot go on without it: the doctor says where to get it from."""
    run = finish(store)
    world.put(CHECKPOINT, ("shop", run.job_id), SETUP_ID, b"{")
    (finding,) = found(store)["corrupt"]
    assert (finding.repair, "restore" in finding.advice) == ("", True)
    with pytest.raises(InvalidValue, match="nothing repairs this"):
        store.doctor.repair(finding)


def test_a_checkpoint_that_contradicts_itself_is_set_aside(world, store):
    """Its checksum is right, and what it says is not."""
    run = finish(store)
    scope = ("shop", run.job_id)
    infos = [one for one in store.checkpoints.list(*scope).checkpoints if one.id != SETUP_ID]
    body = world.storage.fetch(scope, CHECKPOINT, [infos[-1].id])[infos[-1].id].body
    other = infos[-1].id.rpartition("-")[0] + "-99"
    world.storage.commit(Batch(scope, (Delete(CHECKPOINT, infos[-1].id),)))
    world.put(CHECKPOINT, scope, other, body)
    (finding,) = found(store)["contradiction"]
    assert "its number is" in finding.message
    store.doctor.repair(finding)
    assert "contradiction" not in found(store)
    assert kept(world, scope) == [body]


@pytest.mark.parametrize("which", [0, 1])
def test_a_mapping_with_one_side_gets_the_other(world, store, which):
    """It says what the side that is there says."""
    run = finish(store)
    gone = (run.session_id, run.job_id)[which]
    before = world.storage.fetch(("shop",), MAPPING, [gone])[gone].body
    world.storage.commit(Batch(("shop",), (Delete(MAPPING, gone),)))
    (finding,) = found(store)["one-sided"]
    assert gone in finding.message
    store.doctor.repair(finding)
    assert world.storage.fetch(("shop",), MAPPING, [gone])[gone].body == before
    assert found(store) == {}


def test_a_mapping_that_was_completed_meanwhile_is_no_finding(world, store):
    """What is said is looked at again right before."""
    runs = [finish(store) for _ in range(2)]
    for run in runs:
        world.storage.commit(Batch(("shop",), (Delete(MAPPING, run.job_id),)))
    findings = store.doctor.examine()
    assert next(findings).code == "one-sided"
    for run in runs:
        store.mappings.find(run.job_id)
    assert list(findings) == []


def test_a_damaged_side_of_a_mapping_is_made_anew(world, store):
    """From its other side; its bytes are kept."""
    run = finish(store)
    world.put(MAPPING, ("shop",), run.job_id, b"{")
    (finding,) = found(store)["corrupt"]
    assert "other side" in store.doctor.repair(finding)
    assert store.mappings.find(run.job_id)["shop"].session_id == run.session_id
    assert kept(world, ("shop",)) == [b"{"]
    assert set(found(store)) == {"quarantined"}


def test_a_mapping_whose_sides_are_both_damaged_is_set_aside(world, store):
    """There is nothing to make it from."""
    run = finish(store)
    for id, body in ((run.session_id, b"{"), (run.job_id, b"[")):
        world.put(MAPPING, ("shop",), id, body)
    for finding in found(store)["corrupt"]:
        store.doctor.repair(finding)
    assert sorted(kept(world, ("shop",))) == [b"[", b"{"]
    assert "corrupt" not in found(store)


def test_a_killed_run_is_found_with_its_lock(world, store):
    """The lock is released, with a record; how the session goes on is for its program to say."""
    other = world.process("other")
    run = other.runs.start("shop", items=[1, 2])
    assert found(store) == {}
    world.kill(other)
    codes = found(store)
    assert set(codes) == {"killed", "dead-lock"}
    assert run.session_id in codes["killed"][0].advice
    assert codes["killed"][0].repair == ""
    assert store.doctor.repair(codes["dead-lock"][0]) == "released"
    assert [one.by for one in store.locks.breaks()] == ["prodigy-storage doctor"]
    assert set(found(store)) == {"killed"}
    with store.runs.resume(run.job_id) as again:
        for attempt in again.attempts():
            again.complete(attempt)
    assert found(store) == {}


def test_a_lock_that_somebody_has_taken_since_is_left_alone(world, store):
    """The repair looks again."""
    other = world.process("other")
    run = other.runs.start("shop", items=[1, 2])
    world.kill(other)
    (finding,) = found(store)["dead-lock"]
    with world.process("third").runs.resume(run.job_id), pytest.raises(Locked):
        store.doctor.repair(finding)


@pytest.mark.parametrize(("alive", "codes"), [(False, {"dead-lock"}), (True, set()), (None, set())])
def test_a_lock_of_another_program_counts_if_its_holder_is_gone(world, store, alive, codes):
    """One who lives, or may live, is left alone."""
    owner = Token("", 4711, "host")
    world.put(RESUME_LOCK, (), "job-9", encode_resume_lock("job-9", owner, 0))
    world.living[owner] = alive
    assert set(found(store)) == codes
    for finding in found(store).get("dead-lock", []):
        assert "another program" in finding.message
        store.doctor.repair(finding)
    assert (world.storage.fetch((), RESUME_LOCK, ["job-9"]) == {}) is bool(codes)


def test_an_empty_lock_is_named_with_the_command_that_breaks_it(world, store):
    """Whoever wrote it may still be at it: the doctor does not judge."""
    world.put(RESUME_LOCK, (), "job-9", b"")
    (finding,) = found(store)["unreadable-lock"]
    assert (finding.repair, "locks break job-9 --force" in finding.advice) == ("", True)


def test_a_removal_that_was_interrupted_is_finished(world, store):
    """What was left of the session goes; its bytes are in quarantine."""
    run = finish(store)
    session = store.sessions.get(run.session_id)
    body = world.storage.fetch((), SESSION, [run.session_id])[run.session_id].body
    store.runs.remove(Cleanable(session=session, job_id=run.job_id))
    world.put(SESSION, (), run.session_id, body)
    (finding,) = found(store)["no-job"]
    assert "removed" in store.doctor.repair(finding)
    assert set(found(store)) == {"quarantined"}
    assert kept(world, ()) == [body]
    assert store.dlq.list("shop").values


def test_a_removal_is_not_finished_when_the_job_is_there_again(world, store):
    """Somebody has restored it since it was found."""
    run = finish(store)
    scope, (setup, *_) = ("shop", run.job_id), world.storage.documents(Query(CHECKPOINT)).documents
    session = world.storage.fetch((), SESSION, [run.session_id])[run.session_id]
    store.runs.remove(Cleanable(session=store.sessions.get(run.session_id), job_id=run.job_id))
    world.put(SESSION, (), run.session_id, session.body)
    (finding,) = found(store)["no-job"]
    world.put(CHECKPOINT, scope, setup.id, setup.body)
    with pytest.raises(Conflict, match="has state again"):
        store.doctor.repair(finding)
    assert store.sessions.find(run.session_id) is not None


def test_a_session_that_could_go_on_is_never_removed(world, store):
    """Its job may come back from a backup."""
    with store.runs.start("shop", items=[1, 2]) as run:
        run.complete(run.claim())
    ids = [one.id for one in world.storage.documents(Query(CHECKPOINT)).documents]
    ids_of_states = [one.id for one in world.storage.documents(Query(JOB_STATE)).documents]
    deletes = [*(Delete(CHECKPOINT, id) for id in ids), *(Delete(JOB_STATE, id) for id in ids_of_states)]
    world.storage.commit(Batch(("shop", run.job_id), deletes))
    (finding,) = found(store)["no-job"]
    assert (finding.repair, "sessions cancel" in finding.advice) == ("", True)


def test_a_session_whose_job_lost_its_setup_is_only_named(world, store):
    """Its setup is gone, and not because somebody removed the job."""
    run = finish(store)
    scope = ("shop", run.job_id)
    world.storage.commit(Batch(scope, (Delete(CHECKPOINT, SETUP_ID),)))
    codes = found(store)
    assert codes["no-setup"][0].severity is Severity.ERROR
    assert codes["no-job"][0].repair == ""


def test_a_job_without_its_session_is_named(world, store):
    """Resuming it makes the session again."""
    run = finish(store)
    world.storage.commit(Batch((), (Delete(SESSION, run.session_id),)))
    (finding,) = found(store)["no-session"]
    assert run.job_id in finding.message


def test_claims_of_the_dead_end_and_their_redrive_is_named(world, store):
    """The letter itself stays as it is; a claim of the living stays."""
    finish(store)
    (letter,) = store.dlq.list("shop").values
    job = store.dlq.list("shop").loaded[0].document.scope[1]
    other = world.process("other")
    running = other.redrives.start("shop", job)
    running.claim()
    assert found(store) == {}
    world.kill(other)
    codes = found(store)
    assert set(codes) == {"dead-claim", "interrupted-redrive"}
    assert running.id in codes["interrupted-redrive"][0].message
    assert store.doctor.repair(codes["dead-claim"][0]) == "the claim is over"
    assert store.dlq.list("shop").values == [letter]
    assert set(found(store)) == {"interrupted-redrive"}


def test_a_claim_that_was_taken_since_stays(world, store):
    """The repair ends the claim that was found, and no other."""
    finish(store)
    job = store.dlq.list("shop").loaded[0].document.scope[1]
    first, second = world.process("first"), world.process("second")
    first.redrives.start("shop", job).claim()
    world.kill(first)
    (finding,) = found(store)["dead-claim"]
    second.redrives.start("shop", job).claim()
    store.doctor.repair(finding)
    assert store.dlq.list("shop").values[0].claim is not None


def test_worktrees_and_records_that_do_not_match_are_named(world, store):
    """With the command for each; nothing is removed."""
    for name in ("both", "gone", "unknown"):
        store.worktrees.create("shop", name, project="/project")
    world.folders.there.remove(("shop", "gone"))
    store.worktrees.forget("shop", "unknown")
    store.worktrees.register_orphan("shop", "job", path="/elsewhere", error="busy")
    codes = found(store)
    assert {
        code: [one.place.rpartition("/")[2].removesuffix(".json") for one in many] for code, many in codes.items()
    } == {
        "no-folder": ["gone"],
        "no-record": ["unknown"],
        "orphaned-worktree": ["elsewhere"],
    }
    assert all(one.advice and not one.repair for many in codes.values() for one in many)


def test_worktrees_that_explain_themselves_are_no_findings(world, store):
    """One that was cleaned up has no folder, and one whose record is damaged is not without a record."""
    for name in ("cleaned", "damaged"):
        store.worktrees.create("shop", name, project="/project")
    store.worktrees.mark("shop", "cleaned", WorktreeStatus.CLEANED_UP)
    world.folders.there.remove(("shop", "cleaned"))
    world.put(WORKTREE, ("shop",), "damaged", b"{")
    assert set(found(store)) == {"corrupt"}


def test_one_project_alone_can_be_looked_at(world, store):
    """What is wrong with the others is not said."""
    for repo in ("shop", "web"):
        run = finish(store, repo)
        world.put(MAPPING, (repo,), run.job_id, b"{")
        world.storage.commit(Batch((repo, run.job_id), (Delete(CHECKPOINT, SETUP_ID),)))
    assert {code: len(many) for code, many in found(store, repo="shop").items()} == {
        code: len(many) // 2 for code, many in found(store).items()
    }


# --- real files


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def cut(path):
    """Half of the file is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """One bit in the middle is another one."""
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def damaged(world, root, pattern, harm):
    """The one file of a closed store that fits, after some harm."""
    world.storage.close()
    path = min(root.glob(pattern))
    harm(path)
    world.storage = FileStorage(root)
    return path


@pytest.mark.parametrize("world", ["files"], indirect=True)
@pytest.mark.parametrize("harm", [cut, flip])
@pytest.mark.parametrize(
    "pattern",
    ["sessions/*.json", "dlq/shop/*/items/*.json", "state/shop/mapreduce/jobs/*/map-checkpoint-*.json"],
)
def test_a_damaged_file_is_found_and_moved(world, root, pattern, harm):
    """Cut off or with a wrong bit: at its path, and whole in quarantine afterwards."""
    finish(world.process("first"))
    path = damaged(world, root, pattern, harm)
    body, store = path.read_bytes(), world.process("looker")
    (finding,) = found(store)["corrupt"]
    assert (finding.place, finding.offset is not None) == (str(path), True)
    store.doctor.repair(finding)
    assert not path.exists()
    assert body in {one.read_bytes() for one in root.glob(".store/kinds/quarantine/**/*.json")}
    assert "corrupt" not in found(store)


@pytest.mark.parametrize("world", ["files"], indirect=True)
@pytest.mark.parametrize("harm", [cut, flip])
@pytest.mark.parametrize("pattern", ["events/shop/*/*", "state/shop/mapreduce/jobs/*/progress-*"])
def test_damaged_records_are_found_at_their_byte(world, root, pattern, harm):
    """Nothing can be done about them but to say what they are."""
    first = world.process("first")
    finish(first)
    first.close()
    path = damaged(world, root, pattern, harm)
    before, findings = path.read_bytes(), found(world.process("looker"))["corrupt"]
    assert {one.place for one in findings} == {str(path)}
    assert all(0 <= one.offset < len(before) for one in findings if one.offset is not None)
    assert not any(one.repair for one in findings)
    assert path.read_bytes() == before


@pytest.mark.parametrize("world", ["files"], indirect=True)
def test_a_file_that_is_no_document_is_only_named(world, root):
    """A directory where a document should be is not moved."""
    finish(world.process("first"))
    path = root / "sessions" / "session-9.json"
    path.mkdir()
    findings = found(world.process("looker")).get("corrupt", [])
    assert all(not one.repair for one in findings)
    assert path.is_dir()


@pytest.mark.parametrize("world", ["files"], indirect=True)
def test_what_stands_in_the_way_is_named_and_the_rest_is_looked_at(world, root):
    """A directory in the place of a setup hides the other documents, and not the worktrees."""
    first = world.process("first")
    run = finish(first)
    path = root / "state" / "shop" / "mapreduce" / "jobs" / run.job_id / f"{SETUP_ID}.json"
    path.unlink()
    path.mkdir()
    first.worktrees.register_orphan("shop", "job", path="/elsewhere", error="busy")
    codes = found(world.process("looker"))
    assert str(path) in {one.place for one in codes["corrupt"]}
    assert any("move the file elsewhere" in one.advice for one in codes["corrupt"])
    assert "orphaned-worktree" in codes


@pytest.mark.parametrize("world", ["files"], indirect=True)
def test_validating_checkpoints_moves_a_cut_file_too(world, root):
    """`checkpoints.validate` and the doctor find the same, and put it in the same place."""
    finish(world.process("first"))
    path = damaged(world, root, "state/shop/mapreduce/jobs/*/map-checkpoint-*.json", cut)
    body, store = path.read_bytes(), world.process("looker")
    assert [one.place for one in found(store)["corrupt"]] == [str(path)]
    assert [one.quarantined for one in store.checkpoints.validate(repair=True) if not one.sound] == [True]
    assert (path.exists(), set(found(store))) == (False, {"quarantined"})
    assert body in {one.read_bytes() for one in root.glob(".store/kinds/quarantine/**/*.json")}
