"""How documents and records are written: in the documented forms, or so that Prodigy 0.4 itself reads them."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from prodigy_storage.codecs.event_types import EventTypes
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.events import Event
from prodigy_storage.model.redaction import Redaction
from prodigy_storage.ports.storage import Kind, Storage, Stream


class Dialect(enum.Enum):
    """How a store writes. It reads every form in any case."""

    DOCUMENTED = "documented"
    """The forms of the global storage architecture, with checksums; Prodigy reads most of them."""
    PRODIGY_0_4 = "prodigy-0.4"
    """What Prodigy 0.4 reads and would write itself; what it could not read back is refused."""

    @classmethod
    def of(cls, name: str | Dialect) -> Dialect:
        """The dialect of that name.

        Raises:
            ConfigError: there is none.
        """
        try:
            return cls(name)
        except ValueError as error:
            known = ", ".join(one.value for one in cls)
            raise ConfigError(f"{name!r} is no dialect; there are: {known}") from error


def event_types_of(dialect: Dialect, extra: Iterable[type[Event]] = ()) -> EventTypes:
    """The event types of a store that speaks the dialect, with a user's own."""
    if dialect is Dialect.DOCUMENTED:
        return EventTypes(extra)
    from prodigy_storage.codecs.prodigy.events import ProdigyEventTypes  # noqa: PLC0415  # loaded when it is spoken

    return ProdigyEventTypes(extra)


def speaking(storage: Storage, dialect: Dialect) -> Storage:
    """The storage, with everything that is written through it in the dialect."""
    if dialect is Dialect.DOCUMENTED:
        return storage
    from prodigy_storage.codecs.prodigy.storage import ProdigyStorage  # noqa: PLC0415  # loaded when it is spoken

    return ProdigyStorage(storage)


def redacting(storage: Storage, redaction: Redaction | None) -> Storage:
    """The storage, with everything that is written through it masked."""
    if not redaction:
        return storage
    from prodigy_storage.codecs.redacting import RedactingStorage  # noqa: PLC0415  # loaded when it is wanted
    from prodigy_storage.codecs.redaction import Redactor  # noqa: PLC0415  # loaded when it is wanted

    return RedactingStorage(storage, Redactor(redaction))


def said(storage: Storage, kind: Kind, id: str, body: bytes) -> bytes:
    """A body that comes from elsewhere, as this storage keeps it: in its dialect, if it speaks one, and masked.

    Raises:
        InvalidValue: the dialect cannot say a value (names the field), or a secret stands where none may.
    """
    say = getattr(storage, "said", None)
    return body if say is None else bytes(say(kind, id, body))


def said_lines(storage: Storage, stream: Stream, data: bytes) -> bytes:
    """Records that come from elsewhere, as this storage keeps them: masked, if it has secrets to hide.

    Raises:
        InvalidValue: a secret stands where none may.
    """
    say = getattr(storage, "said_lines", None)
    return data if say is None else bytes(say(stream, data))
