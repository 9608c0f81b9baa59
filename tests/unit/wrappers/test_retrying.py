from __future__ import annotations

import pytest

from prodigy_storage import errors
from prodigy_storage.ports.storage import Append, Batch, Capability, Cursor, Query
from prodigy_storage.wrappers.retrying import Retrying, RetryPolicy, time_left


@pytest.fixture
def retrying(storage, time):
    """A wrapper around the failing storage, with the policy given by keyword; without jitter unless asked."""

    def make(*, random=None, **policy):
        return Retrying(
            storage,
            RetryPolicy(**{"jitter": False, **policy}),
            sleep=time.sleep,
            monotonic=time.monotonic,
            random=random,
        )

    return make


def test_success_is_tried_once(retrying, storage, time, kind):
    """A call that works is made once and waits for nothing."""
    found = retrying().fetch((), kind, ["a"])

    assert list(found) == ["a"]
    assert len(storage.calls) == 1
    assert time.slept == []


def test_delays_grow_to_the_cap(retrying, storage, time, kind, down):
    """Each delay is the one before times the multiplier, until the cap."""
    storage.faults = down(4)

    retrying(max_retries=4, initial_delay=1, backoff_multiplier=3, max_delay=5, timeout=60).fetch((), kind, ["a"])

    assert time.slept == [1, 3, 5, 5]
    assert len(storage.calls) == 5


def test_jitter_draws_between_half_and_whole(retrying, storage, time, kind, down):
    """With jitter a delay lies between its half and its whole, as the given source draws."""
    storage.faults = down(3)
    draws = iter([0.0, 0.5, 1.0])

    retrying(jitter=True, random=lambda: next(draws), initial_delay=4, backoff_multiplier=1).fetch((), kind, ["a"])

    assert time.slept == [2, 3, 4]


def test_jitter_without_a_source_stays_in_range(retrying, storage, time, kind, down):
    """Without a given source of chance the jitter still keeps within its bounds."""
    storage.faults = down(3)

    retrying(jitter=True, initial_delay=4, backoff_multiplier=1).fetch((), kind, ["a"])

    assert len(time.slept) == 3
    assert all(2 <= delay <= 4 for delay in time.slept)


def test_last_fault_is_raised(retrying, storage, kind, down):
    """When every retry is spent, the last fault comes out itself."""
    storage.faults = down(9)

    with pytest.raises(errors.Unavailable, match="down 3"):
        retrying(max_retries=2).fetch((), kind, ["a"])
    assert len(storage.calls) == 3


def test_no_retries(retrying, storage, time, kind, down):
    """With no retries allowed, the first fault comes out at once."""
    storage.faults = down(1)

    with pytest.raises(errors.Unavailable, match="down 1"):
        retrying(max_retries=0).fetch((), kind, ["a"])
    assert time.slept == []


def test_no_retry_begins_after_the_deadline(retrying, storage, time, kind, down):
    """A retry that would begin after the deadline is given up before its wait, as a Timeout with its cause."""
    storage.faults = down(9)

    with pytest.raises(errors.Timeout, match=r"fetch did not work in 3 tries in 5 s: down 3") as caught:
        retrying(max_retries=9, initial_delay=1, timeout=5).fetch((), kind, ["a"])
    assert time.slept == [1, 2]
    assert isinstance(caught.value.__cause__, errors.Unavailable)
    assert caught.value.outcome is errors.Outcome.NOTHING


def test_deadline_counts_the_calls_themselves(storage, time, kind):
    """Time spent inside the storage counts towards the deadline."""

    def slow(*_arguments):
        time.advance(20)
        raise errors.Unavailable("slow")

    storage._called = slow
    wrapper = Retrying(storage, RetryPolicy(), sleep=time.sleep, monotonic=time.monotonic, random=lambda: 1.0)

    with pytest.raises(errors.Timeout, match="2 tries in 30 s"):
        wrapper.fetch((), kind, ["a"])
    assert time.slept == [1]


def test_a_timeout_of_a_lock_is_tried_again(retrying, storage, kind):
    """A lock that was not free in time may be free at the next try."""
    storage.faults = [errors.Timeout("locked for 5 s")]

    assert retrying().fetch((), kind, ["a"])


