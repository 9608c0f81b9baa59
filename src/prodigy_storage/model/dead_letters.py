"""Dead letters: items that failed for good, with every failure that led there.

Fields and spelling are those of Prodigy's `DeadLetteredItem`; `session_id` of a failure is our addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.dead_letters_signatures import UNKNOWN, ErrorType, signature
from prodigy_storage.model.values import Json


@attrs.frozen(kw_only=True)
class Failure:
    """One failed attempt.

    Args:
        attempt_number: Counts from 1 within a session.
        timestamp: When it failed, UTC.
        duration_ms: How long it ran, milliseconds.
        session_id: The session that made the attempt; with the number it identifies the failure.
    """

    attempt_number: int
    timestamp: datetime
    error_type: ErrorType
    error_message: str
    error_context: Sequence[str] | None = None
    stack_trace: str | None = None
    agent_id: str = ""
    step_failed: str = ""
    duration_ms: int = 0
    json_log_location: str | None = None
    session_id: str | None = None


@attrs.frozen(kw_only=True)
class WorktreeArtifacts:
    """What a failed agent left behind."""

    worktree_path: str
    branch_name: str
    uncommitted_changes: str | None = None
    error_logs: str | None = None


@attrs.frozen(kw_only=True)
class Owner:
    """The process that holds a claim, so that another one can tell whether it still lives.

    Args:
        writer: Drawn anew by each process.
        pid, host: Where it runs.
        boot: The boot id of its machine; empty if not known.
        started: When it started, in seconds since 1970; 0 if not known.
    """

    writer: str
    pid: int
    host: str
    boot: str = ""
    started: float = 0.0


@attrs.frozen(kw_only=True)
class Claim:
    """The stored right to run a dead letter again; one at a time.

    Args:
        id: Unlike that of every other claim; a result is taken from its holder alone.
        epoch: Grows with every claim on the item.
        redrive_id: For which redrive.
        owner: Who holds it.
        expires_at: When it is over unless it is renewed, UTC. It is over at once when its owner is known to be dead.
    """

    id: str
    epoch: int
    redrive_id: str
    owner: Owner
    expires_at: datetime


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A failed item, whole.

    Args:
        item_id: Its id; unique within a job.
        item_data: The item itself.
        first_attempt, last_attempt: Times of the first and the last known failure, UTC.
        failure_count: How often it failed; at least the length of the history.
        failure_history: Every known failure, oldest first.
        error_signature: The same for failures that differ only in paths, numbers, ids, addresses or times.
        reprocess_eligible: Whether a retry makes sense without a look at it.
        manual_review_required: Whether somebody should look at it first.
        claim: Who runs it again now; None if nobody does. Our addition.
    """

    item_id: str
    item_data: Json
    first_attempt: datetime
    last_attempt: datetime
    failure_count: int
    failure_history: Sequence[Failure]
    error_signature: str
    worktree_artifacts: WorktreeArtifacts | None = None
    reprocess_eligible: bool = True
    manual_review_required: bool = False
    claim: Claim | None = None

    @property
    def error_type(self) -> ErrorType:
        """That of the last failure."""
        return self.failure_history[-1].error_type if self.failure_history else UNKNOWN

    @property
    def error_message(self) -> str:
        """That of the last failure; the signature if no failure is known."""
        return self.failure_history[-1].error_message if self.failure_history else self.error_signature

    @property
    def retryable(self) -> bool:
        """Whether it may be run again without a look at it."""
        return self.reprocess_eligible and not self.manual_review_required

    @classmethod
    def of(cls, item_id: str, item_data: Json, failures: Sequence[Failure]) -> DeadLetter:
        """The dead letter that these failures (at least one, oldest first) make."""
        return cls(
            item_id=item_id,
            item_data=item_data,
            first_attempt=min(failure.timestamp for failure in failures),
            last_attempt=max(failure.timestamp for failure in failures),
            failure_count=len(failures),
            failure_history=tuple(failures),
            error_signature=signature(failures[-1].error_message),
        )

    def merged(self, later: DeadLetter) -> DeadLetter:
        """This letter with the failures of `later` that it does not know yet; saying it twice adds nothing."""
        known = {_identity(failure) for failure in self.failure_history}
        fresh = [failure for failure in later.failure_history if _identity(failure) not in known]
        if not fresh:
            return self
        return attrs.evolve(
            later,
            first_attempt=min(self.first_attempt, later.first_attempt),
            last_attempt=max(self.last_attempt, later.last_attempt),
            failure_count=self.failure_count + len(fresh),
            failure_history=(*self.failure_history, *fresh),
            worktree_artifacts=later.worktree_artifacts or self.worktree_artifacts,
            claim=self.claim,
        )

    def failed_again(self, failure: Failure) -> DeadLetter:
        """This letter after another failure; saying it twice adds nothing."""
        return self.merged(
            attrs.evolve(
                self,
                last_attempt=failure.timestamp,
                failure_history=(failure,),
                error_signature=signature(failure.error_message),
            )
        )


def _identity(failure: Failure) -> tuple[object, ...]:
    if failure.session_id is None:
        return (failure.timestamp, failure.attempt_number, failure.error_message)
    return (failure.session_id, failure.attempt_number)
