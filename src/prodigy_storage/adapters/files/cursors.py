"""The cursor of the file adapter: how far a reader has come in each segment of one stream."""

from __future__ import annotations

import json

import attrs

from prodigy_storage.errors import InvalidValue, Rewound
from prodigy_storage.ports.storage import Cursor


@attrs.define
class Mark:
    """A cursor, open.

    Args:
        store: The id of the store; empty if there was none yet.
        low: Every segment with a lower number is consumed.
        open: The logical offset in the segments from `low` on, where it is not 0.
        foreign: Offset and CRC-32 of the first line, by the name of a segment without a number.
    """

    store: str = ""
    low: int = 1
    open: dict[int, int] = attrs.field(factory=dict)
    foreign: dict[str, tuple[int, int]] = attrs.field(factory=dict)

    def check(self, store: str, top: int, place: str) -> None:
        """Compare the cursor with a stream whose highest segment is `top`, and take on its store.

        Raises:
            Rewound: the stream is another one, or it was cut since.
        """
        if self.store not in {"", store} or (not self.store and (self.open or self.low > 1)):
            raise Rewound(f"the cursor belongs to another store than {place}")
        if self.low > top + 1 or any(number > top for number in self.open):
            raise Rewound(f"{place} ends at segment {top}, before the cursor")
        self.store = store

    def pack(self) -> Cursor:
        """The text of the cursor."""
        value: dict[str, object] = {"s": self.store, "l": self.low}
        if self.open:
            value["o"] = {str(number): offset for number, offset in sorted(self.open.items())}
        if self.foreign:
            value["f"] = self.foreign
        return Cursor(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def unpack(cursor: Cursor | None) -> Mark:
    """Open the text of a cursor; None is the beginning.

    Raises:
        InvalidValue: the text is no cursor of this backend.
    """
    if cursor is None:
        return Mark()
    try:
        value = json.loads(cursor)
        opened = {int(number): _whole(offset) for number, offset in value.get("o", {}).items()}
        foreign = {str(name): (_whole(at), _whole(crc)) for name, (at, crc) in value.get("f", {}).items()}
        return Mark(str(value["s"]), _whole(value["l"]), opened, foreign)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidValue(f"not a cursor of a file store: {str(cursor)[:80]!r}") from error


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value