@pytest.mark.parametrize(
    "fault",
    [
        errors.DurabilityUnknown("sync failed"),
        errors.Conflict("changed"),
        errors.StorageFull("no space"),
        errors.Locked("held"),
        ConnectionError("not ours"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_nothing_else_is_tried_again(retrying, storage, time, fault):
    """What is not known to have changed nothing, or will not pass, comes out at once."""
    storage.faults = [fault]

    with pytest.raises(type(fault)) as caught:
        retrying().commit(Batch((), []))
    assert caught.value is fault
    assert time.slept == []


def test_another_error_during_retries_comes_out(retrying, storage, down):
    """A fault of another sort at a later try ends the retries."""
    storage.faults = [*down(1), errors.DurabilityUnknown("sync failed"), *down(1)]

    with pytest.raises(errors.DurabilityUnknown):
        retrying().commit(Batch((), []))
    assert len(storage.calls) == 2


def test_an_interrupt_is_never_swallowed(retrying, storage, down):
    """Ctrl-C during a retry ends the operation."""
    storage.faults = [*down(1), KeyboardInterrupt()]

    with pytest.raises(KeyboardInterrupt):
        retrying().commit(Batch((), []))
    assert len(storage.calls) == 2


def test_every_operation_is_retried_with_its_arguments(retrying, storage, kind, stream, down):
    """Each operation is repeated with exactly what it was given, also when the ids came from an iterator."""
    batch = Batch(("r",), [Append(stream, b"{}\n")])
    query = Query(kind)
    wrapper = retrying()
    expected = [
        (("commit", batch), lambda: wrapper.commit(batch)),
        (("fetch", ("r",), kind, ("a", "b"), True), lambda: wrapper.fetch(("r",), kind, iter("ab"), fresh=True)),
        (("documents", query, None), lambda: wrapper.documents(query)),
        (("records", ("r",), stream, "7", False), lambda: wrapper.records(("r",), stream, Cursor("7"), verify=False)),
        (("scopes", kind), lambda: wrapper.scopes(kind)),
    ]
    for _, call in expected:
        storage.faults = down(1)
        call()

    assert storage.calls == [call for call, _ in expected for _ in range(2)]


def test_close_is_not_retried(retrying, storage, down):
    """Closing is passed on once; a fault in it comes out."""
    storage.faults = down(1)

    with pytest.raises(errors.Unavailable):
        retrying().close()
    assert storage.calls == [("close",)]


@pytest.mark.parametrize(
    "bad",
    [
        {"max_retries": -1},
        {"initial_delay": -0.1},
        {"max_delay": float("nan")},
        {"backoff_multiplier": 0.5},
        {"timeout": -1},
    ],
    ids=str,
)
def test_a_policy_out_of_range_is_refused(bad):
    """A policy that makes no sense is refused with the name of the setting."""
    with pytest.raises(errors.ConfigError, match=next(iter(bad))):
        RetryPolicy(**bad)


def test_presence_passes_through(present, time):
    """What the inner storage declares and says about the living is passed on."""
    wrapper = Retrying(present, RetryPolicy(), sleep=time.sleep, monotonic=time.monotonic)

    assert wrapper.capabilities == {Capability.PRESENCE, Capability.DURABLE}
    assert wrapper.me() == present.me()
    assert wrapper.alive(wrapper.me()) is True


def test_undeclared_presence_is_refused(retrying, present):
    """A storage that does not declare presence has none through the wrapper either."""
    with pytest.raises(errors.Unsupported):
        retrying().me()
    with pytest.raises(errors.Unsupported):
        retrying().alive(present.me())


def test_a_retry_may_wait_for_what_is_left(storage, time, kind):
    """A storage that waits for a lock has the whole time at the first try, and at a retry only what is left of it."""
    left = []

    def slow(*_arguments):
        left.append(time_left(10, time.monotonic))
        time.advance(4)
        if len(left) < 3:
            raise errors.Unavailable("slow")

    storage._called = slow
    policy = RetryPolicy(initial_delay=0.5, backoff_multiplier=1, jitter=False, timeout=10)
    Retrying(storage, policy, sleep=time.sleep, monotonic=time.monotonic).fetch((), kind, ["a"])

    assert left == [10, 5.5, 1]
    assert time_left(10, time.monotonic) == 10
