"""One try at one item, as a context manager."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import attrs

from prodigy_storage.errors import StorageError
from prodigy_storage.model.values import Json


class _Run(Protocol):
    def complete(self, attempt: Attempt, result: Json = None) -> None: ...

    def fail(self, attempt: Attempt, error: BaseException | str) -> None: ...

    def give_back(self, attempt: Attempt) -> None: ...


@attrs.define(eq=False)
class Attempt:
    """Settle it by leaving a `with` block: normally, it is completed; by an exception, it has failed.

    A storage error, and whatever is no `Exception` (Ctrl-C), gives the item back instead and goes on upwards.

    Args:
        item: The item's data.
        item_id: Its id.
        number: Counts the attempts of this item, from 1.
        started: Monotonic seconds.
        result: What the attempt gives; set it before the block is left. Must be JSON.
    """

    item: Json
    item_id: str
    number: int
    started: float
    _run: _Run = attrs.field(repr=False)
    result: Json = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None:
            self._run.complete(self, self.result)
            return False
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            self._run.fail(self, error)
            return True
        self._run.give_back(self)
        return False
