"""From the failures of an item to its dead letter."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from prodigy_storage.codecs.values import moment
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import error_type_of
from prodigy_storage.model.jobs import Progress, WorkItem
from prodigy_storage.runs.facts import agent_id


def buried(item: WorkItem, session_id: str, failures: Sequence[Progress], last: BaseException | str) -> DeadLetter:
    """The dead letter of an item: one failure for each attempt, the last one with its stack."""
    history = [_failure(item.id, session_id, progress, None) for progress in failures[:-1]]
    history.append(_failure(item.id, session_id, failures[-1], last))
    return DeadLetter.of(item.id, item.data, history)


def _failure(item: str, session_id: str, progress: Progress, error: BaseException | str | None) -> Failure:
    stack = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else None
    return Failure(
        attempt_number=progress.attempt,
        timestamp=moment(progress.at),
        error_type=error_type_of(progress.error or ""),
        error_message=progress.error or "",
        stack_trace=stack,
        agent_id=agent_id(item),
        step_failed="map",
        duration_ms=progress.ms,
        session_id=session_id,
    )
