"""From the values in an event to values that the encoder writes without a surprise.

The encoder alone would write a number that is not finite as null, bytes as base64 and a set as a list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from prodigy_storage.codecs.values import time_text
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.values import Json

MAX_DEPTH = 120
"""Levels of nesting in one value. Prodigy reads 127 in a whole line."""


def plain(value: object, name: str, depth: int = 0) -> Json:
    """A copy of `value` that is JSON. Times become text, tuples lists, attrs objects mappings.

    Args:
        value: What to copy.
        name: How to name it in an error.
        depth: How deep it lies already.

    Raises:
        InvalidValue: something in it is no JSON; the error names the place.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value, name)
    if isinstance(value, float):
        return _number(value, name)
    if isinstance(value, datetime):
        return _time(value, name)
    if depth >= MAX_DEPTH:
        raise InvalidValue(f"{name[:80]} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, list | tuple):
        return [plain(item, f"{name}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, name): plain(item, f"{name}.{key}", depth + 1) for key, item in value.items()}
    cls: type[Any] = type(value)
    if attrs.has(cls):
        members = [(field.name, getattr(value, field.name)) for field in attrs.fields(cls)]
        return {key: plain(item, f"{name}.{key}", depth + 1) for key, item in members}
    raise InvalidValue(f"{name} is no JSON: {cls.__name__}")


def finite(value: object, name: str) -> None:
    """Accept a finite number.

    Raises:
        InvalidValue: it is something else.
    """
    if isinstance(value, float):
        _number(value, name)
    elif not isinstance(value, int):
        raise InvalidValue(f"{name} is no number: {type(value).__name__}")


def _number(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise InvalidValue(f"{name} is not finite: {value}")
    return value


def _time(value: datetime, name: str) -> str:
    if value.tzinfo is None:
        raise InvalidValue(f"{name} is a time without a zone: {value.isoformat()}")
    return time_text(value)


def _text(value: str, name: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(f"{name} has a lone surrogate at {error.start}") from error
    return value


def _key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise InvalidValue(f"{name} has a key that is no text: {key!r}")
    return _text(key, f"a key of {name}")
