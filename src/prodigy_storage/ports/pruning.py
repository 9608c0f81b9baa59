"""What a trim would remove, record by record, before it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Chunk, Cursor, Stream


class Pruning(Protocol):
    """Optional, declared by `Capability.PRUNING`."""

    def front(self, scope: Scope, stream: Stream, goes: Callable[[bytes], bool], after: Cursor | None = None) -> Chunk:
        """The next records that a `Trim` could remove now: of each writer those at its front of which `goes` holds.

        Changes nothing. What a live writer still writes to may be left out.

        Args:
            scope, stream: Where.
            goes: Whether a record may go. It is asked in the order of the stream, up to the first no of each writer;
                when a call goes on where the one before ended, the record that stays may be asked about again.
            after: The cursor of the chunk before; None: from the beginning.

        Returns:
            A chunk whose cursor has passed its records and those of the chunks before, and none else. It is meant for
            `Trim`, which then removes exactly these; reading on from it may give some of them again. Empty `data`
            means: nothing more.

        Raises:
            Rewound: the stream no longer holds what the cursor has seen.
        """
        ...
