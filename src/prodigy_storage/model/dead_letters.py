"""Dead letters: items that failed for good, with every failure that led there.

Fields and spelling are those of Prodigy's `DeadLetteredItem`; `session_id` of a failure is our addition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import attrs

from prodigy_storage.model.values import Json


@attrs.frozen
class ErrorType:
    """What kind of failure it was: one of Prodigy's names, with the exit code of `CommandFailed`."""

    name: str
    exit_code: int | None = None


_EXIT_CODE = re.compile(r"(?:exit code|exit status|exited with code|status code)[ :=]*(-?\d+)", re.IGNORECASE)
_TELLING = (
    ("Timeout", re.compile(r"time ?out|timed out", re.IGNORECASE)),
    ("CommitValidationFailed", re.compile(r"commit (?:required|validation)", re.IGNORECASE)),
    ("MergeConflict", re.compile(r"merge conflict", re.IGNORECASE)),
    ("WorktreeError", re.compile(r"worktree", re.IGNORECASE)),
    ("ResourceExhausted", re.compile(r"MemoryError|out of memory|no space left|resource", re.IGNORECASE)),
    ("ValidationFailed", re.compile(r"validation", re.IGNORECASE)),
)


def error_type_of(message: str) -> ErrorType:
    """The kind of failure that an error message tells of; `Unknown` if it tells of none."""
    code = _EXIT_CODE.search(message)
    if code:
        return ErrorType("CommandFailed", int(code.group(1)))
    return ErrorType(next((name for name, pattern in _TELLING if pattern.search(message)), "Unknown"))


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
        )


def _identity(failure: Failure) -> tuple[object, ...]:
    if failure.session_id is None:
        return (failure.timestamp, failure.attempt_number, failure.error_message)
    return (failure.session_id, failure.attempt_number)


_VOLATILE = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<address>"),
    (re.compile(r"(?:[A-Za-z]:)?[\w.~-]*(?:[/\\][\w.@+~-]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b[\w-]+\.(?:py|js|ts|rs|go|java|json|ya?ml|txt|md|toml|c|h|cpp|log)\b"), "<path>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(r"(?<![A-Za-z])[-+]?\d+(?:\.\d+)?"), "<n>"),
)
_MAX_SIGNATURE = 200


def signature(message: str) -> str:
    """The pattern of an error message: its first line, without what changes from one failure to the next."""
    line = next((text.strip() for text in message.splitlines() if text.strip()), "")
    for pattern, name in _VOLATILE:
        line = pattern.sub(name, line)
    return " ".join(line.split())[:_MAX_SIGNATURE]


@attrs.frozen(kw_only=True)
class DeadLetterStats:
    """Numbers over dead letters; `by_type` and `by_signature` count letters, most frequent first."""

    total: int
    eligible: int
    manual_review: int
    failures: int
    oldest: datetime | None
    newest: datetime | None
    by_type: dict[str, int]
    by_signature: dict[str, int]


def summarise(letters: Sequence[DeadLetter]) -> DeadLetterStats:
    """Count `letters`; the type of a letter is that of its last failure."""
    types = [letter.failure_history[-1].error_type.name for letter in letters if letter.failure_history]
    return DeadLetterStats(
        total=len(letters),
        eligible=sum(letter.reprocess_eligible for letter in letters),
        manual_review=sum(letter.manual_review_required for letter in letters),
        failures=sum(letter.failure_count for letter in letters),
        oldest=min((letter.first_attempt for letter in letters), default=None),
        newest=max((letter.last_attempt for letter in letters), default=None),
        by_type=_counted(types),
        by_signature=_counted([letter.error_signature for letter in letters]),
    )


def _counted(values: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
