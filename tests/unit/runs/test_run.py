"""Runs over the memory backend: settling, retrying, ending, resuming."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import QUARANTINE, SESSION
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.errors import (
    Ambiguous,
    Fenced,
    InvalidName,
    InvalidTransition,
    InvalidValue,
    Locked,
    NotFound,
    StorageFull,
)
from prodigy_storage.model.checkpoints import CheckpointTrigger
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import JobFailed
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.sessions import Phase, SessionStatus
from prodigy_storage.ports.storage import Append, Batch, Delete, Index, Kind, Put, Receipt
from prodigy_storage.runs import Run
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import FakeBackground, FakeClock, fake_runtime


class Full(MemoryStorage):
    """A memory store that refuses the next batches."""

    refusals = 0

    def commit(self, batch: Batch) -> Receipt:
        if self.refusals and any(isinstance(operation, Append) for operation in batch.operations):
            self.refusals -= 1
            raise StorageFull("no space is left")
        return super().commit(batch)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def background() -> FakeBackground:
    return FakeBackground()


@pytest.fixture
def storage() -> Full:
    return Full()


@pytest.fixture
def store(storage: Full, clock: FakeClock, background: FakeBackground) -> Iterator[Store]:
    with Store(storage, runtime=fake_runtime(clock=clock, background=background)) as opened:
        yield opened


def counted(store: Store) -> Counter[str]:
    store.events.flush()
    return Counter(record.event_type for record in store.events.query(EventFilter()))


def test_items_are_settled_in_order_and_results_come_back(store: Store) -> None:
    """A run that settles everything ends Completed, with its result stored."""
    with store.runs.start("repo", items=["a", "b"]) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = {"upper": attempt.item.upper()}
        assert run.reduce(lambda results: [value["upper"] for _, value in results]) == ["A", "B"]
    session = store.sessions.get(run.session_id)
    assert (session.status, session.mapreduce_data and session.mapreduce_data.phase) == (
        SessionStatus.COMPLETED,
        Phase.COMPLETE,
    )
    assert not store.locks.list()
    assert counted(store)["job_completed"] == 1


def test_a_failed_item_waits_is_tried_again_and_dies_in_the_end(store: Store, clock: FakeClock) -> None:
    """Three attempts with growing waits, then a dead letter with three failures."""
    backoff = Backoff(initial=2, multiplier=3, maximum=100)
    tried: list[tuple[int, float]] = []
    with store.runs.start("repo", items=[1], max_retries=2, backoff=backoff) as run:
        for attempt in run.attempts():
            tried.append((attempt.number, clock.monotonic()))
            with attempt:
                raise ValueError(f"no. {attempt.number}")
    assert [number for number, _ in tried] == [1, 2, 3]
    assert tried[1][1] - tried[0][1] == pytest.approx(2, abs=0.05)
    assert tried[2][1] - tried[1][1] == pytest.approx(6, abs=0.05)
    letter = store.dlq.get("repo", run.job_id, "item_0")
    assert [failure.error_message for failure in letter.failure_history] == [f"ValueError: no. {n}" for n in (1, 2, 3)]
    assert "Traceback" in (letter.failure_history[-1].stack_trace or "")
    assert counted(store)["agent_retrying"] == 2


def test_a_failure_is_told_in_any_text(store: Store) -> None:
    """A message with a lone surrogate is stored readably instead of lost."""
    with store.runs.start("repo", items=[1]) as run:
        attempt = run.claim()
        assert attempt is not None
        run.fail(attempt, "caf\udce9")
    assert store.dlq.get("repo", run.job_id, "item_0").failure_history[0].error_message == "caf\\udce9"


def test_a_result_that_is_no_json_is_an_error_and_gives_the_item_back(store: Store) -> None:
    """The typed error names the item; the item is next again and no retry is spent."""
    with store.runs.start("repo", items=[1]) as run:
        first = run.claim()
        assert first is not None
        with pytest.raises(InvalidValue, match="item_0"):
            run.complete(first, {1, 2})  # type: ignore[arg-type]  # on purpose
        again = run.claim()
        assert again is not None
        assert again.number == 1
        run.complete(again)


def test_a_full_disk_gives_the_item_back_and_loses_nothing(store: Store, storage: Full) -> None:
    """StorageFull leaves the block; after space was made the run is resumed and finished."""
    with pytest.raises(StorageFull), store.runs.start("repo", items=range(5)) as run:
        for attempt in run.attempts():
            if attempt.item == 3:
                storage.refusals = 10**6
            with attempt:
                attempt.result = attempt.item
    assert run.completed == 3
    storage.refusals = 0
    storage.alive = lambda _: False  # type: ignore[method-assign]  # the process of the first run is gone
    with store.runs.resume(run.session_id) as again:
        assert [attempt.item for attempt in _completing(again)] == [3, 4]


def _completing(run: Run) -> Iterator[object]:
    for attempt in run.attempts():
        with attempt:
            attempt.result = 0
        yield attempt


def test_an_interrupt_pauses_the_session(store: Store) -> None:
    """Ctrl-C gives the item back, the session is Paused, and it can be resumed."""
    with pytest.raises(KeyboardInterrupt), store.runs.start("repo", items=[1, 2]) as run:
        for attempt in run.attempts():
            with attempt:
                raise KeyboardInterrupt
    assert store.sessions.get(run.session_id).status is SessionStatus.PAUSED
    assert counted(store)["job_paused"] == 1
    with store.runs.resume(run.job_id) as again:
        assert len(list(_completing(again))) == 2
    assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED


def test_an_error_of_the_embedder_fails_the_session_which_can_still_be_resumed(store: Store) -> None:
    """The error is kept with the session and told as an event."""
    with pytest.raises(RuntimeError), store.runs.start("repo", items=[1]) as run:
        raise RuntimeError("my mistake")
    session = store.sessions.get(run.session_id)
    assert (session.status, session.error) == (SessionStatus.FAILED, "RuntimeError: my mistake")
    assert counted(store)["job_failed"] == 1
    with store.runs.resume(run.session_id) as again:
        assert len(list(_completing(again))) == 1


def test_a_run_that_was_left_early_is_paused(store: Store) -> None:
    """Leaving with items pending is no end."""
    with store.runs.start("repo", items=[1, 2]) as run:
        attempt = run.claim()
        assert attempt is not None
        run.complete(attempt)
    assert store.sessions.get(run.session_id).status is SessionStatus.PAUSED


def test_a_completed_job_gives_a_run_with_nothing_to_do(store: Store, storage: Full) -> None:
    """Resuming it writes nothing, and its results are there."""
    with store.runs.start("repo", items=[1, 2]) as run:
        list(_completing(run))
    writes: list[Batch] = []
    storage.commit = writes.append  # type: ignore[method-assign,assignment]  # the test counts
    with store.runs.resume(run.session_id) as again:
        assert (list(again.attempts()), again.completed, again.done) == ([], 2, True)
        assert again.reduce(lambda results: sum(1 for _ in results)) == 2
    assert writes == []


def test_a_cancelled_job_is_not_resumed(store: Store) -> None:
    """The transition table says so."""
    with store.runs.start("repo", items=[1]) as run:
        pass
    store.sessions.move(run.session_id, SessionStatus.CANCELLED)
    with pytest.raises(InvalidTransition, match="cancelled"):
        store.runs.resume(run.session_id)


def test_a_job_that_somebody_runs_is_locked_and_force_fences_him(store: Store) -> None:
    """The second taker is told who; after force the first can settle nothing and writes nothing more."""
    with pytest.raises(Fenced), store.runs.start("repo", items=[1, 2]) as first:
        attempt = first.claim()
        assert attempt is not None
        with pytest.raises(Locked, match=first.session_id):
            store.runs.resume(first.session_id)
        second = store.runs.resume(first.session_id, force=True)
        store.events.flush()
        told = store.storage.records(("repo", first.job_id), store.events.stream).data
        first.log(JobFailed(first.job_id, "nobody will read this", 0))
        with pytest.raises(Fenced):
            first.complete(attempt, 1)
        raise Fenced("the loop of an embedder ends like this")
    assert b'"item_0"' not in store.storage.records(("repo", first.job_id), PROGRESS).data
    assert store.storage.records(("repo", first.job_id), store.events.stream).data == told
    with second:
        assert len(list(_completing(second))) == 2
    assert counted(store)["job_paused"] == 0
    assert store.sessions.get(first.session_id).status is SessionStatus.COMPLETED


def test_a_missed_heartbeat_is_noticed_before_anything_is_claimed(store: Store, background: FakeBackground) -> None:
    """Once the renewal finds another epoch, the run refuses to go on."""
    first = store.runs.start("repo", items=[1, 2])
    with store.runs.resume(first.session_id, force=True):
        background.tick()
        with pytest.raises(Fenced):
            first.claim()


def test_an_attempt_is_settled_once(store: Store) -> None:
    """A second settlement is an error and changes nothing."""
    with store.runs.start("repo", items=[1]) as run:
        attempt = run.claim()
        assert attempt is not None
        run.complete(attempt, "first")
        with pytest.raises(InvalidTransition, match="over already"):
            run.fail(attempt, "second")
        assert [value for _, value in run.results()] == ["first"]


def test_checkpoints_come_by_count_and_by_time(store: Store, clock: FakeClock) -> None:
    """Every two items, or when items were settled and a minute has passed."""
    trigger = CheckpointTrigger(items=2, seconds=60)
    with store.runs.start("repo", items=range(5), trigger=trigger) as run:
        made = []
        for attempt in run.attempts():
            if attempt.item == 3:
                clock.advance(61)
            with attempt:
                attempt.result = 0
            made.append(len(store.checkpoints.list("repo", run.job_id).checkpoints) - 1)
    assert made == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("died_after", range(8))
def test_a_run_that_died_is_resumed_where_it_stopped(storage: Full, clock: FakeClock, died_after: int) -> None:
    """Whatever was acknowledged is not tried again, and each fact is told once."""
    first_store = Store(storage, runtime=fake_runtime(clock=clock))
    trigger = CheckpointTrigger(items=3)
    backoff = Backoff(initial=0.1)
    run = first_store.runs.start("repo", items=range(6), max_retries=1, backoff=backoff, trigger=trigger)
    settled = []
    for number, attempt in enumerate(run.attempts()):
        if number == died_after:
            break
        with attempt:
            settled.append((attempt.item_id, attempt.number))
            if attempt.item % 2:
                raise ValueError("odd")
            attempt.result = attempt.item
    storage.alive = lambda _: False  # type: ignore[method-assign]  # it died
    with Store(storage, runtime=fake_runtime(clock=clock)) as store:
        with store.runs.resume(run.job_id, trigger=trigger) as again:
            for attempt in again.attempts():
                with attempt:
                    settled.append((attempt.item_id, attempt.number))
                    if attempt.item % 2:
                        raise ValueError("odd")
                    attempt.result = attempt.item
        store.events.flush()
        records = list(store.events.query(EventFilter()))
    assert sorted(settled) == sorted([(f"item_{n}", 1) for n in range(6)] + [(f"item_{n}", 2) for n in (1, 3, 5)])
    told = Counter(
        (r.event_type, r.metadata["item_id"], r.metadata["attempt"]) for r in records if "item_id" in r.metadata
    )
    assert set(told.values()) == {1}
    assert len(told) == 9 + 3 + 6 + 3 + 3


def stored_facts(store: Store, job: str) -> Counter[tuple[str, str, int]]:
    """Every stored event of an item, repeats included."""
    store.events.flush()
    lines = store.storage.records(("repo", job), store.events.stream).data.splitlines()
    records = [json.loads(line) for line in lines]
    return Counter(
        (record["event"]["event_type"], record["metadata"]["item_id"], record["metadata"]["attempt"])
        for record in records
        if "item_id" in record["metadata"]
    )


def test_an_item_in_flight_at_a_checkpoint_is_told_once(storage: Full, clock: FakeClock) -> None:
    """Its start was flushed by the checkpoint, so the resumed run does not tell it again."""
    run = Store(storage, runtime=fake_runtime(clock=clock)).runs.start("repo", items=[1, 2])
    first, second = run.claim(), run.claim()
    assert first is not None
    assert second is not None
    run.checkpoint()
    run.complete(first)
    storage.alive = lambda _: False  # type: ignore[method-assign]  # it died, and its buffer with it
    with Store(storage, runtime=fake_runtime(clock=clock)) as store:
        with store.runs.resume(run.job_id) as again:
            assert list(_completing(again))
        assert set(stored_facts(store, run.job_id).values()) == {1}
        assert len(stored_facts(store, run.job_id)) == 4


class Halting(Full):
    """A memory store that calls `hook` once, right after a progress record was stored."""

    hook: Callable[[], None] | None = None

    def commit(self, batch: Batch) -> Receipt:
        receipt = super().commit(batch)
        appends = [one for one in batch.operations if isinstance(one, Append) and one.stream == PROGRESS]
        if appends and self.hook is not None:
            hook, self.hook = self.hook, None
            hook()
        return receipt


@pytest.mark.parametrize("fails", [False, True])
def test_a_death_between_a_record_and_its_events_loses_no_event(clock: FakeClock, fails: bool) -> None:
    """A checkpoint may fold a record whose events were not logged yet; the resumed run logs them."""
    storage = Halting()
    run = Store(storage, runtime=fake_runtime(clock=clock)).runs.start("repo", items=[1], max_retries=0)
    attempt = run.claim()
    assert attempt is not None

    def die() -> None:
        run.checkpoint()
        raise SystemExit

    storage.hook = die
    with pytest.raises(SystemExit):
        run.fail(attempt, "boom") if fails else run.complete(attempt)
    storage.alive = lambda _: False  # type: ignore[method-assign]  # it died
    with Store(storage, runtime=fake_runtime(clock=clock)) as store:
        with store.runs.resume(run.job_id) as again:
            assert again.done
        outcome = ["agent_failed", "d_l_q_item_added"] if fails else ["agent_completed"]
        assert stored_facts(store, run.job_id) == Counter((name, "item_0", 1) for name in ["agent_started", *outcome])


def test_an_id_in_two_projects_is_ambiguous_and_an_unknown_one_not_found(store: Store) -> None:
    """Candidates are listed; a session id is never ambiguous."""
    with store.runs.start("repo", items=[]) as run:
        pass
    assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED
    with pytest.raises(NotFound, match="session-none"):
        store.runs.resume("session-none")
    mapping = store.mappings.find(run.job_id)["repo"]
    store.mappings.save("other", mapping)
    with pytest.raises(Ambiguous) as caught:
        store.runs.find(run.job_id)
    assert caught.value.candidates == ("other", "repo")
    assert store.runs.find(run.session_id).repo == "repo"


@pytest.mark.parametrize("items", [{"": 1}, {"a\0": 1}, {"x" * 251: 1}])
def test_an_item_without_a_storable_name_stops_the_start(store: Store, items: dict[str, int]) -> None:
    """Nothing is stored of such a job."""
    with pytest.raises(InvalidName):
        store.runs.start("repo", items=items)
    assert store.repos() == []


def test_an_item_that_is_no_json_stops_the_start(store: Store) -> None:
    """Nothing is stored of such a job, no lock stays behind."""
    with pytest.raises(InvalidValue):
        store.runs.start("repo", items=[float("nan")])
    assert store.repos() == []
    assert not store.locks.list()


def test_a_session_that_was_deleted_is_made_again(store: Store) -> None:
    """The job's records are the truth; its session is a projection."""
    with store.runs.start("repo", items=[1, 2]) as run:
        attempt = run.claim()
        assert attempt is not None
        run.complete(attempt)
    job = run.job_id

    store.storage.commit(Batch((), (Delete(SESSION, run.session_id),)))
    with store.runs.resume(job) as again:
        assert len(list(_completing(again))) == 1
    assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED


def test_a_damaged_session_is_reported_set_aside_and_made_again(storage: Full, clock: FakeClock) -> None:
    """A job is found by either id although its session cannot be read, and goes on."""
    with Store(storage, runtime=fake_runtime(clock=clock)) as store:
        with store.runs.start("repo", items=[1, 2]) as run:
            attempt = run.claim()
            assert attempt is not None
            run.complete(attempt)
        lenient = Kind(SESSION.name, lambda _: Index(0))
        storage.commit(Batch((), (Put(lenient, run.session_id, b'{"id":'),)))
        assert store.runs.find(run.session_id).job_id == run.job_id
        with store.runs.resume(run.session_id) as again:
            assert [damage.id for damage in again.damage] == [run.session_id]
            assert len(list(_completing(again))) == 1
        assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED
        assert storage.fetch((), QUARANTINE, [run.session_id])[run.session_id].body == b'{"id":'
