"""JSON trees of documents: read strictly, written, sealed with a checksum."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

from prodigy_storage.codecs.json_text import no_json, write
from prodigy_storage.errors import Corrupt

Tree = dict[str, Any]
T = TypeVar("T")

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


def is_sealed(body: bytes) -> bool:
    """Whether a document has a checksum: the library wrote it, in its own form."""
    return _CHECKSUM.search(body, max(0, len(body) - 64)) is not None


def damaged(place: str, offset: int | None, reason: str) -> Corrupt:
    """The error for bytes that cannot be read."""
    where = f"{place or 'document'}: " + (f"byte {offset}: " if offset is not None else "")
    hint = "Everything else is readable. prodigy-storage doctor shows what can be repaired."
    return Corrupt(where + reason, place=place, offset=offset, reason=reason, hint=hint)


def undecodable(body: bytes, error: Exception, place: str = "", what: str = "") -> Corrupt:
    """The error for a body that a decoder refuses: at the byte where it is no JSON, if that is why.

    Args:
        body: What was decoded.
        error: What the decoder raised.
        place: Where the body lies.
        what: What it should be, as "it is no …: ".
    """
    try:
        parse_as(object, body, place)
    except Corrupt as found:
        return damaged(place, found.offset, what + found.reason)
    return damaged(place, None, what + str(error))


def parse(body: bytes, place: str = "") -> Tree:
    """The tree of a document that is an object; see `parse_as`."""
    return parse_as(dict, body, place)


def parse_as(of: type[T], body: bytes, place: str = "") -> T:
    """The tree of a document: strict JSON in UTF-8.

    A repeated key is refused in documents that the library wrote; in others, which have no checksum, the last one
    counts, as it does for Prodigy.

    Args:
        of: What it has to be: an object, or a list.
        body: The document.
        place: Where it lies, for the error.

    Raises:
        Corrupt: it is none, or the checksum is wrong.
    """
    ours = is_sealed(verify(body, place))
    try:
        tree = (_STRICT if ours else _TOLERANT).decode(body.decode())
    except UnicodeDecodeError as error:
        raise damaged(place, error.start, "it is no UTF-8") from error
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode(errors="surrogatepass"))
        raise damaged(place, offset, f"it is no JSON: {error.msg}") from error
    except _Refused as error:
        raise damaged(place, None, str(error)) from error
    except (RecursionError, ValueError) as error:
        raise damaged(place, None, f"it is no JSON that can be read: {error}") from error
    if not isinstance(tree, of):
        raise damaged(place, 0, f"it is no JSON {'object' if of is dict else 'array'}")
    if isinstance(tree, dict):
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


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Refused(f"{text[:40]} is beyond the numbers that can be held")
    return value


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
_TOLERANT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def dump(tree: Mapping[str, Any], *, pretty: bool = True) -> bytes:
    """The bytes of a tree, with a checksum as its last member.

    Raises:
        InvalidValue: something in it is no JSON.
    """
    return seal(encoded(write(tree, pretty=pretty)), pretty=pretty)


def encoded(text: str) -> bytes:
    """The text as UTF-8.

    Raises:
        InvalidValue: it has half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise no_json(error.object[: error.start], f"{error.object[error.start]!r} is a lone surrogate") from error


def seal(text: bytes, *, pretty: bool) -> bytes:
    """Add the checksum to the text of a non-empty JSON object; blanks behind it stay."""
    bare = text.rstrip()
    head = bare[:-1].rstrip()
    member = b',\n  "_crc": %d\n}' if pretty else b',"_crc":%d}'
    return head + member % zlib.crc32(head) + text[len(bare) :]


def unsealed(body: bytes) -> tuple[bytes, bool]:
    """A verified document without its checksum, and whether it had one."""
    found = _CHECKSUM.search(body, max(0, len(body) - 64))
    if found is None:
        return body, False
    pretty = found.group().rstrip().endswith(b"\n}")
    return body[: found.start()] + (b"\n}" if pretty else b"}") + body[len(body.rstrip()) :], True
