"""Jobs as they are seen by whoever does not run them: find, look, pause, cancel, clean up."""

from __future__ import annotations

from datetime import timedelta

from prodigy_storage.codecs.documents import SESSIONS, Loaded
from prodigy_storage.codecs.kinds import SESSION
from prodigy_storage.errors import NotFound
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.requests import Wish
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.ports.storage import Document, Version
from prodigy_storage.runs.cleaning import Cleanable, cleanable, remove
from prodigy_storage.runs.finding import Resumable, find, newest_unfinished, resumable
from prodigy_storage.runs.journal import new_session
from prodigy_storage.runs.recovery import Recovered, look
from prodigy_storage.runs.stopping import Stopper, Stopping
from prodigy_storage.runs.surroundings import Surroundings


class Overseeing:
    """What `store.runs` can do with a job without running it."""

    def __init__(self, around: Surroundings, *, ttl: float = 60.0) -> None:
        self._around = around
        self._ttl = ttl

    def find(self, id: str, *, repo: str | None = None) -> Setup:
        """What a session id or a job id stands for.

        Raises:
            NotFound: there is nothing of that id.
            Ambiguous: several projects have a job of that id.
            Corrupt: the job's setup is damaged.
        """
        return find(self._around, id, repo)

    def look(self, setup: Setup) -> Recovered:
        """Where a job stands, to the last acknowledged attempt, whoever runs it. Writes nothing.

        Args:
            setup: What `find` gave.
        """
        return look(self._around, setup)

    def session(self, setup: Setup) -> Loaded[Session]:
        """The session of a job; of one that Prodigy began without a session, the one that resuming it will make.

        Raises:
            Corrupt: its document is damaged.
        """
        try:
            return self._around.sessions.load(setup.session_id)
        except NotFound:
            value = new_session(setup, SessionStatus.PAUSED)
            body = SESSIONS.encode(value)
            return Loaded(value, Document((), SESSION.name, value.id, body, Version("")))

    def newest_unfinished(self, workflow_name: str) -> Session | None:
        """The session of that workflow which was started last and can be resumed; None if there is none."""
        return newest_unfinished(self._around, workflow_name)

    def resumable(self, *, repo: str | None = None) -> list[Resumable]:
        """The sessions of jobs that are not over, the one that was started last first.

        Those that somebody living runs now have him in `holder`: they can be resumed by force only.

        Args:
            repo: Of one project.
        """
        return resumable(self._around, repo)

    def pause(self, id: str, *, by: str, reason: str = "", repo: str | None = None, wait: float = 0.0) -> Stopping:
        """Pause a job from outside.

        A living holder is asked: it claims nothing more, and pauses the session when it leaves the run. The session
        of a job that nobody runs is paused at once.

        Args:
            id: The session's id or the job's.
            by, reason: Who wants it, and why; the holder is told.
            repo: Where, if several projects have a job of that id.
            wait: Seconds to wait for a holder that was asked.

        Raises:
            NotFound: there is no such session or job.
            Ambiguous: several projects have one.
            InvalidTransition: the session is over, or has failed.
            Locked: another program runs it, which cannot be asked.
        """
        return self._stopper(Wish.PAUSE, by, reason).stop(self.find(id, repo=repo), wait=wait)

    def cancel(self, id: str, *, by: str, reason: str = "", repo: str | None = None, wait: float = 0.0) -> Stopping:
        """Cancel a job from outside: as `pause`, but it is over then. A failed one can be cancelled too."""
        return self._stopper(Wish.CANCEL, by, reason).stop(self.find(id, repo=repo), wait=wait)

    def _stopper(self, wish: Wish, by: str, reason: str) -> Stopper:
        return Stopper(around=self._around, wish=wish, by=by, reason=reason, ttl=self._ttl)

    def cleanable(self, *, older_than: timedelta, repo: str | None = None) -> list[Cleanable]:
        """Sessions that ended longer ago than that; running and resumable ones are never among them.

        Args:
            older_than: Age since the end.
            repo: Of one project.
        """
        return cleanable(self._around, older_than, repo)

    def remove(self, session: Cleanable) -> None:
        """Remove a session with its job's checkpoints, progress and mappings. Events and dead letters stay.

        The session goes last, so a removal that was interrupted is found again by `cleanable` and goes on.

        Raises:
            Locked: somebody holds its job.
        """
        remove(self._around, session)
