"""Logs of orchestrators, by project and start."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from prodigy_storage.codecs.logs import LOGS, decode_logs, encode_logs
from prodigy_storage.codecs.values import micros
from prodigy_storage.model.logs import LEVELS, LogRecord, LogSession
from prodigy_storage.model.values import Json
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.storage import Append, Batch, Cursor, Damage, Durability, Storage, Trim

OnDamage = Callable[[Damage], None]
_NAME = "%Y%m%d_%H%M%S"


class Log:
    """Writes one log. Made by `Logs.start`; may be used from several threads, and after a fork."""

    def __init__(self, storage: Storage, clock: Clock, session: LogSession) -> None:
        self.session = session
        self._storage = storage
        self._clock = clock

    def write(self, message: str, *, level: str = "info", **fields: Json) -> None:
        """Store a line; it survives the death of the process when this returns.

        Raises:
            InvalidValue: the level is unknown, or a value is no JSON.
        """
        record = LogRecord(timestamp=self._clock.now(), level=level, message=message, fields=fields)
        batch = Batch((self.session.repo, self.session.name), [Append(LOGS, encode_logs([record]))], Durability.OS)
        self._storage.commit(batch)


class Logs:
    """`store.logs`."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def start(self, repo: str) -> Log:
        """Begin a log of a project, named after this second; those who begin at the same one share it."""
        session = LogSession(repo=repo, name=self._clock.now().strftime(_NAME))
        return Log(self._storage, self._clock, session)

    def list(self, repo: str | None = None) -> Sequence[LogSession]:
        """The logs of one project or of all, oldest first."""
        found = [LogSession(repo=scope[0], name=scope[1]) for scope in self._storage.scopes(LOGS) if len(scope) > 1]
        return sorted((one for one in found if repo in (None, one.repo)), key=lambda one: (one.name, one.repo))

    def read(
        self,
        sessions: Sequence[LogSession],
        *,
        since: datetime | None = None,
        level: str = "debug",
        limit: int | None = None,
        on_damage: OnDamage,
    ) -> Iterator[LogRecord]:
        """The records of some logs in the order of time.

        Args:
            sessions: Which logs; see `list`.
            since: Not older.
            level: Of this level and the graver ones.
            limit: The newest so many; all if None.
            on_damage: Takes what cannot be read.
        """
        grave = LEVELS[LEVELS.index(level) :]
        fitting = (
            record
            for session in sessions
            for record in self._records(session, on_damage)
            if record.level in grave and (since is None or record.timestamp >= since)
        )
        numbered = ((record.timestamp, number, record) for number, record in enumerate(fitting))
        found = sorted(numbered) if limit is None else heapq.nlargest(limit, numbered)[::-1]
        yield from (record for _, _, record in found)

    def count(self, session: LogSession, *, before: datetime) -> int:
        """How many lines of a log are older; what cannot be read counts for nothing."""
        return sum(record.timestamp < before for record in self._records(session, lambda _: None))

    def trim(self, session: LogSession, *, before: datetime) -> None:
        """Remove the lines of a log that are older. What a living writer still writes to may stay."""
        self._storage.commit(Batch((session.repo, session.name), [Trim(LOGS, micros(before))]))

    def _records(self, session: LogSession, on_damage: OnDamage) -> Iterator[LogRecord]:
        scope = (session.repo, session.name)
        place = "/".join((LOGS.name, *scope))
        cursor: Cursor | None = None
        while True:
            chunk = self._storage.records(scope, LOGS, cursor)
            for damage in chunk.damage:
                on_damage(damage)
            if not chunk.data:
                return
            yield from decode_logs(chunk.data, lambda at, reason: on_damage(Damage(place, at, reason)))
            cursor = chunk.cursor
