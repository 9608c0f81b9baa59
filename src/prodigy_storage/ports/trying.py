"""What a backend can try out about the place where it keeps its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Trying(Protocol):
    """Optional, declared by `Capability.TRYING`: trials that only the backend can make, such as its kind of locks."""

    def trials(self) -> Mapping[str, Callable[[], None]]:
        """What can be tried, by name, in order. A trial leaves nothing behind.

        Each callable raises a `StorageError` that says what does not work here.
        """
        ...
