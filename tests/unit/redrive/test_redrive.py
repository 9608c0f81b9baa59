"""Dead letters run again."""

from __future__ import annotations

import itertools
import threading

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Fenced, InvalidFilter, InvalidTransition, InvalidValue, NotFound, StorageFull
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.redrives import Canary, RedriveSettings, RedriveStatus, TrialOutcome
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.redrive import WorkFailed
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import fake_runtime

from .conftest import ONCE, QUICK, letter


def items(store):
    return [one.item_id for one in store.dlq.list().values]


def failing(*bad):
    """Work that fails for some items."""

    def work(letter):
        if letter.item_id in bad:
            raise ValueError(f"still bad in /tmp/{letter.item_id}.py")
        return {"ok": letter.item_data}

    return work


def test_success_removes_the_letter_and_is_on_record(world, store):
    """Each item that works is gone, with its result in the redrive and an event."""
    world.fill(store)
    view = store.redrives.retry("repo", "job", failing(), settings=ONCE, reason="fixed")
    assert items(store) == []
    assert view.redrive.status is RedriveStatus.COMPLETED
    assert view.counts == {"done": 3, "failed": 0, "skipped": 0, "pending": 0}
    assert [view.state.last[item].result for item in view.redrive.items] == [{"ok": {"n": n}} for n in range(3)]
    assert world.events(store).count("item_removed") == 3
    assert world.events(store)[-1] == "items_reprocessed"


def test_failure_accumulates_in_the_history(world, store):
    """Every failed try is one more entry; the item stays with its first attempt and a count that grew."""
    world.fill(store, 1, failures=2)
    view = store.redrives.retry("repo", "job", failing("item_0"), settings=QUICK)
    found = store.dlq.get("repo", "job", "item_0")
    assert (found.failure_count, len(found.failure_history)) == (5, 5)
    assert [one.attempt_number for one in found.failure_history[2:]] == [1, 2, 3]
    assert {one.session_id for one in found.failure_history[2:]} == {view.redrive.id}
    assert found.error_signature == "ValueError: still bad in <path>"
    assert found.claim is None
    assert view.counts["failed"] == 1


def test_a_failed_item_waits_for_its_backoff(world, store):
    """Between two tries at least the backoff passes."""
    world.fill(store, 1)
    times = []

    def work(_):
        times.append(world.clock.monotonic())
        raise ValueError

    store.redrives.retry("repo", "job", work, settings=RedriveSettings(max_retries=3, backoff=Backoff(initial=2.0)))
    assert times[1] - times[0] >= 2
    assert times[2] - times[1] >= 4


def test_a_rate_spreads_the_starts(world, store):
    """Two tries start at least the interval apart."""
    world.fill(store, 4)
    times = []
    store.redrives.retry(
        "repo", "job", lambda _: times.append(world.clock.monotonic()), settings=RedriveSettings(rate=2.0)
    )
    assert all(later - earlier >= 0.5 for earlier, later in itertools.pairwise(times))
    assert len(times) == 4


def test_details_of_a_failed_command_are_kept(world, store):
    """Exit code and output go into the history."""
    world.fill(store, 1)

    def work(_):
        raise WorkFailed("exit code 3: broken", exit_code=3, output=["one", "broken"])

    store.redrives.retry("repo", "job", work, settings=ONCE)
    last = store.dlq.get("repo", "job", "item_0").failure_history[-1]
    assert (str(last.error_type), last.error_context) == ("CommandFailed(3)", ("one", "broken"))
    assert last.stack_trace is None


def test_only_eligible_letters_are_chosen_unless_forced(world, store):
    """A letter that waits for a review is passed over, named it is skipped, forced it is tried."""
    world.fill(store, 2)
    store.dlq.add("repo", "job", letter("review", manual_review_required=True, at=100))
    chosen = store.redrives.select("repo", "job")
    assert (chosen.items, chosen.passed_over) == (("item_0", "item_1"), 1)
    view = store.redrives.retry("repo", "job", failing(), ids=["review", "item_0"], settings=ONCE)
    assert (view.counts["done"], view.counts["skipped"]) == (1, 1)
    assert "force" in view.state.last["review"].error
    store.redrives.retry("repo", "job", failing(), settings=RedriveSettings(force=True))
    assert items(store) == []


