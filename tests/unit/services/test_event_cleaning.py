"""Events: what a cleaning removes, what it keeps, and what a death in the middle of it leaves."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.archives import ArchiveFile, ArchiveFolder
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import EVENT_ARCHIVING
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Conflict, Corrupt, InvalidValue, Locked, StorageFull
from prodigy_storage.model.event_cleaning import EventLimits
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import QueueDepthChanged
from prodigy_storage.ports.storage import Append, Batch, Capability, Delete, Put, Trim
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeClock, fake_runtime

JOB = ("repo", "job")


class Dead(BaseException):
    """The process dies here."""


class Mortal(MemoryStorage):
    """Dies before or after the n-th commit that is about cleaning."""

    dies_at = None
    before = True

    def commit(self, batch):
        about = any(
            isinstance(one, Trim) or (isinstance(one, Put | Delete) and one.kind == EVENT_ARCHIVING)
            for one in batch.operations
        )
        if about and self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at == 0:
                if not self.before:
                    super().commit(batch)
                raise Dead
        return super().commit(batch)


class Plain(MemoryStorage):
    """A backend that has the six methods alone."""

    @property
    def capabilities(self):
        return super().capabilities - {Capability.PRUNING}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def runtime(clock):
    return fake_runtime(clock=clock)


@pytest.fixture
def store(runtime):
    with Store(Mortal(), runtime=runtime) as store:
        yield store


def fill(store, clock, count, *, repo="repo", job="job", start=0, flush=10):
    """One event each second."""
    with store.events.logger(repo, job, capacity=flush) as logger:
        for number in range(start, start + count):
            clock.advance(1)
            logger.log(QueueDepthChanged(job, number, 0, 0))
            if number % flush == flush - 1:
                logger.flush()


def left(store, job="job"):
    return [record.event.pending for record in store.events.query(EventFilter(job=job))]


def archived(folder):
    """The numbers in every archive, one after the other."""
    lines = [gzip.decompress(path.read_bytes()).splitlines() for path in sorted(folder.glob("events_archive_*"))]
    return [json.loads(line)["event"]["pending"] for part in lines for line in part]


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (EventLimits(max_events=3), [27, 28, 29]),
        (EventLimits(max_events=0), []),
        (EventLimits(max_events=30), list(range(30))),
        (EventLimits(older_than=timedelta(seconds=4)), [25, 26, 27, 28, 29]),
        (EventLimits(older_than=timedelta(0)), [29]),
        (EventLimits(older_than=timedelta(seconds=4), max_events=2), [28, 29]),
        (EventLimits(older_than=timedelta(seconds=1), max_events=9), [28, 29]),
        (EventLimits(max_size=10**9), list(range(30))),
        (EventLimits(max_size=0), []),
    ],
)
def test_the_newest_stay(store, clock, limits, kept):
    """Each limit that is named removes the oldest; a limit that is not named removes nothing."""
    fill(store, clock, 30)
    planned = store.events.clean(limits, dry_run=True)
    assert left(store) == list(range(30))
    done = store.events.clean(limits)
    assert left(store) == kept
    assert done == planned
    assert [(one.repo, one.job, one.removed, one.kept) for one in done] == (
        [("repo", "job", 30 - len(kept), len(kept))] if len(kept) < 30 else []
    )
    assert store.events.clean(limits) == []


def test_the_size_limit_counts_whole_lines(store, clock):
    """As many of the newest as fit stay."""
    fill(store, clock, 30)
    size = sum(len(record.raw) + 1 for record in store.events.query() if record.event.pending >= 12)
    (done,) = store.events.clean(EventLimits(max_size=size))
    assert left(store) == list(range(12, 30))
    assert done.kept_bytes == size
    store.events.clean(EventLimits(max_size=size - 1))
    assert left(store) == list(range(13, 30))


def test_events_of_one_moment_go_in_their_order(store):
    """A clock that stands still is no reason to keep more, or to remove more."""
    with store.events.logger("repo", "job") as logger:
        for number in range(10):
            logger.log(QueueDepthChanged("job", number, 0, 0))
    store.events.clean(EventLimits(max_events=4))
    assert left(store) == [6, 7, 8, 9]
    store.events.clean(EventLimits(max_size=0))
    assert left(store) == []


def test_only_the_named_jobs_are_touched(store, clock):
    """By project and by job, one or several; each job has its own limit."""
    for repo, job in (("repo", "a"), ("repo", "b"), ("other", "a"), ("repo", "c")):
        fill(store, clock, 5, repo=repo, job=job)
    done = store.events.clean(EventLimits(max_events=2), repo="repo", job=["a", "b", "none"])
    assert [(one.repo, one.job, one.removed) for one in done] == [("repo", "a", 3), ("repo", "b", 3)]
    assert store.events.stats().total == 14
    assert len(store.events.clean(EventLimits(max_events=2))) == 2


def test_a_limit_has_to_be_named():
    """None at all, and a negative one, are refused."""
    for limits in ({}, {"max_events": -1}, {"max_size": -1}, {"older_than": timedelta(seconds=-1)}):
        with pytest.raises(InvalidValue):
            EventLimits(**limits)


def test_a_backend_without_a_look_at_its_front_gives_whole_chunks(runtime, clock):
    """Nothing is removed that a limit does not name; what shares a chunk with the newest stays, and is counted."""
    with Store(Plain(), runtime=runtime) as store:
        fill(store, clock, 30)
        (done,) = store.events.clean(EventLimits(max_events=3))
        assert (done.removed, done.kept, done.spared) == (0, 30, 27)
        assert left(store) == list(range(30))
        store.events.clean(EventLimits(max_events=0))
        assert left(store) == []


def test_files_give_exactly_what_is_named(tmp_path, runtime, clock):
    """Also in the middle of what was flushed together; the segment of a living writer is left alone."""
    with Store(FileStorage(tmp_path), runtime=runtime) as writer:
        fill(writer, clock, 30)
        with Store(FileStorage(tmp_path), runtime=runtime) as store:
            (done,) = store.events.clean(EventLimits(max_events=3))
            assert (done.removed, done.spared) == (0, 27)
    with Store(FileStorage(tmp_path), runtime=runtime) as store:
        limits = EventLimits(max_events=13)
        assert store.events.clean(limits, dry_run=True) == store.events.clean(limits)
        found = store.events.query()
        assert [record.event.pending for record in found] == list(range(17, 30))
        assert found.damage == []
        assert store.events.clean(limits) == []


def test_what_goes_is_archived_first(store, clock, tmp_path):
    """The archive has the records as they were stored; it is named after the time and the job, and readable alone."""
    fill(store, clock, 30)
    stored = [record.raw for record in store.events.query()]
    (done,) = store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path / "a" / "b"))
    (path,) = (tmp_path / "a" / "b").iterdir()
    assert done.archives == (str(path),)
    assert path.name == "events_archive_20250101_000030_repo_job.jsonl.gz"
    assert gzip.decompress(path.read_bytes()).splitlines() == stored[:20]
    assert path.stat().st_mode & 0o777 == 0o600
    assert left(store) == list(range(20, 30))


def test_archives_are_never_replaced(store, clock, tmp_path):
    """A second one of the same second gets a number; one with nothing in it is not made."""
    folder = ArchiveFolder(tmp_path)
    fill(store, clock, 30)
    for keep in (20, 20, 10, 5):
        store.events.clean(EventLimits(max_events=keep), archive=folder)
    assert sorted(archived(tmp_path)) == list(range(25))
    assert len(list(tmp_path.iterdir())) == 3
    assert left(store) == list(range(25, 30))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_death_at_any_commit_loses_and_doubles_nothing(store, clock, tmp_path, step, before):
    """The archives and the rest are everything, once, after the next cleaning; the newest stayed."""
    fill(store, clock, 30)
    store.storage.dies_at, store.storage.before = step, before
    with pytest.raises(Dead):
        store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path))
    assert set(range(30)) <= {*archived(tmp_path), *left(store)}
    store.storage.dies_at = None
    clock.advance(100)
    fill(store, clock, 5, start=30)
    planned = store.events.clean(EventLimits(max_events=10), dry_run=True)
    done = store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path))
    assert sorted(archived(tmp_path)) == list(range(25))
    assert left(store) == list(range(25, 35))
    assert sum(one.removed for one in done) == planned[0].removed
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert store.storage.fetch(JOB, EVENT_ARCHIVING, ["front"]) == {}


class Publishing(ArchiveFolder):
    """Dies before or after an archive gets its name."""

    after = False

    def draft(self, scope, now):
        draft = super().draft(scope, now)
        publish = draft.publish

        def dying():
            if self.after:
                publish()
            raise Dead

        draft.publish = dying
        draft.discard = lambda: None
        return draft


@pytest.mark.parametrize("after", [True, False])
def test_a_death_at_the_name_loses_and_doubles_nothing(store, clock, tmp_path, after):
    """An archive without its name is made anew; one that has it is not made again."""
    fill(store, clock, 30)
    folder = Publishing(tmp_path)
    folder.after = after
    with pytest.raises(Dead):
        store.events.clean(EventLimits(max_events=10), archive=folder)
    store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path))
    assert archived(tmp_path) == list(range(20))
    assert left(store) == list(range(20, 30))


def test_a_dead_cleaning_is_finished_though_no_limit_names_anything(store, clock, tmp_path):
    """What was archived goes, and the cleaning tells so."""
    fill(store, clock, 30)
    store.storage.dies_at = 2
    with pytest.raises(Dead):
        store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path))
    (done,) = store.events.clean(EventLimits(max_events=99), archive=ArchiveFolder(tmp_path / "other"))
    assert (done.removed, done.kept) == (20, 10)
    assert [path.rpartition("/")[0] for path in done.archives] == [str(tmp_path)]
    assert left(store) == list(range(20, 30))


def test_a_cleaning_without_archive_leaves_a_dead_one_for_the_next(store, clock, tmp_path):
    """It cannot know whether the archive is there; the next one that has an archive doubles nothing."""
    fill(store, clock, 30)
    store.storage.dies_at = 2
    with pytest.raises(Dead):
        store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path))
    store.events.clean(EventLimits(max_events=25))
    store.events.clean(EventLimits(max_events=9), archive=ArchiveFolder(tmp_path))
    assert sorted(archived(tmp_path)) == list(range(21))
    assert left(store) == list(range(21, 30))


def test_two_cleanings_of_one_job_exclude_each_other(store, clock, tmp_path, runtime):
    """The second one is told who is at work, and touches nothing."""
    fill(store, clock, 30)
    other = Store(store.storage, runtime=runtime)

    class Meeting(ArchiveFolder):
        def draft(self, scope, now):
            with pytest.raises(Locked, match="cleaning of the events of repo/job"):
                other.events.clean(EventLimits(max_events=5))
            return super().draft(scope, now)

    store.events.clean(EventLimits(max_events=10), archive=Meeting(tmp_path))
    assert left(store) == list(range(20, 30))
    assert store.locks.list() == []


def test_a_cleaning_whose_lock_was_taken_over_changes_nothing(store, clock, tmp_path):
    """It is fenced: whatever it was about to do, its successor does."""
    fill(store, clock, 30)

    class Overtaken(ArchiveFolder):
        def draft(self, scope, now):
            (lease,) = store.locks.list()
            store.locks.acquire(lease.scope, lease.name, force=True)
            return super().draft(scope, now)

    with pytest.raises(Conflict):
        store.events.clean(EventLimits(max_events=10), archive=Overtaken(tmp_path))
    assert left(store) == list(range(30))
    assert list(tmp_path.iterdir()) == []

    class Late(ArchiveFolder):
        def draft(self, scope, now):
            draft = super().draft(scope, now)
            seal = draft.seal

            def overtaken():
                (lease,) = [one for one in store.locks.list() if one.purpose.startswith("cleaning")]
                store.locks.acquire(lease.scope, lease.name, force=True)
                return seal()

            draft.seal = overtaken
            return draft

    store.locks.release(store.locks.acquire(JOB, store.locks.list()[0].name, force=True))
    with pytest.raises(Conflict):
        store.events.clean(EventLimits(max_events=10), archive=Late(tmp_path))
    assert left(store) == list(range(30))
    assert list(tmp_path.iterdir()) == []


class Full(Disk):
    """Takes no byte."""

    def write(self, descriptor, data):
        raise OSError(28, "No space left on device")


def test_an_archive_that_cannot_be_written_removes_nothing(store, clock, tmp_path):
    """The error is typed, and no draft is left behind."""
    fill(store, clock, 30)
    with pytest.raises(StorageFull):
        store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path, disk=Full()))
    assert left(store) == list(range(30))
    assert list(tmp_path.iterdir()) == []


class Flipping(Disk):
    """Writes something else."""

    def write(self, descriptor, data):
        flipped = bytearray(data)
        flipped[-1] ^= 1
        return super().write(descriptor, bytes(flipped))


def test_an_archive_that_does_not_come_back_removes_nothing(store, clock, tmp_path):
    """It is read back before anything goes."""
    fill(store, clock, 30)
    with pytest.raises(Corrupt, match="does not come back"):
        store.events.clean(EventLimits(max_events=10), archive=ArchiveFolder(tmp_path, disk=Flipping()))
    assert left(store) == list(range(30))
    assert list(tmp_path.iterdir()) == []


def test_a_draft_can_be_discarded_twice(tmp_path):
    """Before and after it is sealed, without a trace."""
    draft = ArchiveFile(Disk(), str(tmp_path / ".x.tmp"), str(tmp_path / "x"))
    draft.write(b"{}\n")
    draft.seal()
    draft.discard()
    draft.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_line_without_a_time_goes_with_its_neighbours(store, clock):
    """It holds nothing back, and it is counted."""
    fill(store, clock, 3)
    store.storage.commit(Batch(JOB, [Append(EVENTS, b'{"no":"time"}\n')]))
    fill(store, clock, 3, start=3)
    (done,) = store.events.clean(EventLimits(max_events=2))
    assert (done.removed, left(store)) == (5, [4, 5])
