"""Event records that Prodigy reads: its 27 types, its limits, its spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import attrs
import msgspec

from prodigy_storage.codecs.event_types import EventTypes, Prepare, plain_event
from prodigy_storage.codecs.json_text import write
from prodigy_storage.codecs.prodigy.exact import MAX_DEPTH, depth, exact, form_of, unwritables
from prodigy_storage.codecs.prodigy.scalars import Form, anything, held, text, time
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EVENT_TYPES, Event, JobStarted

_UUID = re.compile(
    r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|[0-9a-f]{32}",
    re.IGNORECASE,
)
_OPTIONAL = frozenset({"json_log_location"})
_CONFIG = ("continue_on_failure", "enable_checkpoints")


class _Preparations(dict[type[Event], Prepare | None]):
    def __missing__(self, cls: type[Event]) -> Prepare | None:
        if cls not in EVENT_TYPES.values():
            raise InvalidValue(
                f"Prodigy 0.4 reads its own event types alone, not {cls.__name__}",
                hint="Put what it says into the metadata of one of these, or use another dialect.",
            )
        return self.setdefault(cls, prepare)


def prepare(event: Event) -> msgspec.Raw:
    """A built-in event as Prodigy writes it.

    Raises:
        InvalidValue: Prodigy could not read a value back; names the field.
    """
    tree = exact(type(event), plain_event(event), "event")
    return msgspec.Raw(write(tree, pretty=False).encode())


class ProdigyEventTypes(EventTypes):
    """Event types whose events are written so that Prodigy reads them; a user's own are only read."""

    def __init__(self, extra: Iterable[type[Event]] = ()) -> None:
        super().__init__(extra)
        self.preparations: Mapping[type[Event], Prepare | None] = _Preparations()


def check_lines(data: bytes) -> None:
    """Accept event lines that Prodigy reads.

    Raises:
        InvalidValue: it does not read one of them; names the event and the field.
    """
    for line in data.split(b"\n"):
        if line:
            _check(line)


def _check(line: bytes) -> None:
    try:
        record = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValue(f"an event line is no JSON: {error}") from error
    name = f"event {record.get('id') if isinstance(record, dict) else ''!r}"
    for unwritable in unwritables(held(_record, record, name)):
        raise unwritable.error
    if depth(record) > MAX_DEPTH:
        raise InvalidValue(f"{name} is nested more than {MAX_DEPTH} levels deep, which Prodigy 0.4 cannot read")


def _record(value: Any, path: str) -> Any:
    _need(value, ("id", "timestamp", "correlation_id", "event"), path)
    return {
        "id": held(_uuid, value["id"], f"{path}.id"),
        "timestamp": held(time, value["timestamp"], f"{path}.timestamp"),
        "correlation_id": held(text, value["correlation_id"], f"{path}.correlation_id"),
        "event": held(_event, value["event"], f"{path}.event"),
        "metadata": held(_object, value.get("metadata", {}), f"{path}.metadata"),
    }


def _event(value: Any, path: str) -> Any:
    _need(value, ("event_type",), path)
    cls = EVENT_TYPES.get(value["event_type"]) if isinstance(value["event_type"], str) else None
    if cls is None:
        raise InvalidValue(f"{path}.event_type: Prodigy 0.4 has no event type {value['event_type']!r:.60}")
    _need(value, [field.name for field in attrs.fields(cls) if field.name not in _OPTIONAL], path)
    if cls is JobStarted:
        _need(value["config"], _CONFIG, f"{path}.config")
    form: Form = form_of(cast("Any", cls))
    return form(value, path)


def _object(value: Any, path: str) -> Any:
    _need(value, (), path)
    return anything(value, path)


def _uuid(value: Any, path: str) -> str:
    if not _UUID.fullmatch(text(value, path)):
        raise InvalidValue(f"{path}: {value!r:.60} is no UUID, which Prodigy 0.4 asks for")
    return str(value)


def _need(value: Any, names: Iterable[str], path: str) -> None:
    if not isinstance(value, dict):
        raise InvalidValue(f"{path} is no object")
    for name in names:
        if name not in value:
            raise InvalidValue(f"{path}.{name} is missing, which Prodigy 0.4 asks for")
