"""Small values in Prodigy's files, and the ranges of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, TypeAlias

import attrs

from prodigy_storage.model.values import Json


@attrs.frozen
class Whole:
    """Whole numbers of so many bits."""

    bits: int
    signed: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the greatest."""
        if self.signed:
            return -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        return 0, (1 << self.bits) - 1


@attrs.frozen
class Human:
    """Durations as people write them: `1m 30s`."""


U32: TypeAlias = Annotated[int, Whole(32)]
"""A whole number of 32 bits, as most counters of tries are; an `int` without a note has 64 and no sign."""
I32: TypeAlias = Annotated[int, Whole(32, signed=True)]
"""A whole number of 32 bits with a sign."""
HumanDuration: TypeAlias = Annotated[str, Human()]
"""A duration as text: `500ms`, `1m 30s`."""


@attrs.frozen
class Tagged:
    """One of several named cases, with what it carries: `"Success"`, or `{"Failed": "exit code 1"}`.

    Args:
        name: The case.
        value: What it carries; None if nothing.
    """

    name: str
    value: Json = None


ABSENT: Mapping[str, bool] = MappingProxyType({"absent": True})
"""Metadata of a field that is left out of the file while it has its default."""
