"""Which event records a question is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.events import EventRecord, canonical_type


def _tags(types: Iterable[str]) -> frozenset[str]:
    if isinstance(types, str):
        raise InvalidValue(f"types is a set of event types, not the text {types!r}")
    return frozenset(map(canonical_type, types))


def _names(names: str | Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset({names} if isinstance(names, str) else names)


def _aware(_: object, attribute: attrs.Attribute[datetime | None], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise InvalidValue(f"{attribute.name} is a time without a zone: {value.isoformat()}")


def _not_negative(_: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    if value is not None and value < 0:
        raise InvalidValue(f"{attribute.name} is negative: {value}")


@attrs.frozen(kw_only=True)
class EventFilter:
    """A filter of event records; what is None (or empty) does not filter.

    Args:
        repo: The project under which the records are stored.
        job: The job under which they are stored, or several; in any project if `repo` is None.
        types: Tags of events, in either spelling of the dead-letter tags; empty: all.
        agent_id: The agent that the event names.
        correlation_id: What the records have in common.
        since, until: Half-open range of aware times: since <= timestamp < until.
        limit: The newest so many.

    Raises:
        InvalidValue: a time has no zone, or the limit is negative.
    """

    repo: str | None = None
    job: frozenset[str] | None = attrs.field(default=None, converter=_names)
    types: frozenset[str] = attrs.field(default=frozenset(), converter=_tags)
    agent_id: str | None = None
    correlation_id: str | None = None
    since: datetime | None = attrs.field(default=None, validator=_aware)
    until: datetime | None = attrs.field(default=None, validator=_aware)
    limit: int | None = attrs.field(default=None, validator=_not_negative)

    @property
    def is_open(self) -> bool:
        """Whether every record in the chosen scopes matches."""
        return not (self.types or self.since or self.until) and self.agent_id is None and self.correlation_id is None

    def has_scope(self, scope: tuple[str, ...]) -> bool:
        """Whether records stored under this scope are asked for."""
        wanted = (None if self.repo is None else {self.repo}, self.job)
        return all(names is None or not names.isdisjoint(scope[at : at + 1]) for at, names in enumerate(wanted))

    def accepts(self, *, event_type: str, agent_id: str | None, correlation_id: str, timestamp: datetime) -> bool:
        """Whether a record with these members matches, wherever it is stored."""
        return (
            (not self.types or canonical_type(event_type) in self.types)
            and (self.agent_id is None or agent_id == self.agent_id)
            and (self.correlation_id is None or correlation_id == self.correlation_id)
            and (self.since is None or self.since <= timestamp)
            and (self.until is None or timestamp < self.until)
        )

    def matches(self, record: EventRecord) -> bool:
        """Whether this record matches, wherever it is stored."""
        return self.accepts(
            event_type=record.event_type,
            agent_id=record.agent_id,
            correlation_id=record.correlation_id,
            timestamp=record.timestamp,
        )
