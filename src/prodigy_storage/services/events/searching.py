"""Searching lines with regular expressions, in time that grows with the line and never explodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prodigy_storage.codecs.values import decode_value, encode_value
from prodigy_storage.errors import InvalidValue, Unsupported
from prodigy_storage.model.values import Json


class Pattern:
    """A compiled pattern and where it is looked for.

    Args:
        text: A regular expression of RE2: no look-around, no back-references, hence linear time.
        fields: Dotted names of members of the record (`metadata.pid`) or of its event (`error`); a line matches if one
            of them does. Texts are searched as they are, other values as compact JSON. Empty: the whole line.

    Raises:
        InvalidValue: the pattern is no regular expression, or a name is empty.
        Unsupported: the extra `search` is not installed.
    """

    def __init__(self, text: str, fields: Sequence[str] = ()) -> None:
        if isinstance(fields, str) or not all(all(field.split(".")) for field in fields):
            raise InvalidValue(f"fields are dotted names like error or metadata.pid, not {fields!r}")
        self._find = _compiled(text).search
        self._paths = [tuple(field.split(".")) for field in fields]

    def matches(self, line: bytes) -> bool:
        """Whether a line has the pattern where it is looked for; one that cannot be read is passed on."""
        if not self._paths:
            return self._find(line) is not None
        try:
            record = decode_value(line)
        except (ValueError, RecursionError):
            return True
        return any(self._find(text) is not None for path in self._paths for text in _texts(record, path))


def _compiled(text: str) -> Any:
    try:
        import re2  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra, loaded when it is asked for
    except ImportError as error:
        raise Unsupported(
            "searching events needs an extra that is not installed", hint="pip install 'prodigy-storage[search]'"
        ) from error
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise InvalidValue(
            f"{text[:80]!r} is no regular expression: {reason}",
            hint="RE2 knows neither look-around nor back-references; a backslash takes a character literally.",
        ) from error


def _texts(record: Json, path: Sequence[str]) -> list[bytes]:
    """The values of a member, of the record or else of its event, as they are searched."""
    found = [_member(record, path), _member(record, ("event", *path))]
    return [_text(value) for value in found if value is not None]


def _member(value: Json, path: Sequence[str]) -> Json:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _text(value: Json) -> bytes:
    return value.encode(errors="surrogatepass") if isinstance(value, str) else encode_value(value, "a value")