def test_a_filter_chooses_before_anything_is_tried(world, store):
    """Only what matches is tried; a filter that fits one letter but not another chooses nothing."""
    world.fill(store)
    view = store.redrives.retry("repo", "job", failing(), filter="item.n >= 1", settings=ONCE)
    assert view.redrive.items == ("item_1", "item_2")
    assert view.redrive.filter == "item.n >= 1"
    store.dlq.add("repo", "job", letter("odd", data={"n": "text"}))
    with pytest.raises(InvalidFilter, match="odd"):
        store.redrives.start("repo", "job", filter="item.n >= 0")
    assert len(store.redrives.list().values) == 1


def test_an_id_that_names_no_letter_is_an_error(world, store):
    """Nothing is begun for a mistyped item."""
    world.fill(store)
    with pytest.raises(NotFound, match="item_9"):
        store.redrives.start("repo", "job", ids=["item_0", "item_9"])
    assert store.redrives.list().values == []


@pytest.mark.parametrize(("allowed", "tried"), [(0.5, 6), (0.4, 2), (1.0, 6)])
def test_a_canary_goes_first_and_stops_the_rest(world, store, allowed, tried):
    """With more failures than allowed among the first, the others are not touched."""
    world.fill(store, 6)
    settings = RedriveSettings(max_retries=1, canary=Canary(items=2, stop_above=allowed))
    seen = []

    def work(letter):
        seen.append(letter.item_id)
        failing("item_1")(letter)

    view = store.redrives.retry("repo", "job", work, settings=settings)
    assert len(seen) == tried
    assert (view.redrive.status is RedriveStatus.STOPPED) == (tried == 2)
    if tried == 2:
        assert "canary" in view.redrive.note
        with store.redrives.resume(view.redrive.id) as running:
            running.drive(failing())
        assert items(store) == ["item_1"]


def test_a_resumed_canary_that_was_settled_before_lets_the_rest_go(world, store):
    """A death right after the canary leaves a redrive that goes on with the rest."""
    world.fill(store, 4)
    running = store.redrives.start("repo", "job", settings=RedriveSettings(canary=Canary(items=1)))
    with next(running.trials()):
        pass
    world.kill(store)
    other = world.process("second")
    with other.redrives.resume(running.id) as again:
        assert again.drive(failing())["done"] == 4


def test_a_claimed_item_is_skipped_by_others(world, store):
    """While one process tries an item, another one skips it and says who has it."""
    world.fill(store, 2)
    other = world.process("second")
    with store.redrives.start("repo", "job") as running:
        trial = running.claim()
        view = other.redrives.retry("repo", "job", failing(), settings=ONCE)
        assert view.counts == {"done": 1, "failed": 0, "skipped": 1, "pending": 0}
        assert "pid 1 on host" in view.state.last[trial.item_id].error
        running.succeed(trial)
    assert items(store) == []


def test_a_dead_claimer_frees_its_items_at_once(world, store):
    """Another process takes over what a dead one had claimed, and the late result is refused."""
    world.fill(store, 1)
    running = store.redrives.start("repo", "job")
    trial = running.claim()
    world.kill(store)
    other = world.process("second")
    assert other.redrives.retry("repo", "job", failing("item_0"), settings=ONCE).counts["failed"] == 1
    with pytest.raises(Fenced, match="item_0"):
        running.succeed(trial)
    assert store.dlq.get("repo", "job", "item_0").failure_count == 2
    assert running.state.last["item_0"].outcome is TrialOutcome.SKIPPED


