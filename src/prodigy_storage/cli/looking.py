"""From what a person typed, or copied from a table, to an id."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.model.jobs import Setup
from prodigy_storage.store import Store

MARK = "…"


def known_id(store: Store, text: str) -> str:
    """The session or job id that `text` is, or is a cut form of (`session-0198…c4e1`).

    Raises:
        NotFound: a cut form fits none.
        Ambiguous: a cut form fits several.
    """
    return completed(text, _ids(store)) if MARK in text else text


def completed(text: str, ids: Sequence[str]) -> str:
    """The one of `ids` that `text`, which has an ellipsis inside, stands for.

    Raises:
        NotFound: there is none.
        Ambiguous: there are several.
    """
    if text in ids:
        return text
    head, _, tail = text.partition(MARK)
    found = sorted({id for id in ids if id.startswith(head) and id.endswith(tail)})
    if not found:
        raise NotFound(f"nothing is called {text}")
    if len(found) > 1:
        raise Ambiguous(f"{text} fits {len(found)}; which one?", candidates=tuple(found[:20]))
    return found[0]


def job_of(store: Store, text: str, *, repo: str | None = None) -> Setup:
    """The job that a session or job id stands for.

    Raises:
        NotFound: there is none; suggests one with a similar id.
        Ambiguous: several projects have one.
    """
    try:
        return store.runs.find(known_id(store, text), repo=repo)
    except NotFound as error:
        raise suggesting(error, text, _ids(store)) from error


def job_id(store: Store, text: str | None) -> str | None:
    """The job id that a job id, a cut one, or a session id stands for; what is not known stays as it is."""
    if text is None:
        return None
    id = known_id(store, text)
    jobs = {mapping.job_id for mapping in store.mappings.find(id).values()}
    return jobs.pop() if len(jobs) == 1 else id


def suggesting(error: NotFound, text: str, ids: Sequence[str], *, cutoff: float = 0.9) -> NotFound:
    """The error with the id that was probably meant; ids of one time are alike, so the `cutoff` is high."""
    near = get_close_matches(text, ids, n=1, cutoff=cutoff)
    if near:
        error.hint = f"Did you mean {near[0]}?"
    return error


def _ids(store: Store) -> list[str]:
    sessions = [session.id for session in store.sessions.list().values]
    return sessions + [job for repo in store.repos() for job in repo.jobs]
