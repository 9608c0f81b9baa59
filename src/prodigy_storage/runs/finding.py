"""Which job an id stands for, and what its session says."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prodigy_storage.codecs.kinds import CHECKPOINT, PRODIGY_JOB_STATE
from prodigy_storage.errors import Ambiguous, Corrupt, NotFound
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.sessions import Session
from prodigy_storage.ports.locks import Lease
from prodigy_storage.ports.storage import Damage
from prodigy_storage.runs.adopting import stored_setup
from prodigy_storage.runs.surroundings import Surroundings


def find(around: Surroundings, id: str, repo: str | None) -> Setup:
    """See `Runs.find`."""
    session = readable_session(around, id, lambda _: None)
    job = session.mapreduce_data.job_id if session is not None and session.mapreduce_data else id
    if session is not None and session.repo and session.mapreduce_data:
        return stored_setup(around, session.repo, job)
    places = {(place, mapping.job_id) for place, mapping in around.mappings.find(id, repo=repo).items()} or {
        (scope[0], scope[1])
        for kind in (CHECKPOINT, PRODIGY_JOB_STATE)
        for scope in around.storage.scopes(kind)
        if scope[1:] == (job,) and repo in (None, scope[0])
    }
    if not places:
        raise NotFound(f"there is no session or job {id}", hint="prodigy-storage sessions list shows what is there")
    if len(places) > 1:
        raise Ambiguous(f"{len(places)} projects have a job {id}", candidates=tuple(sorted(name for name, _ in places)))
    return stored_setup(around, *places.pop())


def readable_session(around: Surroundings, id: str, on_damage: Callable[[Damage], None]) -> Session | None:
    """A session; None if there is none, or it is damaged: the job's records are the truth, it is a projection."""
    try:
        return around.sessions.find(id)
    except Corrupt as error:
        on_damage(Damage(error.place, error.offset, error.reason, id))
        return None


@attrs.frozen(kw_only=True)
class Resumable:
    """A session that can go on.

    Args:
        session: As it is stored.
        holder: Whoever runs it now, and lives or may live; None if nobody does.
    """

    session: Session
    holder: Lease | None


def resumable(around: Surroundings, repo: str | None) -> list[Resumable]:
    """See `Runs.resumable`."""
    living = {lease.purpose: lease for lease in around.locks.list(lambda _: None) if lease.alive is not False}
    unfinished = [
        session for session in around.sessions.list(repo=repo).values if session.mapreduce_data and not session.ended
    ]
    newest = sorted(unfinished, key=lambda session: session.started_at, reverse=True)
    return [Resumable(session=session, holder=living.get(session.id)) for session in newest]


def newest_unfinished(around: Surroundings, workflow_name: str) -> Session | None:
    """See `Runs.newest_unfinished`."""
    unfinished = [
        session
        for session in around.sessions.list().values
        if session.metadata.get("workflow_name") == workflow_name and not session.ended
    ]
    return max(unfinished, key=lambda session: session.started_at, default=None)
