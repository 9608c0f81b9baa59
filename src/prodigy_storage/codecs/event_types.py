"""Which events there are, and how each is written and read.

For reading, each attrs class gets a twin that msgspec can tell apart by its tag; the twin has the same fields in
their stored form. For writing, most events go to the encoder as they are; only those that can hold a surprise
(a float, a time, free-form JSON, a class of the user's that is built differently) are looked at first.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import msgspec

from prodigy_storage.codecs.event_twins import builder_of, given_fields, twin_of
from prodigy_storage.codecs.plain import finite, plain
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EVENT_TYPES, Event, UnknownEvent, canonical_type
from prodigy_storage.model.values import Duration, Json

Prepare = Callable[[Event], object]
_SCALARS = (str, int, bool, type(None))


class _Preparations(dict[type[Event], Prepare | None]):
    """What has to be done with an event of a class before it is encoded (None: nothing), found out on first sight."""

    def __missing__(self, cls: type[Event]) -> Prepare | None:
        return self.setdefault(cls, _preparation(cls))


class EventTypes:
    """The event types that a store knows: the built-in ones and a user's own.

    Args:
        extra: Subclasses of `Event`, frozen attrs classes whose `event_type` has the tag as its default. Their
            fields may be JSON, `Duration`, aware `datetime`, tuples of these, optional ones, and attrs classes.

    `preparations` has, for each class, what makes an event of it ready for the encoder; None: nothing has to be done.
    Asking it for a class that is no event raises `InvalidValue`.

    Raises:
        InvalidValue: a tag is missing, or is taken.
    """

    def __init__(self, extra: Iterable[type[Event]] = ()) -> None:
        self._classes: dict[str, type[Event]] = dict(EVENT_TYPES)
        for cls in extra:
            tag = canonical_type(_tag(cls))
            if self._classes.setdefault(tag, cls) is not cls:
                raise InvalidValue(
                    f"two event types have the tag {tag!r}: {self._classes[tag].__name__}, {cls.__name__}"
                )
        self._twins = {tag: twin_of(cls, tag) for tag, cls in self._classes.items()}
        self._builders = {self._twins[tag]: builder_of(cls) for tag, cls in self._classes.items()}
        self.preparations: Mapping[type[Event], Prepare | None] = _Preparations()

    @property
    def classes(self) -> Mapping[str, type[Event]]:
        """The classes by their tags."""
        return types.MappingProxyType(self._classes)

    @property
    def twins(self) -> Any:
        """What a decoder takes for the type of an event: the union of all twins."""
        return typing.Union[tuple(self._twins.values())]  # noqa: UP007 - made at run time

    def build(self, twin: Any) -> Event:
        """The event that a twin stands for."""
        event: Event = self._builders[type(twin)](twin)
        return event

    def from_members(self, members: Mapping[str, Any]) -> Event:
        """The event with these members; an `UnknownEvent` if the type is not known or the members do not fit it."""
        tag = members["event_type"]
        twin = self._twins.get(canonical_type(tag))
        if twin is not None:
            try:
                return self.build(msgspec.convert({**members, "event_type": canonical_type(tag)}, twin))
            except (msgspec.ValidationError, ValueError):
                pass
        return UnknownEvent(tag, {name: value for name, value in members.items() if name != "event_type"})


def _tag(cls: type[Event]) -> str:
    tag = attrs.fields(cls).event_type.default if _is_event(cls) else None
    if not isinstance(tag, str) or not tag:
        raise InvalidValue(f"{cls!r} is no event type: it needs `event_type` with its tag as the default")
    return tag


def _is_event(cls: type[Any]) -> bool:
    return isinstance(cls, type) and issubclass(cls, Event) and attrs.has(cls)


def _preparation(cls: type[Event]) -> Prepare | None:
    if not _is_event(cls):
        raise InvalidValue(f"only events can be logged, not {cls.__name__}")
    if cls is UnknownEvent:
        return _prepare_unknown
    fields = attrs.fields(cls)
    if not cls.__dictoffset__ or fields[0].name != "event_type":  # the encoder would not put the tag first
        return plain_event
    hints = [hint for _, hint in given_fields(cls)]
    if not all(_is_simple(hint) or hint is float for hint in hints):
        return plain_event
    floats = [field.name for field, hint in given_fields(cls) if hint is float]
    return _prepare_floats(floats) if floats else None


def _is_simple(hint: Any) -> bool:
    """Whether every value of this type can go to the encoder as it is."""
    arguments = typing.get_args(hint)
    return hint in (*_SCALARS, Duration, ...) or (bool(arguments) and all(map(_is_simple, arguments)))


def plain_event(event: Event) -> dict[str, Json]:
    """The members of an event as JSON, the tag first.

    Raises:
        InvalidValue: a value is no JSON; names the field.
    """
    members = [(field.name, getattr(event, field.name)) for field in attrs.fields(type(event))]
    members.sort(key=lambda member: member[0] != "event_type")
    return {name: plain(value, f"event.{name}") for name, value in members}


def _prepare_unknown(event: Event) -> object:
    fields: Any = plain(getattr(event, "fields", {}), "event")
    return {"event_type": event.event_type, **fields}


def _prepare_floats(names: list[str]) -> Prepare:
    def prepare(event: Event) -> object:
        for name in names:
            finite(getattr(event, name), f"event.{name}")
        return event

    return prepare
