"""Twins of attrs classes: structs with the same fields in their stored form, which msgspec tells apart by a tag."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs
import msgspec

from prodigy_storage.codecs.times import read_time
from prodigy_storage.model.values import Duration

_Convert = Callable[[Any], Any]
_SCALARS = (str, int, bool, type(None))


class _Span(msgspec.Struct, gc=False):
    """A duration as Prodigy's documentation shows it."""

    secs: int
    nanos: int = 0


def given_fields(cls: type[Any]) -> list[tuple[attrs.Attribute[Any], Any]]:
    """The fields that a caller gives, with their types."""
    hints = typing.get_type_hints(cls)
    return [(field, hints.get(field.name, Any)) for field in attrs.fields(cls) if field.init]


def twin_of(cls: type[Any], tag: str | None = None) -> type[msgspec.Struct]:
    """The twin of `cls`; with a tag, the member `event_type` tells it from other twins."""
    members: list[Any] = []
    for field, hint in given_fields(cls):
        wire = _wire(hint)
        if field.default is attrs.NOTHING:
            members.append((field.name, wire))
        elif isinstance(field.default, _SCALARS):
            members.append((field.name, wire, field.default))
        else:
            members.append((field.name, wire, msgspec.field(default_factory=_default(field))))
    tag_field = None if tag is None else "event_type"
    return msgspec.defstruct(cls.__name__, members, tag=tag, tag_field=tag_field, kw_only=True)


def _default(field: attrs.Attribute[Any]) -> Callable[[], Any]:
    default: Any = field.default
    is_factory = isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class, whatever its stub says
    return default.factory if is_factory else lambda: default


def _wire(hint: Any) -> Any:
    """The stored form of a type; `Any` for what has none of its own."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (str, int, bool, float, type(None)):
        return hint
    if hint is Duration:
        return Duration | _Span
    if hint is datetime:
        return str
    if attrs.has(hint) and isinstance(hint, type):
        return _nested(hint)[0]
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return types.GenericAlias(tuple, (_wire(arguments[0]), ...))
    if _is_optional(origin, arguments):
        return _wire(arguments[0]) | None if _wire(arguments[0]) is not Any else Any
    return Any


def _is_optional(origin: Any, arguments: tuple[Any, ...]) -> bool:
    return origin in (typing.Union, types.UnionType) and len(arguments) == 2 and arguments[1] is type(None)


_NESTED: dict[type[Any], tuple[type[msgspec.Struct], _Convert]] = {}


def _nested(cls: type[Any]) -> tuple[type[msgspec.Struct], _Convert]:
    if cls not in _NESTED:
        _NESTED[cls] = (twin_of(cls), builder_of(cls))
    return _NESTED[cls]


def builder_of(cls: type[Any]) -> _Convert:
    """A function from a twin to an object of `cls`."""
    fields = given_fields(cls)
    names = [field.name for field, _ in fields]
    converts = [(index, convert) for index, (_, hint) in enumerate(fields) if (convert := _convert(hint)) is not None]
    if not names:
        return lambda _: cls()
    get = attrgetter(*names) if len(names) > 1 else _single(names[0])
    if any(field.kw_only for field, _ in fields):
        aliases = [str(field.alias) for field, _ in fields]
        return lambda twin: cls(**dict(zip(aliases, _converted(get(twin), converts), strict=True)))
    if converts:
        return lambda twin: cls(*_converted(get(twin), converts))
    return lambda twin: cls(*get(twin))


def _single(name: str) -> Callable[[Any], tuple[Any]]:
    return lambda twin: (getattr(twin, name),)


def _converted(values: tuple[Any, ...], converts: list[tuple[int, _Convert]]) -> list[Any]:
    converted = list(values)
    for index, convert in converts:
        converted[index] = convert(converted[index])
    return converted


def _convert(hint: Any) -> _Convert | None:
    """From the stored form of a type to its value; None: they are the same. A default comes as the value itself."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Duration:
        return lambda value: value if type(value) is Duration else Duration(value.secs, value.nanos)
    if hint is datetime:
        return lambda value: read_time(value) if type(value) is str else value
    if attrs.has(hint) and isinstance(hint, type):
        twin, build = _nested(hint)
        return lambda value: build(value) if type(value) is twin else value
    inner = _convert(arguments[0]) if arguments else None
    if inner is None:
        return None
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return lambda value: tuple(map(inner, value))
    if _is_optional(origin, arguments):
        return lambda value: None if value is None else inner(value)
    return None
