"""What a redrive works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from prodigy_storage.codecs.telling import Teller
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Storage
from prodigy_storage.services.dead_letters import DeadLetters

InThreads: TypeAlias = Callable[[Callable[[], None], int, Callable[[], None]], None]
"""Runs the first argument in so many threads, and calls the last one as soon as something goes wrong."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """The store's parts that a redrive uses.

    Args:
        presence: Who tells whether the holder of a claim lives; None if nobody can.
        in_threads: Where parallel workers come from.
    """

    storage: Storage
    runtime: Runtime
    presence: Presence | None
    dlq: DeadLetters
    teller: Teller
    in_threads: InThreads
