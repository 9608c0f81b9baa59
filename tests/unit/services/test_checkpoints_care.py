"""Checkpoints as people look after them: validate, compare, delete, clean, export and import."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.checkpoints import SETUP_ID, checkpoint_id
from prodigy_storage.codecs.kinds import CHECKPOINT, QUARANTINE
from prodigy_storage.errors import Conflict, Corrupt, InvalidTransition, InvalidValue, NotFound
from prodigy_storage.model.checkpoints import CheckpointReason, CheckpointRetention, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.jobs import JobState, Outcome, Progress, Setup, WorkItem
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.storage import Batch, Kind, Put
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.testing.fakes import FakeClock

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SCOPE = ("repo", "job")
KEEP_ALL = CheckpointRetention(keep=100)


def state(**outcomes):
    """`a="done"`: the first attempt of item a has completed it."""
    made = JobState()
    for item, outcome in outcomes.items():
        name, _, attempt = outcome.partition("-")
        result = b"1" if name == "done" else None
        made.fold(Progress(item, Outcome(name), int(attempt or 1), 5, 7, result))
    return made


def saved(checkpoints, number, *, final=False, scope=SCOPE, **outcomes):
    checkpoint = MapCheckpoint(
        job_id=scope[1],
        session_id="session",
        number=number,
        epoch=9,
        created_at=NOW + timedelta(minutes=number),
        reason=CheckpointReason.INTERVAL,
        state=state(**outcomes),
        final=final,
    )
    return checkpoints.save(scope[0], checkpoint, retention=KEEP_ALL)


def reduced(checkpoints, number, *, complete):
    made = ReduceCheckpoint(
        job_id="job", session_id="session", number=number, epoch=9, created_at=NOW, result=1, complete=complete
    )
    return checkpoints.save_reduce("repo", made)


def started(checkpoints, scope=SCOPE):
    items = tuple(WorkItem(id, None) for id in "abcd")
    setup = Setup(repo=scope[0], job_id=scope[1], session_id="session", created_at=NOW, items=items)
    checkpoints.save_setup(setup)


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def checkpoints(storage):
    made = Checkpoints(storage, FakeClock(NOW + timedelta(hours=1)))
    started(made)
    return made


def damage(storage, id, body=b"{", scope=SCOPE):
    sound = storage.fetch(scope, CHECKPOINT, [id])[id].body
    blind = Kind(CHECKPOINT.name, lambda _: CHECKPOINT.index(sound), CHECKPOINT.tags)
    storage.commit(Batch(scope, (Put(blind, id, body if body is not None else sound),)))


def kept(checkpoints):
    return [info.id for info in checkpoints.list(*SCOPE).checkpoints]


def test_sound_checkpoints_are_found_sound(checkpoints):
    """One verdict for each, of every job, or of one repo or job."""
    started(checkpoints, ("other", "job-2"))
    ids = [saved(checkpoints, 1, a="done", b="dead", c="failed"), reduced(checkpoints, 2, complete=True)]
    verdicts = list(checkpoints.validate())
    assert all(verdict.sound for verdict in verdicts)
    assert sorted(v.id for v in verdicts if v.repo == "repo") == sorted([SETUP_ID, *ids])
    assert [v.job_id for v in checkpoints.validate("other")] == ["job-2"]
    assert [v.repo for v in checkpoints.validate(job="job-2")] == ["other"]
    assert list(checkpoints.validate("repo", "job-2")) == []


def test_damage_is_found_once_it_was_repaired(checkpoints, storage):
    """Without `repair` nothing changes; with it the damaged one is in quarantine, whole, and the rest is sound."""
    good, bad = saved(checkpoints, 1, a="done"), saved(checkpoints, 2, a="done", b="done")
    damage(storage, bad)
    for _ in range(2):
        assert [v.id for v in checkpoints.validate() if not v.sound] == [bad]
    (verdict,) = [v for v in checkpoints.validate(repair=True) if not v.sound]
    assert verdict.quarantined
    assert storage.fetch(SCOPE, QUARANTINE, [bad])[bad].body == b"{"
    assert [v.id for v in checkpoints.validate() if v.sound] == [SETUP_ID, good]


def test_a_damaged_setup_is_reported_and_stays(checkpoints, storage):
    """It is not moved, since nothing could take its place."""
    damage(storage, SETUP_ID)
    (verdict,) = checkpoints.validate(repair=True)
    assert (verdict.sound, verdict.quarantined, verdict.phase) == (False, False, None)
    assert storage.fetch(SCOPE, CHECKPOINT, [SETUP_ID])


@pytest.mark.parametrize(
    ("number", "outcomes", "reason"),
    [(1, {"stranger": "done"}, "none of the job, such as stranger"), (2, {"a": "done"}, "its number is 1")],
)
def test_a_checkpoint_that_does_not_fit_its_job_is_found(checkpoints, storage, number, outcomes, reason):
    """A checksum alone does not tell: ids, numbers and items are compared too."""
    id = saved(checkpoints, 1, **outcomes)
    body = storage.fetch(SCOPE, CHECKPOINT, [id])[id].body
    if number == 2:
        id = checkpoint_id(Phase.MAP, 2, NOW)
        storage.commit(Batch(SCOPE, (Put(CHECKPOINT, id, body),)))
    (verdict,) = [v for v in checkpoints.validate() if not v.sound]
    assert (verdict.id, reason in verdict.reasons[0]) == (id, True)


def test_a_checkpoint_of_another_job_is_found(checkpoints, storage):
    """A file that was copied into the wrong folder."""
    id = saved(checkpoints, 1, a="done")
    body = storage.fetch(SCOPE, CHECKPOINT, [id])[id].body
    storage.commit(Batch(("repo", "job-3"), (Put(CHECKPOINT, id, body),)))
    (verdict,) = checkpoints.validate(job="job-3")
    assert verdict.reasons == ("it is one of job job",)


def test_two_checkpoints_are_compared(checkpoints):
    """Items that were completed, died, failed again, or are open again after a restart; and the totals."""
    first = saved(checkpoints, 1, a="done", b="failed")
    second = saved(checkpoints, 2, a="dead", b="dead-2", c="done", d="failed")
    diff = checkpoints.diff(*SCOPE, first, second)
    assert attrs.asdict(diff) == {
        "completed": ["c"],
        "died": ["a", "b"],
        "failed": ["d"],
        "reopened": [],
        "changed": ["a"],
        "before": {"completed": 1, "dead_letters": 0, "failures": 1},
        "after": {"completed": 1, "dead_letters": 2, "failures": 1},
    }
    assert checkpoints.diff(*SCOPE, second, first).reopened == ["b", "c"]
    with pytest.raises(InvalidValue, match="no map checkpoint"):
        checkpoints.diff(*SCOPE, first, SETUP_ID)
    with pytest.raises(NotFound):
        checkpoints.diff(*SCOPE, first, "map-checkpoint-9")


def test_an_older_checkpoint_is_deleted_and_a_needed_one_only_by_force(checkpoints):
    """The newest of a phase that is not over, and the setup, are what the job goes on from."""
    first, second = saved(checkpoints, 1), saved(checkpoints, 2)
    partial = reduced(checkpoints, 3, complete=False)
    checkpoints.delete(*SCOPE, first)
    for needed in (second, partial):
        with pytest.raises(InvalidTransition, match="not over"):
            checkpoints.delete(*SCOPE, needed)
        checkpoints.delete(*SCOPE, needed, force=True)
    with pytest.raises(InvalidTransition, match="starts from"):
        checkpoints.delete(*SCOPE, SETUP_ID, force=True)
    with pytest.raises(NotFound):
        checkpoints.delete(*SCOPE, first)


def test_a_final_or_damaged_checkpoint_is_deleted_without_force(checkpoints, storage):
    """Neither is what a job would go on from."""
    sound, bad = saved(checkpoints, 1), saved(checkpoints, 2)
    damage(storage, bad)
    checkpoints.delete(*SCOPE, bad)
    with pytest.raises(InvalidTransition):
        checkpoints.delete(*SCOPE, sound)
    checkpoints.delete(*SCOPE, saved(checkpoints, 3, final=True))


def test_retention_removes_from_every_job_what_it_lets_go(checkpoints):
    """A dry run says the same and removes nothing."""
    other = ("other", "job-2")
    started(checkpoints, other)
    ids = [saved(checkpoints, number) for number in range(1, 5)]
    gone = [saved(checkpoints, number, scope=other) for number in (1, 2)][:1]
    rule = CheckpointRetention(keep=1)
    told = checkpoints.clean(retention=rule, dry_run=True)
    assert [one.info.id for one in told] == [*gone, *ids[:3]]
    assert kept(checkpoints) == [SETUP_ID, *ids]
    assert checkpoints.clean("repo", retention=rule) == told[1:]
    assert kept(checkpoints) == [SETUP_ID, ids[3]]
    assert checkpoints.clean("repo", retention=rule) == []
    assert [one.repo for one in checkpoints.clean(job="job-2", retention=rule)] == ["other"]


def test_exported_checkpoints_come_back_byte_for_byte(checkpoints, storage):
    """Into an empty store all are written; where they are already, nothing is."""
    ids = [saved(checkpoints, 1, a="done"), saved(checkpoints, 2, a="done", b="dead"), SETUP_ID]
    lines = list(checkpoints.export(*SCOPE))
    elsewhere = MemoryStorage()
    others = Checkpoints(elsewhere, FakeClock())
    done = others.import_lines(lines)
    assert (done.repo, done.job_id, sorted(done.written), list(done.present)) == (*SCOPE, sorted(ids), [])
    for id in ids:
        assert elsewhere.fetch(SCOPE, CHECKPOINT, [id])[id].body == storage.fetch(SCOPE, CHECKPOINT, [id])[id].body
    again = checkpoints.import_lines(lines)
    assert (list(again.written), sorted(again.present)) == ([], sorted(ids))
    (one,) = others.import_lines(checkpoints.export(*SCOPE, [ids[0]])).present
    assert one == ids[0]


def test_a_damaged_file_is_never_imported(checkpoints):
    """Every flipped byte and every cut is found, and nothing is written."""
    saved(checkpoints, 1, a="done")
    data = b"".join(checkpoints.export(*SCOPE))
    storage = MemoryStorage()
    others = Checkpoints(storage, FakeClock())
    broken = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(0, len(data) - 1, 7)]
    broken += [data[:at] for at in range(0, len(data) - 1, 7)] + [data + b"more\n"]
    for one in broken:
        with pytest.raises(Corrupt):
            others.import_lines(one.splitlines(keepends=True))
    assert not storage.scopes(CHECKPOINT)


def test_another_checkpoint_of_the_same_id_is_a_conflict(checkpoints):
    """Nothing is overwritten, and nothing else of the file is written."""
    id = saved(checkpoints, 1, a="done")
    others = Checkpoints(MemoryStorage(), FakeClock())
    assert saved(others, 1, b="done") == id
    with pytest.raises(Conflict, match=id):
        others.import_lines(checkpoints.export(*SCOPE))
    assert kept(others) == [id]


def test_nothing_damaged_is_exported(checkpoints, storage):
    """The error names it; an unknown job or id is not found."""
    id = saved(checkpoints, 1, a="done")
    damage(storage, id)
    with pytest.raises(Corrupt):
        list(checkpoints.export(*SCOPE))
    assert list(checkpoints.export(*SCOPE, [SETUP_ID]))
    for job, ids in (("nothing", ()), ("job", ("map-checkpoint-9",))):
        with pytest.raises(NotFound):
            list(checkpoints.export("repo", job, ids))
