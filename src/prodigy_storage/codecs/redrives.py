"""The outcomes of redrives: one line for each try at a dead letter, in one stream for each job.

`{"redrive", "item", "outcome", "attempt", "at", "ms", "signature", "failures", "error", "result"}`; `at` is
microseconds since 1970-01-01 UTC; what has its default is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from prodigy_storage.codecs.streams import stream
from prodigy_storage.codecs.values import encode_value
from prodigy_storage.model.redrives import ItemOutcome, TrialOutcome
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Cursor, Damage, Storage


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    redrive: str
    item: str
    outcome: TrialOutcome
    attempt: int = 0
    at: int = 0
    ms: int = 0
    signature: str = ""
    failures: int = 0
    error: str | None = None
    result: Any = None


_ENCODER = msgspec.json.Encoder()
_LINE = msgspec.json.Decoder(_Line)
_MEMBERS = _Line.__struct_fields__

OUTCOMES = stream("redrives", time="at")


def encode_outcome(outcome: ItemOutcome) -> bytes:
    """One line with its newline.

    Raises:
        InvalidValue: the result is no JSON.
    """
    members = {name: getattr(outcome, name) for name in _MEMBERS}
    if outcome.result is not None:
        members["result"] = msgspec.Raw(encode_value(outcome.result, f"the result of {outcome.item}"))
    return _ENCODER.encode(_Line(**members)) + b"\n"


def outcomes(
    storage: Storage, scope: Scope, on_damage: Callable[[Damage], None], *, redrive: str | None = None
) -> Iterator[ItemOutcome]:
    """Every stored outcome of a job's redrives, or of one redrive, in their order.

    Args:
        storage, scope: Where.
        on_damage: Told of each line that cannot be read.
        redrive: The id of one redrive; None for all.
    """
    cursor: Cursor | None = None
    while True:
        chunk = storage.records(scope, OUTCOMES, cursor)
        for damage in chunk.damage:
            on_damage(damage)
        if not chunk.data:
            return
        cursor = chunk.cursor
        yield from _decoded(chunk.data, redrive, on_damage)


def _decoded(data: bytes, redrive: str | None, on_damage: Callable[[Damage], None]) -> Iterator[ItemOutcome]:
    offset = 0
    for text in data.split(b"\n")[:-1]:
        try:
            line = _LINE.decode(text)
        except msgspec.MsgspecError as error:
            on_damage(Damage(OUTCOMES.name, offset, f"no outcome of a redrive: {error}"))
        else:
            if redrive in (None, line.redrive):
                yield ItemOutcome(**{name: getattr(line, name) for name in _MEMBERS})
        offset += len(text) + 1
