"""How much a store holds, for backends that know it without reading everything."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

import attrs

from prodigy_storage.ports.names import Scope


class Form(enum.Enum):
    """What a measure is about."""

    DOCUMENTS = "documents"
    """A kind; its `count` is exact."""
    RECORDS = "records"
    """A stream; its `count` is that of the pieces (files, rows) that hold the records."""
    OTHER = "other"
    """What the backend keeps beside them: its own housekeeping, files that are neither. `count` is that of the files."""


@attrs.frozen(kw_only=True)
class Measure:
    """What one scope holds of one thing.

    Args:
        scope: Where.
        form: Whether `of` is a kind, a stream, or something else.
        of: The name of the kind, the stream or the folder.
        count: How many; see `Form`.
        bytes: What they take as they are stored, compressed ones compressed; blocks that are not full count as full
            only where the backend counts so.
    """

    scope: Scope
    form: Form
    of: str
    count: int
    bytes: int


class Measuring(Protocol):
    """Optional, declared by `Capability.MEASURING`."""

    def measure(self, scope: Scope = ()) -> Sequence[Measure]:
        """A row for each scope below `scope`, and each kind or stream, of which there is anything; in any order.

        What is written meanwhile may be counted or not.
        """
        ...
