from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Capability
from prodigy_storage.testing import FakeBackground, FakeClock, FakeIds, Posing, fake_runtime, register_profiles


def test_a_fake_clock_stands_still_until_somebody_sleeps():
    """Sleeping moves the time at once and is remembered; reading it does not move it."""
    clock = FakeClock(datetime(2024, 2, 29, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2024, 2, 29, tzinfo=UTC)
    clock.sleep(90)
    clock.advance(0.5)
    assert clock.now() == datetime(2024, 2, 29, tzinfo=UTC) + timedelta(seconds=90.5)
    assert (clock.monotonic(), clock.sleeps) == (90.5, [90])


def test_a_fake_clock_never_goes_back():
    """A negative wait is none."""
    clock = FakeClock()
    clock.sleep(-5)
    assert clock.monotonic() == 0


def test_fake_ids_repeat_in_every_run_and_sort():
    """Two sources give the same UUIDs of version 7, in ascending order."""
    first, second = FakeIds(), FakeIds()
    drawn = [first.new() for _ in range(20)]
    assert drawn == [second.new() for _ in range(20)] == sorted(set(drawn))
    assert {UUID(id_).version for id_ in drawn} == {7}


def test_background_work_runs_by_hand():
    """`tick` runs what was not stopped; `wake` is only counted."""
    background, calls = FakeBackground(), []
    first = background.every(5, lambda: calls.append("first"))
    background.every(5, lambda: calls.append("second"))
    background.tick()
    first.wake()
    first.stop()
    first.stop()
    background.tick()
    assert (calls, first.wakes, first.seconds) == (["first", "second", "second"], 1, 5)


def test_exit_and_fork_hooks_run_unless_they_were_cancelled():
    """Exit hooks run once, the last one first; fork hooks run in each child, which has another token."""
    background, calls = FakeBackground(), []
    for name in ("a", "b"):
        background.at_exit(lambda name=name: calls.append(f"exit {name}"))
        background.after_fork(lambda name=name: calls.append(f"fork {name}"))
    for cancel in (background.at_exit(lambda: calls.append("no")), background.after_fork(lambda: calls.append("no"))):
        cancel()
        cancel()
    child = Token("child", 2, "here")
    background.fork(child)
    background.exit()
    background.exit()
    assert calls == ["fork a", "fork b", "exit b", "exit a"]
    assert background.identity() == child


def test_a_fake_runtime_takes_what_it_is_given():
    """Parts that are given take the place of fresh fakes; a mutex can be entered twice by one thread."""
    clock = FakeClock()
    runtime = fake_runtime(clock=clock)
    assert runtime.clock is clock
    assert runtime.background.thread_name() == "MainThread"
    assert runtime.ids.new() == fake_runtime().ids.new()
    mutex = runtime.background.mutex()
    with mutex, mutex:
        assert runtime.background.mutex() is not mutex


def test_views_of_one_storage_have_tokens_of_their_own():
    """Whether the process behind a view lives is what the test says, alike for all views."""
    ada, bob, living = Token("a", 1, "here"), Token("b", 2, "here"), {}
    storage = MemoryStorage()
    first, second = Posing(storage, ada, living), Posing(storage, bob, living)
    assert (first.me(), second.me()) == (ada, bob)
    living[ada] = None
    assert (second.alive(ada), second.alive(bob), second.alive(Token("c", 3, "here"))) == (None, True, False)
    assert Capability.PRESENCE in first.capabilities


def test_profiles_can_be_loaded():
    """`ci` always tries the same, `nightly` tries most."""
    before = settings.default
    try:
        register_profiles("nightly")
        nightly = settings.default
        register_profiles("ci")
        assert settings.default.derandomize
        assert settings.default.max_examples < nightly.max_examples
    finally:
        settings.register_profile("before", before)
        settings.load_profile("before")
