"""The progress stream: one line for each acknowledged attempt.

`{"item", "outcome", "attempt", "at", "ms", "result" | "error", "not_before"}`; `at` and `not_before` are
microseconds since 1970-01-01 UTC; what has its default is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from prodigy_storage.codecs.streams import stream
from prodigy_storage.model.jobs import Outcome, Progress
from prodigy_storage.ports.storage import Damage


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """A `Progress` as it is stored, in the stream and inside checkpoints."""

    item: str
    outcome: Outcome
    attempt: int
    at: int
    ms: int = 0
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: str | None = None
    not_before: int = 0


_ENCODER = msgspec.json.Encoder()
_LINE = msgspec.json.Decoder(Line)


def to_line(progress: Progress) -> Line:
    """The stored form."""
    result = msgspec.UNSET if progress.result is None else msgspec.Raw(progress.result)
    return Line(
        progress.item,
        progress.outcome,
        progress.attempt,
        progress.at,
        progress.ms,
        result,
        progress.error,
        progress.not_before,
    )


def from_line(line: Line) -> Progress:
    """The inverse of `to_line`; the result is copied out of the buffer it was read from."""
    result = None if line.result is msgspec.UNSET else bytes(line.result)
    return Progress(line.item, line.outcome, line.attempt, line.at, line.ms, result, line.error, line.not_before)


def encode_progress(progress: Progress) -> bytes:
    """One line with its newline."""
    return _ENCODER.encode(to_line(progress)) + b"\n"


def decode_progress(data: bytes, on_damage: Callable[[Damage], None]) -> Iterator[Progress]:
    """The records of a chunk; a line that is no progress record is reported and passed over."""
    offset = 0
    for text in data.split(b"\n")[:-1]:
        try:
            yield from_line(_LINE.decode(text))
        except msgspec.MsgspecError as error:
            on_damage(Damage("progress", offset, f"no progress record: {error}"))
        offset += len(text) + 1


PROGRESS = stream("progress", time="at")