def test_a_claim_ends_by_time_and_renewing_puts_it_off(world, store):
    """Where nobody knows who lives, the expiry counts; a beat of the background renews it."""
    world.fill(store, 1)
    world.living[store.storage.me()] = None
    other = world.process("second")
    running = store.redrives.start("repo", "job")
    trial = running.claim()
    for _ in range(5):
        world.clock.advance(50)
        store._runtime.background.tick()
    assert other.redrives.retry("repo", "job", failing(), settings=ONCE).counts["skipped"] == 1
    world.clock.advance(61)
    assert other.redrives.retry("repo", "job", failing(), settings=ONCE).counts["done"] == 1
    with pytest.raises(Fenced):
        running.fail(trial, "late")


def test_leaving_gives_claims_back(world, store):
    """An interruption spends no retry: the item is free, and a resumed redrive tries it again."""
    world.fill(store, 2)

    def work(letter):
        if letter.item_id == "item_1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.redrives.start("repo", "job") as running:
        running.drive(work)
    assert store.dlq.get("repo", "job", "item_1").claim is None
    view = store.redrives.show(running.id)
    assert (view.redrive.status, view.counts["done"], view.counts["pending"]) == (RedriveStatus.INTERRUPTED, 1, 1)
    with store.redrives.resume(running.id) as again:
        assert again.claim().number == 1
    with pytest.raises(InvalidTransition):
        running.claim()


def test_a_resumed_redrive_knows_its_tries(world, store):
    """Failed tries of before count, so that no item is tried more often than it may."""
    world.fill(store, 1)
    settings = RedriveSettings(max_retries=3, backoff=Backoff(initial=0.0))
    running = store.redrives.start("repo", "job", settings=settings)
    with running.claim():
        raise ValueError
    world.kill(store)
    other = world.process("second")
    with other.redrives.resume(running.id) as again:
        again.drive(failing("item_0"))
    assert [one.attempt_number for one in other.dlq.get("repo", "job", "item_0").failure_history[1:]] == [1, 2, 3]


def test_a_completed_redrive_has_nothing_to_do(world, store):
    """Resuming it tries nothing again, failed items included."""
    world.fill(store, 2)
    view = store.redrives.retry("repo", "job", failing("item_1"), settings=ONCE)
    with store.redrives.resume(view.redrive.id) as again:
        assert again.drive(failing())["failed"] == 1
    assert items(store) == ["item_1"]


def test_failures_of_others_during_a_try_are_kept(world, store):
    """A letter that gathers a failure while it is tried stays, without its claim, though the try succeeds."""
    world.fill(store, 1)
    with store.redrives.start("repo", "job") as running, running.claim():
        store.dlq.add("repo", "job", letter("item_0", message="new trouble", at=500, failures=3))
    found = store.dlq.get("repo", "job", "item_0")
    assert (found.failure_count, found.claim) == (3, None)
    assert store.redrives.show(running.id).counts["done"] == 1


def test_a_result_that_is_no_json_gives_the_item_back(world, store):
    """Nothing is removed for a result that cannot be kept."""
    world.fill(store, 1)
    with pytest.raises(InvalidValue), store.redrives.start("repo", "job") as running:
        running.drive(lambda _: {1, 2})
    assert store.dlq.get("repo", "job", "item_0").claim is None


class Refusing(Forwarding):
    """A storage that is full for whatever removes a letter."""

    full = True

    def commit(self, batch):
        if self.full and any(type(one).__name__ == "Delete" for one in batch.operations):
            raise StorageFull("no space left")
        return super().commit(batch)


def test_a_success_that_cannot_be_stored_removes_nothing(world):
    """The error goes upwards, and the item is free and whole for the next redrive."""
    storage = Refusing(world.storage)
    with Store(storage, runtime=fake_runtime(clock=world.clock)) as store:
        world.fill(store, 1)
        with pytest.raises(StorageFull), store.redrives.start("repo", "job") as running:
            running.drive(failing())
        found = store.dlq.get("repo", "job", "item_0")
        assert (found.claim, found.failure_count) == (None, 1)
        storage.full = False
        with store.redrives.resume(running.id) as again:
            assert again.drive(failing())["done"] == 1


