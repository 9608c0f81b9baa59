"""Time as the file adapter needs it: waits for kernel locks, and the ages of files as the kernel writes them.

No rule of the domain depends on these; they are the operating system's time, which a clock from outside cannot be.
"""

from __future__ import annotations

import time

monotonic = time.monotonic  # noqa: TID251  # deadlines of kernel locks
pause = time.sleep  # noqa: TID251  # the wait between two tries of a kernel lock
wall_ns = time.time_ns  # noqa: TID251  # compared with the times of files only

TICK_NS = 20_000_000
"""Files changed within this many nanoseconds may carry equal times: the kernel's clock for files is coarse."""


def stamp() -> str:
    """The time in UTC for the name of a segment."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_ns() // 1_000_000_000))


def settled(changed_ns: int) -> bool:
    """Whether a file that was changed then would show a later change by its times."""
    return wall_ns() - changed_ns > TICK_NS


def timestamp() -> str:
    """The time in UTC as a text of ISO 8601, with nanoseconds."""
    seconds, rest = divmod(wall_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
