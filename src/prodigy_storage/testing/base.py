"""What all parts of the contract share: how a storage is opened, and what is skipped."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from prodigy_storage.ports.storage import Capability, Storage

T = TypeVar("T")


class Contract(ABC):
    """Base of the parts of the contract."""

    @abstractmethod
    def open(self, place: Path) -> Storage:
        """Open the storage under test.

        Args:
            place: A path at which nothing is yet, in a directory of the test's own: make a file or a directory
                there. The same place again means the same store, if it is durable.
        """

    def opener(self) -> Callable[[Path], Storage]:
        """What does the same as `open` in a process that was just started, so it must pickle.

        Override it if the test class cannot be imported by its name there: a function or a class of your package.
        """
        return self.open

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Where the storage of this test lies."""
        return tmp_path / "store"

    @pytest.fixture
    def storage(self, place: Path) -> Iterator[Storage]:
        """The storage of this test."""
        with closing(self.open(place)) as storage:
            yield storage

    @contextmanager
    def reopened(self, storage: Storage, place: Path) -> Iterator[Storage]:
        """The same store after a close, in the state that a new process would find."""
        storage.close()
        with closing(self.open(place)) as again:
            yield again


def need(storage: Storage, capability: Capability) -> None:
    """Skip the test if the backend does not declare the capability."""
    if capability not in storage.capabilities:
        pytest.skip(f"the backend does not declare {capability.name}")


def in_threads(count: int, work: Callable[[int], T]) -> Sequence[T]:
    """Run `work(0)`, `work(1)`, ... at the same moment, each in its own thread; their results in order."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        barrier.wait(60)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
