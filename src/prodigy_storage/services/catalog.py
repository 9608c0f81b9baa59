"""Which projects a store has data of."""

from __future__ import annotations

import attrs

from prodigy_storage.codecs.kinds import (
    CHECKPOINT,
    DEAD_LETTER,
    MAPPING,
    ORPHANED_WORKTREES,
    PRODIGY_CHECKPOINT,
    PRODIGY_JOB_STATE,
    PROJECT,
    REDRIVE,
    WORKTREE,
)
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.ports.storage import Storage

_OF_REPOS = (
    EVENTS,
    PROGRESS,
    DEAD_LETTER,
    REDRIVE,
    CHECKPOINT,
    MAPPING,
    PRODIGY_JOB_STATE,
    PRODIGY_CHECKPOINT,
    WORKTREE,
    ORPHANED_WORKTREES,
    PROJECT,
)


@attrs.frozen(kw_only=True)
class Repo:
    """A project with the jobs that have events, dead letters, states or checkpoints."""

    name: str
    jobs: tuple[str, ...]


def repos(storage: Storage) -> list[Repo]:
    """Every project with data, sorted by name."""
    jobs: dict[str, set[str]] = {}
    for of in _OF_REPOS:
        for scope in storage.scopes(of):
            if scope:
                jobs.setdefault(scope[0], set()).update(scope[1:])
    return [Repo(name=name, jobs=tuple(sorted(jobs[name]))) for name in sorted(jobs)]
