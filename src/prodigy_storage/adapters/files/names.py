"""Names from outside as file names: a reversible encoding that no path rule can misread.

Letters of any script, digits, `_`, `-`, and inner `.` and blanks stay as they are. Everything else becomes the
percent-escapes of its UTF-8 bytes, and so does every non-ASCII character of a name that is not in NFC.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from prodigy_storage.errors import InvalidName

MAX_FILE_NAME = 255
_PLAIN = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_. -]*[A-Za-z0-9_-])?")
_INNER = "_-. "
ESCAPE = "%"


def _keeps(char: str, *, composed: bool) -> bool:
    if char.isascii():
        return char.isalnum() or char in _INNER
    return composed and unicodedata.category(char)[0] in "LMN"


def _escape(char: str) -> str:
    return "".join(f"{ESCAPE}{byte:02X}" for byte in char.encode())


@lru_cache(maxsize=8192)
def encode(name: str, suffix: str = "", *, reserved: frozenset[str] = frozenset()) -> str:
    """The file name for `name`.

    Args:
        name: A checked name.
        suffix: Appended as it is.
        reserved: File names that mean something else in that place; a name that equals one is escaped.

    Raises:
        InvalidName: the file name would have more than 255 bytes.
    """
    encoded = name if _PLAIN.fullmatch(name) else _encode(name)
    if encoded in reserved:
        encoded = _escape(encoded[0]) + encoded[1:]
    if len(encoded) + len(suffix) > MAX_FILE_NAME or len(encoded.encode()) + len(suffix) > MAX_FILE_NAME:
        raise InvalidName(f"the name {name[:40]!r} needs more than {MAX_FILE_NAME} bytes as a file name")
    return encoded + suffix


def _encode(name: str) -> str:
    composed = unicodedata.normalize("NFC", name) == name
    last = len(name) - 1
    return "".join(
        char if _keeps(char, composed=composed) and not (index in {0, last} and char in ". ") else _escape(char)
        for index, char in enumerate(name)
    )


@lru_cache(maxsize=8192)
def decode(file_name: str) -> str | None:
    """The name that a file name without its suffix stands for; None if it stands for none."""
    if _PLAIN.fullmatch(file_name):
        return file_name
    try:
        name = unquote_to_bytes(file_name).decode()
    except UnicodeError:
        return None
    canonical = _encode(name) if name else ""
    escaped = _escape(canonical[0]) + canonical[1:] if canonical else ""
    return name if file_name in {canonical, escaped} else None
