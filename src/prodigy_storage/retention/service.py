"""Cleaning a whole store by kind and age: first what would go, then one thing after the other.

Age counts from the end of what is cleaned; what is under way is never among it. Each removal is whole by itself, so a
cleaning that breaks off is finished by the next one.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import attrs

from prodigy_storage.codecs.quantities import counted
from prodigy_storage.errors import InvalidValue, Locked
from prodigy_storage.model.checkpoints import CheckpointRetention
from prodigy_storage.model.event_cleaning import EventLimits
from prodigy_storage.model.logs import LogSession
from prodigy_storage.ports.clock import Clock
from prodigy_storage.runs.cleaning import Cleanable
from prodigy_storage.runs.service import Runs
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.dead_letters import DeadLetters
from prodigy_storage.services.events import Events
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.logs import Logs
from prodigy_storage.services.worktrees import Cleaning, Worktrees

_ALL_OF_THEM = 1 << 30


class Category(enum.Enum):
    """What can be cleaned; in the order in which it is."""

    WORKTREES = "worktrees"
    """Worktrees that are done with and hold no work."""
    EVENTS = "events"
    """Events of jobs that nobody runs."""
    LOGS = "logs"
    """Lines of logs."""
    DLQ = "dlq"
    """Dead letters, by their last failure."""
    STATE = "state"
    """Checkpoints but the newest of each phase and the final one."""
    SESSIONS = "sessions"
    """Completed and cancelled sessions, with the state of their jobs."""


@attrs.frozen(kw_only=True)
class Candidate:
    """Something that may go.

    Args:
        category: What it is.
        repo: The project; empty where there is none.
        name: What it is called.
        what: How much of it goes, in words.
    """

    category: Category
    repo: str
    name: str
    what: str
    _remove: Callable[[], str] = attrs.field(eq=False, repr=False, alias="remove")

    def remove(self) -> str:
        """Remove it; returns why it, or some of it, stays; empty if all went."""
        return self._remove()


@attrs.frozen(kw_only=True)
class RetentionSurroundings:
    """What cleaning works on."""

    clock: Clock
    locks: Locks
    events: Events
    dlq: DeadLetters
    checkpoints: Checkpoints
    worktrees: Worktrees
    logs: Logs
    runs: Runs


class Retention:
    """`store.retention`."""

    def __init__(self, around: RetentionSurroundings) -> None:
        self._around = around

    def candidates(
        self, categories: Iterable[Category], *, older_than: timedelta, repo: str | None = None
    ) -> Iterator[Candidate]:
        """What would go, category by category. Changes nothing.

        Args:
            categories: Which ones.
            older_than: The age above which it goes.
            repo: Of one project, or of all.

        Raises:
            InvalidValue: the age is negative, or longer than the calendar.
        """
        before = self._before(older_than)
        wanted = set(categories)
        find = {
            Category.WORKTREES: lambda: self._worktrees(before, repo),
            Category.EVENTS: lambda: self._events(older_than, repo),
            Category.LOGS: lambda: self._logs(before, repo),
            Category.DLQ: lambda: self._dlq(older_than, repo),
            Category.STATE: lambda: self._state(older_than, repo),
            Category.SESSIONS: lambda: self._sessions(older_than, repo),
        }
        return (one for category in Category if category in wanted for one in find[category]())

    def _before(self, age: timedelta) -> datetime:
        if age < timedelta():
            raise InvalidValue(f"the age above which things go is negative: {age}")
        try:
            return self._around.clock.now() - age
        except OverflowError as error:
            raise InvalidValue(f"{age} is longer than the calendar") from error

    def _worktrees(self, before: datetime, repo: str | None) -> Iterator[Candidate]:
        worktrees = self._around.worktrees
        for one in worktrees.clean(repo, before=before, dry_run=True):
            if one.outcome is not Cleaning.REMOVED:
                continue

            def remove(project: str = one.repo, name: str = one.name) -> str:
                return "; ".join(done.reason for done in worktrees.clean(project, [name], before=before) if done.reason)

            yield Candidate(category=Category.WORKTREES, repo=one.repo, name=one.name, what=one.path, remove=remove)

    def _events(self, age: timedelta, repo: str | None) -> Iterator[Candidate]:
        events, limits = self._around.events, EventLimits(older_than=age)
        busy = {lease.scope for lease in self._around.locks.list(lambda _: None) if lease.alive is not False}
        for one in events.clean(limits, repo=repo, dry_run=True):
            if (one.repo, one.job) in busy or not one.removed:
                continue

            def remove(project: str = one.repo, job: str = one.job) -> str:
                spared = sum(done.spared for done in events.clean(limits, repo=project, job=job))
                return f"{spared:,} events stay: their writer lives, or they lie behind newer ones" if spared else ""

            yield Candidate(
                category=Category.EVENTS,
                repo=one.repo,
                name=one.job,
                what=counted(one.removed, "event"),
                remove=remove,
            )

    def _logs(self, before: datetime, repo: str | None) -> Iterator[Candidate]:
        logs = self._around.logs
        for session in logs.list(repo):
            lines = logs.count(session, before=before)
            if lines:

                def remove(session: LogSession = session) -> str:
                    logs.trim(session, before=before)
                    left = logs.count(session, before=before)
                    return f"{left:,} lines stay: their writer lives" if left else ""

                yield Candidate(
                    category=Category.LOGS,
                    repo=session.repo,
                    name=session.name,
                    what=counted(lines, "line"),
                    remove=remove,
                )

    def _dlq(self, age: timedelta, repo: str | None) -> Iterator[Candidate]:
        dlq = self._around.dlq
        found = Counter(loaded.document.scope for loaded in dlq.aged(repo, older_than=age))
        for (project, job), count in found.items():

            def remove(project: str = project, job: str = job) -> str:
                kept = dlq.purge(project, job, older_than=age).kept
                return f"{len(kept):,} stay: they are being retried, or failed again" if kept else ""

            what = counted(count, "dead letter")
            yield Candidate(category=Category.DLQ, repo=project, name=job, what=what, remove=remove)

    def _state(self, age: timedelta, repo: str | None) -> Iterator[Candidate]:
        checkpoints, rule = self._around.checkpoints, CheckpointRetention(keep=_ALL_OF_THEM, max_age=age)
        found = Counter((one.repo, one.job_id) for one in checkpoints.clean(repo, retention=rule, dry_run=True))
        for (project, job), count in found.items():

            def remove(project: str = project, job: str = job) -> str:
                checkpoints.clean(project, job, retention=rule)
                return ""

            what = counted(count, "checkpoint")
            yield Candidate(category=Category.STATE, repo=project, name=job, what=what, remove=remove)

    def _sessions(self, age: timedelta, repo: str | None) -> Iterator[Candidate]:
        runs = self._around.runs
        for one in runs.cleanable(older_than=age, repo=repo):

            def remove(one: Cleanable = one) -> str:
                try:
                    runs.remove(one)
                except Locked as error:
                    return str(error)
                return ""

            what = one.session.status.value.lower()
            yield Candidate(
                category=Category.SESSIONS,
                repo=one.session.repo or "",
                name=one.session.id,
                what=f"{what}, with job {one.job_id}" if one.job_id else what,
                remove=remove,
            )
