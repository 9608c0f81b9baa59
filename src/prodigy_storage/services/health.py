"""Whether the store really works: written, synced, read back, locked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import cast

import attrs

from prodigy_storage.codecs.kinds import PROBE
from prodigy_storage.codecs.trees import dump
from prodigy_storage.errors import Corrupt, Locked, StorageError, Unsupported
from prodigy_storage.ports.locks import Locks
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Batch, Capability, Delete, Expect, Put, Storage
from prodigy_storage.ports.trying import Trying


@attrs.frozen(kw_only=True)
class Trial:
    """One thing that was tried.

    Args:
        name: What: `write`, `read`, `lock`, those of the backend (files: `kernel lock`), `remove`.
        milliseconds: How long it took.
        problem: What went wrong; None if it worked.
    """

    name: str
    milliseconds: float
    problem: str | None = None


@attrs.frozen(kw_only=True)
class Health:
    """What was tried, in order."""

    trials: tuple[Trial, ...]
    capabilities: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything worked."""
        return all(trial.problem is None for trial in self.trials)


def examine(storage: Storage, locks: Locks, runtime: Runtime, *, locking: bool = True) -> Health:
    """Write and sync a document, read it back, hold a lock against a second taker; remove what was written.

    A backend that declares `Capability.TRYING` adds its own trials. If nothing can be written, nothing else is tried.

    Args:
        storage, locks, runtime: What is tried out.
        locking: Whether locks are meant to keep others out; if not, that is the finding.
    """
    name = runtime.ids.new()
    body = dump({"probe": name})

    def write() -> None:
        storage.commit(Batch((), (Put(PROBE, name, body, Expect.ABSENT),)))

    def read() -> None:
        if storage.fetch((), PROBE, [name], fresh=True)[name].body != body:
            raise Corrupt("what was read back differs from what was written")

    def lock() -> None:
        if not locking:
            raise Unsupported("locking is turned off (enable_locking: false): whoever comes takes a job over")
        _exclusive(locks)

    def remove() -> None:
        storage.commit(Batch((), (Delete(PROBE, name),)))

    written = _tried(runtime, "write", write)
    steps = {"read": read, "lock": lock, **_own(storage), "remove": remove} if written.problem is None else {}
    trials = (written, *(_tried(runtime, name, step) for name, step in steps.items()))
    return Health(trials=trials, capabilities=tuple(sorted(capability.value for capability in storage.capabilities)))


def _own(storage: Storage) -> Mapping[str, Callable[[], None]]:
    """The trials that only the backend can make."""
    return cast("Trying", storage).trials() if Capability.TRYING in storage.capabilities else {}


def _exclusive(locks: Locks) -> None:
    with contextlib.suppress(Locked):  # another examination under way proves it as well
        grant = locks.acquire((), "health", purpose="health")
        try:
            locks.acquire((), "health")
            raise Corrupt("a lock was given to two holders")
        finally:
            locks.release(grant)


def _tried(runtime: Runtime, name: str, step: Callable[[], None]) -> Trial:
    began = runtime.clock.monotonic()
    problem = None
    try:
        step()
    except (StorageError, KeyError) as error:
        problem = str(error)
    return Trial(name=name, milliseconds=(runtime.clock.monotonic() - began) * 1000, problem=problem)
