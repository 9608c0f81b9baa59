"""Removing sessions that are over, with what belongs to them, so that a death half-way harms nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import attrs

from prodigy_storage.codecs.kinds import CHECKPOINT, HEARTBEAT, JOB_STATE, LEASE, LOCK_BREAK, RUN_REQUEST
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import Locked
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.storage import Batch, Cursor, Delete, Kind, Operation, Query, Trim
from prodigy_storage.runs.journal import read_on
from prodigy_storage.runs.surroundings import Surroundings


@attrs.frozen(kw_only=True)
class Cleanable:
    """A session that is over.

    Args:
        session: As it is stored.
        job_id: Its job; None for one without.
    """

    session: Session
    job_id: str | None


def cleanable(around: Surroundings, older_than: timedelta, repo: str | None) -> list[Cleanable]:
    """See `Runs.cleanable`."""
    limit = around.runtime.clock.now() - older_than
    held = {lease.name for lease in around.locks.list(lambda _: None) if lease.alive is not False}
    found = []
    for session in around.sessions.list(repo=repo).values:
        job = session.mapreduce_data.job_id if session.mapreduce_data else None
        if session.ended and (session.completed_at or session.updated_at) <= limit and job not in held:
            found.append(Cleanable(session=session, job_id=job))
    return found


def remove(around: Surroundings, wanted: Cleanable) -> None:
    """See `Runs.remove`. What the session is found by goes last."""
    session, job = wanted.session, wanted.job_id
    if session.repo is not None and job is not None:
        scope = (session.repo, job)
        holder = around.locks.inspect(scope, job)
        if holder is not None and holder.owner is not None and holder.alive is not False:
            raise Locked(f"{job} is held by pid {holder.owner.pid} on {holder.owner.host}", name=job)
        around.storage.commit(Batch(scope, list(_of_job(around, scope))))
        around.mappings.remove(session.repo, session.id, job)
    around.sessions.remove(session.id)


def _of_job(around: Surroundings, scope: tuple[str, str]) -> Iterator[Operation]:
    end = [cursor for _, cursor in read_on(around.storage, scope, PROGRESS, None)][-1]
    yield Trim(PROGRESS, Cursor(end))
    for kind in (CHECKPOINT, JOB_STATE, RUN_REQUEST, LOCK_BREAK, HEARTBEAT, LEASE):
        yield from (Delete(kind, id) for id in _ids(around, scope, kind))


def _ids(around: Surroundings, scope: tuple[str, str], kind: Kind) -> Iterator[str]:
    """Damaged documents go too."""
    for page in walk(around.storage, Query(kind, scope)):
        yield from (document.id for document in page.documents)
        yield from (damage.id for damage in page.damage if damage.id)
