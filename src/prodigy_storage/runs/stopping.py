"""Pausing and cancelling jobs from outside: a living holder is asked, a job that nobody holds is changed at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.kinds import RUN_REQUEST
from prodigy_storage.codecs.requests import REQUESTS
from prodigy_storage.errors import Locked
from prodigy_storage.model.jobs import JobState, Setup
from prodigy_storage.model.requests import RunRequest, Wish
from prodigy_storage.model.sessions import MapReduceData, Session, SessionStatus
from prodigy_storage.ports.locks import Lease
from prodigy_storage.runs.recovery import look
from prodigy_storage.runs.surroundings import Surroundings

STATUS = {Wish.PAUSE: SessionStatus.PAUSED, Wish.CANCEL: SessionStatus.CANCELLED}
_POLL = 0.05


@attrs.frozen(kw_only=True)
class Stopping:
    """What became of a wish to pause or to cancel.

    Args:
        session: As it is now.
        asked: The holder that was asked and has not stopped yet; None if the session is where it was wanted, or over.
    """

    session: Session
    asked: Lease | None = None


@attrs.frozen(kw_only=True)
class Stopper:
    """Brings one wish to one job.

    Args:
        by, reason: Who wants it, and why; shown to the holder, and stored with a cancelled session.
        ttl: Seconds that the lease lasts under which a session is changed that nobody runs.
    """

    around: Surroundings
    wish: Wish
    by: str
    reason: str
    ttl: float

    def stop(self, setup: Setup, *, wait: float) -> Stopping:
        """See `Runs.pause`."""
        clock = self.around.runtime.clock
        deadline = clock.monotonic() + wait
        asked = 0
        while True:
            session = self.around.sessions.get(setup.session_id)
            if session.ended or session.status is STATUS[self.wish]:
                if not asked:
                    session.moved(STATUS[self.wish], at=clock.now())  # raises where the table does not allow it
                return Stopping(session=session)
            holder = self._holder(setup)
            if holder is None or holder.alive is None:
                with self._refused(holder):
                    return Stopping(session=self._change(setup))
            if holder is not None and holder.epoch != asked:
                self._ask(setup, holder)
                asked = holder.epoch  # and whoever takes it over meanwhile is asked too
            elif clock.monotonic() >= deadline:
                return Stopping(session=session, asked=holder)
            else:
                clock.sleep(_POLL)

    @staticmethod
    @contextlib.contextmanager
    def _refused(holder: Lease | None) -> Iterator[None]:
        """A holder that may live, and does, is asked; another program cannot be."""
        try:
            yield
        except Locked:
            if holder is None:
                raise

    def _holder(self, setup: Setup) -> Lease | None:
        lease = self.around.locks.inspect((setup.repo, setup.job_id), setup.job_id)
        if lease is None or lease.owner is None or lease.alive is False:
            return None
        return lease

    def _ask(self, setup: Setup, holder: Lease) -> None:
        request = RunRequest(
            job_id=setup.job_id,
            wish=self.wish,
            epoch=holder.epoch,
            by=self.by,
            reason=self.reason,
            requested_at=self.around.runtime.clock.now(),
        )

        def newest(known: RunRequest | None) -> RunRequest:
            """A wish to cancel is not replaced by one to pause."""
            sticks = known is not None and known.epoch == request.epoch and known.wish is Wish.CANCEL
            return known if known is not None and sticks else request

        requests = Collection(self.around.storage, RUN_REQUEST, REQUESTS)
        requests.change((setup.repo, setup.job_id), setup.job_id, newest)

    def _change(self, setup: Setup) -> Session:
        """Move the session of a job that nobody runs, under its lease, so that nobody begins to meanwhile."""
        around = self.around
        scope = (setup.repo, setup.job_id)
        session = around.sessions.get(setup.session_id)
        above = max([session.epoch, *(info.epoch for info in around.checkpoints.list(*scope).checkpoints)])
        around.locks.respect(scope, setup.session_id)
        grant = around.locks.acquire(scope, setup.job_id, purpose=setup.session_id, ttl=self.ttl, above=above)
        try:
            found = look(around, setup)
            return around.sessions.update(
                setup.session_id, lambda known: self._moved(known, setup, found.state), epoch=grant.epoch
            )
        finally:
            around.locks.release(grant)

    def _moved(self, known: Session, setup: Setup, state: JobState) -> Session:
        """The session in the wanted status, in line with its job."""
        why = f"cancelled by {self.by}{f': {self.reason}' if self.reason else ''}"
        moved = known.moved(
            STATUS[self.wish], at=self.around.runtime.clock.now(), error=why if self.wish is Wish.CANCEL else None
        )
        data = attrs.evolve(
            known.mapreduce_data or MapReduceData(job_id=setup.job_id),
            total_items=len(setup.items),
            processed_items=len(state.done) + len(state.dead),
            failed_items=len(state.dead),
        )
        return attrs.evolve(moved, mapreduce_data=data)
