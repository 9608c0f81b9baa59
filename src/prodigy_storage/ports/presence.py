"""Who is alive: how a lease, a segment or a claim knows that its owner is gone."""

from __future__ import annotations

from typing import Protocol

import attrs


@attrs.frozen
class Token:
    """Identifies one process, so that another one can tell whether it still lives.

    Args:
        writer: Drawn anew by each process and after each fork; empty for a process that is not ours.
        pid: Its process id.
        host: The name of its machine.
        boot: The boot id of its machine; empty if not known.
        started: When the process started, in seconds since 1970, rounded to 0.01; 0 if not known.
    """

    writer: str
    pid: int
    host: str
    boot: str = ""
    started: float = 0.0


class Presence(Protocol):
    """An optional part of a backend, declared by `Capability.PRESENCE`."""

    def me(self) -> Token:
        """The token of this process. It stays alive as long as the process does, and no longer."""
        ...

    def alive(self, token: Token) -> bool | None:
        """Whether that process lives; None if it cannot be known from here (another machine)."""
        ...
