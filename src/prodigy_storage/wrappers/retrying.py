"""Tries an operation again when the storage is unavailable for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from prodigy_storage.errors import ConfigError, Timeout, Unavailable
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Batch,
    Chunk,
    Cursor,
    Document,
    Kind,
    Page,
    Position,
    Query,
    Receipt,
    Storage,
    Stream,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how long to try.

    Args:
        max_retries: Tries after the first one; 0 turns retrying off.
        initial_delay: Seconds before the first retry.
        max_delay: No delay is longer, in seconds.
        backoff_multiplier: Each delay is so many times the one before; at least 1.
        jitter: Draw each delay between its half and its whole, so that processes which failed together
            do not come back together.
        timeout: Seconds for an operation with all its retries: no retry begins later. A call under way
            is not cut off; a storage that waits can ask `time_left` how long it may.

    Raises:
        ConfigError: a number is out of range.
    """

    max_retries: int = 3
    initial_delay: float = 1.0
    max_delay: float = 30.0
    backoff_multiplier: float = 2.0
    jitter: bool = True
    timeout: float = 30.0

    def __attrs_post_init__(self) -> None:
        for name, least in (
            ("max_retries", 0),
            ("initial_delay", 0),
            ("max_delay", 0),
            ("backoff_multiplier", 1),
            ("timeout", 0),
        ):
            value = getattr(self, name)
            if not value >= least:
                raise ConfigError(f"{name} is {value}; it must be at least {least}")


_DEADLINE: ContextVar[float | None] = ContextVar("deadline of the operation that is being retried", default=None)


def time_left(timeout: float, monotonic: Callable[[], float]) -> float:
    """Seconds that the operation under way in this thread may still wait: all of `timeout` at its first try."""
    deadline = _DEADLINE.get()
    return timeout if deadline is None else max(0.0, deadline - monotonic())


class Retrying(Forwarding):
    """Retries `Unavailable` and its subclasses, which promise that nothing happened; nothing else.

    `Timeout` is one of them: a lock that another process keeps may be free at the next try.
    `DurabilityUnknown` is none, since the batch may have been applied. `close` is never retried.

    Args:
        storage: The inner storage.
        policy: How often and how long.
        sleep: Waits so many seconds.
        monotonic: Seconds that never go back.
        random: Draws from 0 to 1, for the jitter; by default from the standard library.
    """

    def __init__(
        self,
        storage: Storage,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        random: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(storage)
        self._policy = policy
        self._sleep = sleep
        self._monotonic = monotonic
        self._random = random

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`.

        Raises:
            Timeout: the policy's deadline came before a try that worked; nothing happened.
        """
        began = self._monotonic()
        try:  # spelled out: this is the hot path, and a call costs as much as all of it
            return self._storage.commit(batch)
        except Unavailable as fault:
            return self._again("commit", partial(self._storage.commit, batch), fault, began)

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See `Storage.fetch`; `Timeout` as in `commit`."""
        return self._call("fetch", partial(self._storage.fetch, scope, kind, tuple(ids), fresh=fresh))

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """See `Storage.documents`; `Timeout` as in `commit`."""
        return self._call("documents", partial(self._storage.documents, query, after))

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See `Storage.records`; `Timeout` as in `commit`."""
        return self._call("records", partial(self._storage.records, scope, stream, after, verify=verify))

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """See `Storage.scopes`; `Timeout` as in `commit`."""
        return self._call("scopes", partial(self._storage.scopes, of))

    def _call(self, name: str, operation: Callable[[], T]) -> T:
        began = self._monotonic()
        try:
            return operation()
        except Unavailable as fault:
            return self._again(name, operation, fault, began)

    def _again(self, name: str, operation: Callable[[], T], fault: Unavailable, began: float) -> T:
        import tenacity  # noqa: PLC0415  # costs as much as the rest of the library, and only a fault needs it

        failed: list[Unavailable] = [fault]
        deadline = began + self._policy.timeout

        def attempt() -> T:
            if failed:
                raise failed.pop()
            return operation()

        def check_deadline(state: RetryCallState) -> None:
            if self._monotonic() + state.upcoming_sleep > deadline:
                tries = f"{state.attempt_number} tries in {self._policy.timeout:g} s"
                last = state.outcome.exception() if state.outcome else None
                raise Timeout(f"{name} did not work in {tries}: {last}") from last

        controller = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unavailable),
            stop=tenacity.stop_after_attempt(self._policy.max_retries + 1),
            wait=self._delay,
            before_sleep=check_deadline,
            sleep=self._sleep,
            reraise=True,
        )
        former = _DEADLINE.set(deadline)
        try:
            return controller(attempt)
        finally:
            _DEADLINE.reset(former)

    def _delay(self, state: RetryCallState) -> float:
        import random  # noqa: PLC0415  # tenacity has loaded it already; without a fault nobody needs it

        import tenacity  # noqa: PLC0415  # likewise

        policy = self._policy
        whole = tenacity.wait_exponential(
            multiplier=policy.initial_delay, max=policy.max_delay, exp_base=policy.backoff_multiplier
        )(state)
        return whole * (1 + (self._random or random.random)()) / 2 if policy.jitter else whole
