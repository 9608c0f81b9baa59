"""The process around the library: ids, background work, mutual exclusion, and who we are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import attrs

from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.presence import Token


class Ids(Protocol):
    """A source of identifiers."""

    def new(self) -> str:
        """A fresh UUID (version 7: later ones sort later), hyphenated, in lower case."""
        ...


class Handle(Protocol):
    """Something that runs in the background."""

    def wake(self) -> None:
        """Run it now, in its own thread."""
        ...

    def stop(self) -> None:
        """Run it no more; returns when a call under way has ended. May be called again."""
        ...


class Background(Protocol):
    """Threads, locks and process events, so that services need none of them by name."""

    def mutex(self) -> AbstractContextManager[object]:
        """A new re-entrant lock for the threads of this process."""
        ...

    def every(self, seconds: float, work: Callable[[], None]) -> Handle:
        """Call `work` again and again in one daemon thread, each time `seconds` after the last call ended."""
        ...

    def at_exit(self, work: Callable[[], None]) -> Callable[[], None]:
        """Call `work` when the interpreter ends in order; returns a function that cancels it."""
        ...

    def after_fork(self, work: Callable[[], None]) -> Callable[[], None]:
        """Call `work` in each child right after a fork; returns a function that cancels it."""
        ...

    def identity(self) -> Token:
        """The token of this process, for backends that have no presence of their own."""
        ...

    def local(self) -> Any:
        """A new object whose attributes each thread has for itself."""
        ...

    def thread_name(self) -> str:
        """The name of the calling thread."""
        ...


@attrs.frozen(kw_only=True)
class Runtime:
    """Everything around a store that is not storage."""

    clock: Clock
    ids: Ids
    background: Background
