"""What is kept of a try: its outcome, and an entry of the history if it failed."""

from __future__ import annotations

import traceback
from datetime import datetime

from prodigy_storage.codecs.values import micros, moment
from prodigy_storage.model.dead_letters import Failure
from prodigy_storage.model.dead_letters_signatures import ErrorType, error_type_of
from prodigy_storage.model.redrives import ItemOutcome, TrialOutcome
from prodigy_storage.model.values import Json
from prodigy_storage.ports.clock import Clock
from prodigy_storage.redrive.trial import Trial, WorkFailed


def skipped(redrive: str, item: str, reason: str, now: datetime) -> ItemOutcome:
    """The outcome of an item that was not tried, or whose result was refused."""
    return ItemOutcome(redrive=redrive, item=item, outcome=TrialOutcome.SKIPPED, at=micros(now), error=reason)


def tried(redrive: str, trial: Trial, outcome: TrialOutcome, clock: Clock, *, result: Json = None) -> ItemOutcome:
    """The outcome of a try that ends now."""
    return ItemOutcome(
        redrive=redrive,
        item=trial.item_id,
        outcome=outcome,
        attempt=trial.number,
        at=micros(clock.now()),
        ms=round((clock.monotonic() - trial.started) * 1000),
        signature=trial.letter.error_signature,
        failures=trial.letter.failure_count,
        result=result,
    )


def described(error: BaseException | str, trial: Trial, outcome: ItemOutcome) -> Failure:
    """The failure of a try. With the redrive's id in the place of a session, it is known when it comes again."""
    message = error if isinstance(error, str | WorkFailed) else f"{type(error).__name__}: {error}"
    text = str(message).encode(errors="backslashreplace").decode()
    reported = error if isinstance(error, WorkFailed) else None
    code = reported.exit_code if reported else None
    stack = error if isinstance(error, BaseException) and reported is None else None
    return Failure(
        attempt_number=trial.number,
        timestamp=moment(outcome.at),
        error_type=error_type_of(text) if code is None else ErrorType("CommandFailed", code),
        error_message=text,
        error_context=reported.output if reported and reported.output else None,
        stack_trace="".join(traceback.format_exception(stack)) if stack else None,
        agent_id=f"agent-{trial.item_id}",
        step_failed="redrive",
        duration_ms=outcome.ms,
        session_id=outcome.redrive,
    )
