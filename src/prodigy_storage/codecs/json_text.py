"""JSON as text in the form that Prodigy writes: two blanks of indentation, floats spelled in Rust's way."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring as quoted

import attrs

from prodigy_storage.errors import InvalidValue

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|[][{},:]')


class _NoJson(Exception):
    """Something that JSON cannot say, on its way to where the path is known."""


@attrs.frozen
class Unwritable:
    """Stands in a tree for a value that must not be written; where it was stored already, it stays."""

    value: object
    error: InvalidValue = attrs.field(eq=False)


def spelled(value: float) -> str:
    """A finite float: the shortest digits that give it back, plain for decimal exponents from -5 to 15."""
    text = float.__repr__(value)
    digits, mark, exponent = text.partition("e")
    if not mark or exponent[0] == "+":
        return text
    power = int(exponent)
    if power == -5:
        sign, plain = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
        return f"{sign}0.0000{plain.replace('.', '')}"
    return f"{digits}e{power}"


def write(value: object, *, pretty: bool = True, indent: str = "") -> str:
    """The text of a value.

    Args:
        value: What JSON can say.
        pretty: Whether each member and each element has a line of its own.
        indent: How far the line is indented on which the value begins.

    Raises:
        InvalidValue: something in it is no JSON.
    """
    pieces: list[str] = []
    try:
        _write(value, pieces.append, f"\n{indent}" if pretty else "")
    except RecursionError as error:
        raise InvalidValue("a document can only hold JSON: it is nested too deeply") from error
    except _NoJson as error:
        raise no_json("".join(pieces), str(error)) from None
    return "".join(pieces)


def no_json(before: str, why: str) -> InvalidValue:
    """The error for what follows a text that JSON begins with: names the member."""
    keys: list[str | int] = []
    last = ""
    for mark in _TOKEN.findall(before):
        if mark in "[{":
            keys.append(0 if mark == "[" else "")
        elif mark in "]}":
            keys.pop()
        elif mark == ":":
            keys[-1] = last[1:-1]
        elif mark == ",":
            keys[-1] = keys[-1] + 1 if isinstance(keys[-1], int) else ""
        last = mark
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
    return InvalidValue(f"{path}{': ' if path else ''}a document can only hold JSON, and {why}")


def _write(value: object, put: Callable[[str], None], line: str) -> None:
    if isinstance(value, str):
        put(quoted(value))
    elif isinstance(value, dict):
        _write_members(value, put, line)
    elif isinstance(value, list | tuple):
        _write_elements(value, put, line)
    elif isinstance(value, Mapping):
        _write_members(dict(value), put, line)
    else:
        put(_scalar(value))


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Unwritable):
        raise value.error
    if isinstance(value, float) and math.isfinite(value):
        return spelled(value)
    raise _NoJson(f"{value!r:.60} is none")


def _write_members(value: Mapping[object, object], put: Callable[[str], None], line: str) -> None:
    if not value:
        put("{}")
        return
    inner = f"{line}  " if line else ""
    separator, colon = f"{{{inner}", ": " if line else ":"
    for key, member in value.items():
        if not isinstance(key, str):
            raise _NoJson(f"the key {key!r:.60} is no text")
        put(separator + quoted(key) + colon)
        _write(member, put, inner)
        separator = f",{inner}"
    put(f"{line}}}")


def _write_elements(value: list[object] | tuple[object, ...], put: Callable[[str], None], line: str) -> None:
    if not value:
        put("[]")
        return
    inner = f"{line}  " if line else ""
    separator = f"[{inner}"
    for element in value:
        put(separator)
        _write(element, put, inner)
        separator = f",{inner}"
    put(f"{line}]")
