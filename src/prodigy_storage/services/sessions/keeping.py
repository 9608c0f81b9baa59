"""Sessions: create, read, change by compare-and-set under the transition table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import SESSIONS, Listing, Loaded
from prodigy_storage.codecs.kinds import SESSION
from prodigy_storage.codecs.quarantine import set_aside
from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Conflict, Fenced, InvalidTransition, NotFound
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.runtime import Ids
from prodigy_storage.ports.storage import Storage


class Keeping:
    """What every session can do. Concurrent updates lose nothing; a lower epoch never overwrites a higher one."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids) -> None:
        self._sessions = Collection(storage, SESSION, SESSIONS)
        self._clock = clock
        self._ids = ids

    def create(self, session: Session) -> Session:
        """Store a new session.

        Raises:
            Conflict: there is one of this id already.
        """

        def new(known: Session | None) -> Session:
            if known is not None:
                raise Conflict(f"there is a session {session.id} already", kind=SESSION.name, id=session.id)
            return session

        self._sessions.change((), session.id, new)
        return session

    def remove(self, id: str) -> None:
        """Remove a session that is over, damaged or not there any more; its job's records are not touched.

        Raises:
            InvalidTransition: it can still go on.
        """

        def take(known: Session | None) -> None:
            if known is not None and not known.ended:
                raise InvalidTransition(f"{id} is {known.status.value} and can go on; cancel it first")

        self._sessions.change((), id, take)

    def get(self, id: str) -> Session:
        """One session.

        Raises:
            NotFound: there is none.
            Corrupt: its document is damaged.
        """
        return self.load(id).value

    def load(self, id: str) -> Loaded[Session]:
        """One session with the document that it is stored in."""
        return self._sessions.load((), id)

    def find(self, id: str) -> Session | None:
        """One session, or None if there is none."""
        found = self._sessions.find((), id)
        return found.value if found else None

    def set_aside(self, id: str) -> None:
        """Move the document of a damaged session to quarantine, so that a sound one can take its place."""
        found = self._sessions.storage.fetch((), SESSION, [id], fresh=True)
        if id in found:
            set_aside(self._sessions.storage, SESSION, found[id])

    def update(self, id: str, change: Callable[[Session], Session], *, epoch: int | None = None) -> Session:
        """Change a session; `change` is pure and may be called several times.

        Args:
            id: Which session.
            change: From the session as it is to the wanted one. `updated_at` is set here.
            epoch: The caller's lease; None for a caller without one.

        Returns:
            The session as it is stored now.

        Raises:
            NotFound: there is none.
            InvalidTransition: the table does not allow the wanted status.
            Fenced: the session was written under a later epoch.
        """

        def decide(known: Session | None) -> Session:
            if known is None:
                raise NotFound(f"there is no session {id}")
            if epoch is not None and known.epoch > epoch:
                raise Fenced(f"{id} was taken over: its epoch is {known.epoch}, ours is {epoch}")
            now = self._clock.now()
            wanted = change(known)
            if wanted == known:
                return known
            known.moved(wanted.status, at=now)
            return attrs.evolve(wanted, updated_at=now, epoch=known.epoch if epoch is None else epoch)

        stored = self._sessions.change((), id, decide)
        assert stored is not None  # decide never removes
        return stored

    def move(self, id: str, status: SessionStatus, *, error: str | None = None, epoch: int | None = None) -> Session:
        """Bring a session into another status; see `update` for the errors."""
        return self.update(id, lambda known: known.moved(status, at=self._clock.now(), error=error), epoch=epoch)

    def list(
        self,
        *,
        status: SessionStatus | None = None,
        type: SessionType | None = None,
        repo: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Listing[Session]:
        """Sessions ordered by their start; damaged documents are listed apart.

        Args:
            status, type, repo: Only those.
            since, until: Only those that started then or later, and before then; aware.
        """
        wanted = {"status": status and status.value, "type": type and type.value, "repo": repo}
        return self._sessions.list(
            tags={name: value for name, value in wanted.items() if value is not None},
            since=None if since is None else micros(since),
            until=None if until is None else micros(until),
        )
