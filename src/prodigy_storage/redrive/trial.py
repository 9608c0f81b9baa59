"""One try at a dead letter, as a context manager."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import attrs

from prodigy_storage.errors import StorageError
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.values import Json


class WorkFailed(Exception):
    """Raise it in the work to say more than a message.

    Args:
        message: What went wrong.
        exit_code: Of the command that failed, if it was one.
        output: Lines that belong into the history.
    """

    def __init__(self, message: str, *, exit_code: int | None = None, output: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.output = tuple(output)


class _Redrive(Protocol):
    def succeed(self, trial: Trial, result: Json = None) -> None: ...

    def fail(self, trial: Trial, error: BaseException | str) -> None: ...

    def give_back(self, trial: Trial) -> None: ...


@attrs.define(eq=False)
class Trial:
    """Settle it by leaving a `with` block: normally, it succeeded; by an exception, it failed.

    A storage error, and whatever is no `Exception` (Ctrl-C), gives the item back instead and goes on upwards.

    Args:
        letter: The dead letter, whole, as it was when it was claimed.
        number: Counts the tries at this item in this redrive, from 1.
        started: Monotonic seconds.
        result: What the work gives; set it before the block is left. Must be JSON.
    """

    letter: DeadLetter
    number: int
    started: float
    _redrive: _Redrive = attrs.field(repr=False)
    result: Json = None

    @property
    def item_id(self) -> str:
        """The item."""
        return self.letter.item_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None:
            self._redrive.succeed(self, self.result)
            return False
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            self._redrive.fail(self, error)
            return True
        self._redrive.give_back(self)
        return False
