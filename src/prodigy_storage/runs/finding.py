"""Which job an id stands for, and what its session says."""

from __future__ import annotations

from collections.abc import Callable

from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.errors import Ambiguous, Corrupt, NotFound
from prodigy_storage.model.jobs import Setup
from prodigy_storage.model.sessions import Session, SessionStatus
from prodigy_storage.ports.storage import Damage
from prodigy_storage.runs.surroundings import Surroundings

_OVER = frozenset({SessionStatus.COMPLETED, SessionStatus.CANCELLED})


def find(around: Surroundings, id: str, repo: str | None) -> Setup:
    """See `Runs.find`."""
    session = readable_session(around, id, lambda _: None)
    if session is not None and session.repo and session.mapreduce_data:
        return around.checkpoints.setup(session.repo, session.mapreduce_data.job_id)
    places = {(place, mapping.job_id) for place, mapping in around.mappings.find(id, repo=repo).items()} or {
        (scope[0], scope[1])
        for scope in around.storage.scopes(CHECKPOINT)
        if scope[1:] == (id,) and repo in (None, scope[0])
    }
    if not places:
        raise NotFound(f"there is no session or job {id}", hint="prodigy-storage sessions list shows what is there")
    if len(places) > 1:
        raise Ambiguous(f"{len(places)} projects have a job {id}", candidates=tuple(sorted(name for name, _ in places)))
    return around.checkpoints.setup(*places.pop())


def readable_session(around: Surroundings, id: str, on_damage: Callable[[Damage], None]) -> Session | None:
    """A session; None if there is none, or it is damaged: the job's records are the truth, it is a projection."""
    try:
        return around.sessions.find(id)
    except Corrupt as error:
        on_damage(Damage(error.place, error.offset, error.reason, id))
        return None


def newest_unfinished(around: Surroundings, workflow_name: str) -> Session | None:
    """See `Runs.newest_unfinished`."""
    unfinished = [
        session
        for session in around.sessions.list().values
        if session.metadata.get("workflow_name") == workflow_name and session.status not in _OVER
    ]
    return max(unfinished, key=lambda session: session.started_at, default=None)
