"""Checkpoints: publish, list, newest valid, retention, quarantine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.checkpoints import checkpoint_id
from prodigy_storage.codecs.kinds import CHECKPOINT, QUARANTINE
from prodigy_storage.codecs.progress import PROGRESS, encode_progress
from prodigy_storage.errors import Conflict, Corrupt, NotFound
from prodigy_storage.model.checkpoints import CheckpointReason, CheckpointRetention, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.jobs import Backoff, JobSettings, JobState, Outcome, Progress, Setup, WorkItem
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.storage import Append, Batch, Put, Storage
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.testing.fakes import FakeClock

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SCOPE = ("repo", "job")


class Blind(MemoryStorage):
    """A memory store into which damage can be put, since a sound one refuses it."""

    def damage(self, id: str, body: bytes) -> None:
        kind = CHECKPOINT.__class__(CHECKPOINT.name, lambda _: CHECKPOINT.index(self.sound), CHECKPOINT.tags)
        self.sound = self.fetch(SCOPE, CHECKPOINT, [id])[id].body
        self.commit(Batch(SCOPE, (Put(kind, id, body),)))


def made(number: int, *, done: int = 0, final: bool = False, progress: str | None = None) -> MapCheckpoint:
    state = JobState()
    for index in range(done):
        state.fold(Progress(f"item_{index}", Outcome.DONE, 1, 5, 7, b'{"n":1}'))
    return MapCheckpoint(
        job_id="job",
        session_id="session",
        number=number,
        epoch=9,
        created_at=NOW + timedelta(minutes=number),
        reason=CheckpointReason.INTERVAL,
        state=state,
        progress=progress,
        final=final,
    )


@pytest.fixture
def storage() -> Blind:
    return Blind()


@pytest.fixture
def checkpoints(storage: Storage) -> Checkpoints:
    return Checkpoints(storage, FakeClock(NOW + timedelta(hours=1)))


def test_a_setup_is_stored_once_and_comes_back(checkpoints: Checkpoints) -> None:
    """Items, settings and metadata survive; a second setup is a conflict."""
    setup = Setup(
        repo="repo",
        job_id="job",
        session_id="session",
        created_at=NOW,
        items=(WorkItem("a/b", {"x": 1}), WorkItem("c", None)),
        settings=JobSettings(max_retries=3, backoff=Backoff(initial=0.5)),
        correlation_id="cid",
        metadata={"workflow_name": "w"},
    )
    checkpoints.save_setup(setup)
    assert checkpoints.setup("repo", "job") == setup
    with pytest.raises(Conflict):
        checkpoints.save_setup(setup)
    with pytest.raises(NotFound):
        checkpoints.setup("repo", "other")


def test_the_newest_map_checkpoint_is_the_one_with_the_highest_number(checkpoints: Checkpoints) -> None:
    """Numbers decide, and the whole state comes back."""
    for number in (1, 2, 3):
        checkpoints.save("repo", made(number, done=number))
    newest = checkpoints.latest("repo", "job")
    assert newest.checkpoint == made(3, done=3)
    assert [info.number for info in newest.checkpoints] == [1, 2, 3]
    assert checkpoints.latest("repo", "nothing").checkpoint is None


def test_a_damaged_newest_checkpoint_is_quarantined_once_and_reported(storage: Blind, checkpoints: Checkpoints) -> None:
    """The one before it is taken, the damaged bytes are kept aside, and the next look finds no damage."""
    ids = [checkpoints.save("repo", made(number, done=number)) for number in (1, 2)]
    body = storage.fetch(SCOPE, CHECKPOINT, [ids[1]])[ids[1]].body
    damaged = body.replace(b'"ms":7', b'"ms":6', 1)
    storage.damage(ids[1], damaged)
    newest = checkpoints.latest("repo", "job")
    assert newest.checkpoint == made(1, done=1)
    assert [(report.id, report.reason) for report in newest.damage] == [
        (ids[1], "the checksum differs from the content")
    ]
    assert storage.fetch(SCOPE, QUARANTINE, [ids[1]])[ids[1]].body == damaged
    assert not checkpoints.latest("repo", "job").damage


def test_a_damaged_setup_is_an_error_that_names_it(storage: Blind, checkpoints: Checkpoints) -> None:
    """A job cannot go on without its items, so the damage is raised, not passed over."""
    setup = Setup(repo="repo", job_id="job", session_id="s", created_at=NOW, items=(WorkItem("a", 1),))
    checkpoints.save_setup(setup)
    storage.damage("setup-checkpoint", b'{"format":1')
    with pytest.raises(Corrupt, match="no checkpoint"):
        checkpoints.setup("repo", "job")


def test_retention_prunes_all_but_the_newest_and_the_final_one(checkpoints: Checkpoints) -> None:
    """Ten stay by default; setup and reduce never go."""
    checkpoints.save_setup(Setup(repo="repo", job_id="job", session_id="s", created_at=NOW, items=()))
    for number in range(1, 15):
        checkpoints.save("repo", made(number, final=number == 1))
    checkpoints.save_reduce("repo", _reduce(15, {"sum": 3}))
    listed = checkpoints.list("repo", "job").checkpoints
    assert [info.number for info in listed if info.phase is Phase.MAP] == [1, *range(5, 15)]
    assert {info.phase for info in listed} == {Phase.SETUP, Phase.MAP, Phase.REDUCE}
    reduced = checkpoints.reduced("repo", "job")
    assert reduced is not None
    assert reduced.result == {"sum": 3}


def _reduce(number: int, result: dict[str, int]) -> ReduceCheckpoint:
    return ReduceCheckpoint(job_id="job", session_id="s", number=number, epoch=1, created_at=NOW, result=result)


def test_progress_is_trimmed_below_the_oldest_kept_checkpoint(storage: Blind, checkpoints: Checkpoints) -> None:
    """What the oldest kept one covers goes; what a damaged newest one would need stays."""
    cursors = []
    for number in range(4):
        line = encode_progress(Progress(f"item_{number}", Outcome.DONE, 1, number, result=b"1"))
        storage.commit(Batch(SCOPE, (Append(PROGRESS, line),)))
        chunk = storage.records(SCOPE, PROGRESS)
        cursors.append(chunk.cursor)
    retention = CheckpointRetention(keep=2)
    for number in range(4):
        checkpoints.save("repo", made(number + 1, progress=cursors[number]), retention=retention)
    left = storage.records(SCOPE, PROGRESS).data
    assert b"item_2" not in left
    assert b"item_3" in left


def test_identifiers_carry_phase_time_and_number() -> None:
    """They are the names of the global storage architecture."""
    assert checkpoint_id(Phase.MAP, 7, NOW) == "map-checkpoint-20250101_000000-7"
    assert checkpoint_id(Phase.REDUCE, 8, NOW) == "reduce-checkpoint-v1-20250101_000000-8"
