"""Event lines of early versions of Prodigy: `{"JobStarted": {…}}`, the name of the event as the key.

Such a line has no id and no correlation id, and its time stands beside the event or inside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from prodigy_storage.codecs.event_ids import derived_id

_VARIANT = re.compile(r"[A-Z][A-Za-z0-9]*")
_CAPITAL = re.compile(r"(?<=.)([A-Z])")
_TIMES = ("timestamp", "time", "created_at")


def old_tag(variant: str) -> str:
    """The tag of today for the name of an event: `DLQItemAdded` is `d_l_q_item_added`."""
    return _CAPITAL.sub(r"_\1", variant).lower()


def old_name(tag: str) -> str:
    """The inverse of `old_tag`."""
    return "".join(word.capitalize() for word in tag.split("_"))


def modern_members(line: bytes) -> dict[str, Any] | None:
    """The members that an old line would have as a record of today; None if it is none, or has no time.

    The id depends on the line alone, so that reading it again gives the same record.
    """
    try:
        tree = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    outer = tree["event"] if isinstance(tree.get("event"), dict) else tree
    variants = [name for name, inner in outer.items() if _VARIANT.fullmatch(name) and isinstance(inner, dict)]
    if len(variants) != 1:
        return None
    inner = outer[variants[0]]
    stamp = _time(tree) or _time(inner)
    if stamp is None:
        return None
    return {
        "id": _text(tree, "id") or derived_id("old event", line.hex()),
        "timestamp": stamp,
        "correlation_id": _text(tree, "correlation_id") or "",
        "event": {**inner, "event_type": old_tag(variants[0])},
        "metadata": tree["metadata"] if isinstance(tree.get("metadata"), dict) else {},
    }


def _time(tree: Mapping[str, Any]) -> str | None:
    return next((found for name in _TIMES if (found := _text(tree, name)) is not None), None)


def _text(tree: Mapping[str, Any], name: str) -> str | None:
    found = tree.get(name)
    return found if isinstance(found, str) else None
