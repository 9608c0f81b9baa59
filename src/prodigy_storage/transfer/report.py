"""What a transfer did."""

from __future__ import annotations

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage


@attrs.frozen(order=True)
class Difference:
    """A document that the target has with another body. It was left as it is, unless it was to be overwritten."""

    kind: str
    scope: Scope
    id: str


@attrs.define(kw_only=True)
class Report:
    """What a transfer did; it grows while the transfer runs.

    Args:
        copied: Documents that the target did not have.
        same: Documents that it had already, byte for byte.
        replaced: Documents that it had with another body, overwritten because that was wanted.
        differing: Documents that it has with another body, left as they are.
        records: Records that were appended.
        known: Records that it had already.
        bytes: How many bytes of bodies and records were written.
        damage: What the source could not read, and what is therefore missing in the target.
    """

    copied: int = 0
    same: int = 0
    replaced: int = 0
    differing: list[Difference] = attrs.field(factory=list)
    records: int = 0
    known: int = 0
    bytes: int = 0
    damage: list[Damage] = attrs.field(factory=list)

    @property
    def complete(self) -> bool:
        """Whether the target now has everything that the source has."""
        return not self.differing and not self.damage

    @property
    def changed(self) -> bool:
        """Whether anything was written, or, in a dry run, would have been."""
        return bool(self.copied or self.replaced or self.records)

    @property
    def documents(self) -> int:
        """How many documents were looked at."""
        return self.copied + self.same + self.replaced + len(self.differing)
