"""Sessions: create, read, change by compare-and-set under the transition table."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import SESSIONS, Listing, Loaded
from prodigy_storage.codecs.kinds import QUARANTINE, SESSION
from prodigy_storage.errors import Conflict, Fenced, NotFound
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.storage import Batch, Delete, Put, Storage


class Sessions:
    """`store.sessions`. Concurrent updates lose nothing; a lower epoch never overwrites a higher one."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._sessions = Collection(storage, SESSION, SESSIONS)
        self._clock = clock

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
            quarantined = Put(QUARANTINE, id, found[id].body)
            self._sessions.storage.commit(Batch((), (quarantined, Delete(SESSION, id, found[id].version))))

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
    ) -> Listing[Session]:
        """Sessions ordered by their start; damaged documents are listed apart."""
        wanted = {"status": status and status.value, "type": type and type.value, "repo": repo}
        return self._sessions.list(tags={name: value for name, value in wanted.items() if value is not None})
