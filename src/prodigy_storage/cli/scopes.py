"""From `--repo` and `--job-id` to one project or one job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from prodigy_storage.cli.looking import job_id as job_named
from prodigy_storage.cli.looking import suggesting
from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def scoped(command: F) -> F:
    """Add `--repo` and `--job-id`; the verb gets them as `repo` and `job_id`."""
    command = click.option("--job-id", metavar="ID", help="One job, by its id or that of its session.")(command)
    return click.option("--repo", metavar="NAME", help="One project.")(command)


def place_of(store: Store, repo: str | None, job_id: str | None) -> tuple[str | None, str | None]:
    """The project and the job that were asked for, found in the store.

    Raises:
        NotFound: there is no such project or job; suggests one with a similar name.
        Ambiguous: several projects have a job of that id.
    """
    known = {one.name: one.jobs for one in store.repos()}
    if repo is not None and repo not in known:
        raise suggesting(NotFound(f"there is no project {repo}"), repo, list(known), cutoff=0.6)
    if job_id is None:
        return repo, None
    job = job_named(store, job_id)
    found = [name for name, jobs in known.items() if job in jobs and repo in {None, name}]
    if len(found) > 1:
        hint = "Name the project with --repo."
        raise Ambiguous(f"several projects have a job {job}", candidates=tuple(sorted(found)), hint=hint)
    if not found:
        jobs = [one for name, many in known.items() for one in many if repo in {None, name}]
        raise suggesting(NotFound(f"there is no job {job}"), str(job), jobs, cutoff=0.6)
    return found[0], job