def test_parallel_workers_share_the_items(world):
    """Each item is tried by exactly one of several threads."""
    with Store(world.storage) as store:
        world.fill(store, 30)
        seen, threads = [], set()
        together = threading.Barrier(3, timeout=20)

        def work(letter):
            if len(threads) < 3 and threading.get_ident() not in threads:
                threads.add(threading.get_ident())
                together.wait()
            seen.append(letter.item_id)

        view = store.redrives.retry("repo", "job", work, settings=ONCE, parallel=3)
        assert sorted(seen) == sorted(view.redrive.items)
        assert (len(threads), view.counts["done"]) == (3, 30)


def test_an_error_in_one_worker_stops_the_others(world):
    """Ctrl-C in one thread brings all to an end, and no claim is left."""
    with Store(world.storage) as store:
        world.fill(store, 20)

        def work(letter):
            if letter.item_data["n"] == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), store.redrives.start("repo", "job") as running:
            running.drive(work, parallel=4)
        assert all(one.claim is None for one in store.dlq.list().values)
        assert store.redrives.show(running.id).counts["pending"] >= 1


def test_two_processes_may_work_on_one_redrive(world, store):
    """Both take different items, and together they finish it."""
    world.fill(store, 4)
    first = store.redrives.start("repo", "job")
    other = world.process("second")
    second = other.redrives.resume(first.id)
    with first.claim() as one, second.claim() as two:
        assert one.item_id != two.item_id
    second.drive(failing())
    first.drive(failing())
    assert store.redrives.show(first.id).counts["done"] == 4


@pytest.mark.parametrize("wrong", [{"max_retries": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"rate": float("inf")}])
def test_settings_out_of_range_are_refused(wrong):
    """A number that makes no sense is an error at once."""
    with pytest.raises(InvalidValue):
        RedriveSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"items": 0}, {"items": 1, "stop_above": 1.1}, {"items": 1, "stop_above": -0.1}])
def test_a_canary_out_of_range_is_refused(wrong):
    """A canary has an item, and a share is between 0 and 1."""
    with pytest.raises(InvalidValue):
        Canary(**wrong)


def test_a_redrive_is_found_again(world, store):
    """It is listed by job and shown by its id; another id is not found."""
    world.fill(store, 1)
    view = store.redrives.retry("repo", "job", failing(), settings=ONCE, reason="deployed 1.2")
    assert [one.reason for one in store.redrives.list("repo", "job").values] == ["deployed 1.2"]
    assert store.redrives.list(job="job").values == store.redrives.list().values
    assert store.redrives.list("other").values == []
    assert store.redrives.show(view.redrive.id).redrive == view.redrive
    with pytest.raises(NotFound):
        store.redrives.show("redrive-none")


def test_a_resumed_redrive_looks_at_skipped_items_again(world, store):
    """What somebody else had then is tried now; a letter that is gone stays skipped."""
    world.fill(store, 2)
    other = world.process("second")
    with store.redrives.start("repo", "job") as running:
        first, second = running.claim(), running.claim()
        view = other.redrives.retry("repo", "job", failing(), settings=ONCE)
        assert view.counts["skipped"] == 2
        running.succeed(first)
        running.give_back(second)
    with other.redrives.resume(view.redrive.id) as again:
        assert again.drive(failing()) == {"done": 1, "failed": 0, "skipped": 1, "pending": 0}
    assert items(store) == []


def test_a_letter_that_was_damaged_meanwhile_is_skipped(world, tmp_path):
    """The others are tried, and the damage is on record."""
    with Store(FileStorage(tmp_path)) as store:
        world.fill(store, 2)
        with store.redrives.start("repo", "job") as running:
            (tmp_path / "dlq/repo/job/items/item_0.json").write_text('{"item_id": "item_0"')
            assert running.drive(failing()) == {"done": 1, "failed": 0, "skipped": 1, "pending": 0}
        assert "item_0.json" in store.redrives.show(running.id).state.last["item_0"].error
