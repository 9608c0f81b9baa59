"""What the verbs of `dlq` share: options, and from what was typed to a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.looking import suggesting
from prodigy_storage.codecs.documents import Loaded
from prodigy_storage.codecs.kinds import DEAD_LETTER
from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.store import Store

REPO = click.option("--repo", metavar="NAME", help="Of one project.")
JOB = click.option(
    "--job-id", "--workflow-id", "job_id", metavar="ID", help="Of one job, by its id or that of its session."
)
FILTER = click.option(
    "--filter", "expression", metavar="CEL", help="Only what matches: failure_count > 2 && item.kind == 'image'."
)


def job_with_letters(store: Store, text: str | None, repo: str | None) -> tuple[str, str]:
    """The repo and job that a job or session id stands for; without one the only job that has dead letters.

    Raises:
        NotFound: there is no such job; or, without an id, there are no dead letters.
        Ambiguous: there are several; lists them.
    """
    scopes = [scope for scope in store.storage.scopes(DEAD_LETTER) if repo in (None, scope[0])]
    if text is None:
        return _only(scopes, "several jobs have dead letters; name one")
    job = job_named(store, text)
    found = [scope for scope in scopes if scope[-1] == job]
    if not found:  # a job whose letters are all gone
        found = [(one.name, job) for one in store.repos() if job in one.jobs and repo in (None, one.name)]
    try:
        return _only(found, f"several projects have a job {job}; name one with --repo")
    except NotFound as error:
        error.message = f"there is no job {text}"
        raise suggesting(error, text, [job for one in store.repos() for job in one.jobs]) from error


def _only(scopes: Sequence[tuple[str, ...]], several: str) -> tuple[str, str]:
    if not scopes:
        raise NotFound("there are no dead letters", hint="prodigy-storage dlq list --help")
    if len(scopes) > 1:
        raise Ambiguous(several, candidates=tuple("/".join(scope) for scope in scopes))
    return scopes[0][0], scopes[0][1]


def place(loaded: Loaded[DeadLetter]) -> dict[str, str]:
    """Where a letter belongs."""
    return dict(zip(("repo", "job_id"), loaded.document.scope, strict=False))


def named(loaded: Loaded[DeadLetter]) -> Mapping[str, str]:
    """Which letter it is."""
    return {**place(loaded), "item_id": loaded.value.item_id}
