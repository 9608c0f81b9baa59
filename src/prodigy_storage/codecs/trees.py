"""JSON trees of documents: read strictly, sealed with a checksum, changed without losing what is unknown."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.values import Json

Tree = dict[str, Any]

_CHECKSUM = re.compile(rb',\s*"_crc":\s*(\d+)\s*\}\s*\Z')


def verify(body: bytes, place: str = "") -> bytes:
    """Return `body` if its checksum holds or if it has none (another program wrote it).

    Raises:
        Corrupt: the checksum is wrong.
    """
    found = _CHECKSUM.search(body, max(0, len(body) - 64))
    if found and zlib.crc32(body[: found.start()]) != int(found.group(1)):
        raise damaged(place, found.start(), "the checksum differs from the content")
    return body


def damaged(place: str, offset: int | None, reason: str) -> Corrupt:
    """The error for bytes that cannot be read."""
    where = f"{place or 'document'}: " + (f"byte {offset}: " if offset is not None else "")
    hint = "Everything else is readable; this one is kept as it is."
    return Corrupt(where + reason, place=place, offset=offset, reason=reason, hint=hint)


def parse(body: bytes, place: str = "") -> Tree:
    """The tree of a document: strict JSON in UTF-8, an object without repeated keys.

    Raises:
        Corrupt: it is none, or the checksum is wrong.
    """
    try:
        tree = json.loads(verify(body, place).decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise damaged(place, error.start, "it is no UTF-8") from error
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode(errors="surrogatepass"))
        raise damaged(place, offset, f"it is no JSON: {error.msg}") from error
    except _Refused as error:
        raise damaged(place, None, str(error)) from error
    except (RecursionError, ValueError) as error:
        raise damaged(place, None, f"it is no JSON that can be read: {error}") from error
    if not isinstance(tree, dict):
        raise damaged(place, 0, "it is no JSON object")
    tree.pop("_crc", None)
    return tree


class _Refused(Exception):  # never leaves this module
    pass


def _unique(pairs: list[tuple[str, Any]]) -> Tree:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise _Refused("an object has the same key twice")
    return tree


def _refuse(name: str) -> object:
    raise _Refused(f"{name} is no JSON number")


def dump(tree: Mapping[str, Any], *, pretty: bool = True) -> bytes:
    """The bytes of a tree, with a checksum as its last member.

    Raises:
        InvalidValue: something in it is no JSON.
    """
    try:
        text = json.dumps(
            tree,
            ensure_ascii=False,
            allow_nan=False,
            indent=2 if pretty else None,
            separators=None if pretty else (",", ":"),
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"a document can only hold JSON: {error}") from error
    return seal(text, pretty=pretty)


def seal(text: bytes, *, pretty: bool) -> bytes:
    """Add the checksum to the text of a non-empty JSON object."""
    head = text[:-2] if pretty else text[:-1]
    crc = zlib.crc32(head)
    return head + (b',\n  "_crc": %d\n}' % crc if pretty else b',"_crc":%d}' % crc)


def patched(stored: Json, before: Json, after: Json) -> Json:
    """`stored` with everything that differs between `before` and `after` changed, and nothing else."""
    if isinstance(stored, dict) and isinstance(before, Mapping) and isinstance(after, Mapping):
        tree = {key: value for key, value in stored.items() if key in after or key not in before}
        for key, value in after.items():
            if key in tree and key in before:
                tree[key] = patched(tree[key], before[key], value)
            elif key not in before or before[key] != value:
                tree[key] = value
        return tree
    if isinstance(stored, list) and isinstance(before, list) and isinstance(after, list) and len(stored) == len(before):
        shared = min(len(before), len(after))
        return [patched(*trio) for trio in zip(stored[:shared], before, after, strict=False)] + after[shared:]
    return stored if _same(before, after) else after


def _same(before: Json, after: Json) -> bool:
    return type(before) is type(after) and before == after
