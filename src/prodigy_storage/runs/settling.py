"""What becomes of an attempt, acknowledged in the store."""

from __future__ import annotations

import attrs

from prodigy_storage.codecs.values import encode_value, micros
from prodigy_storage.model.jobs import Outcome, Progress
from prodigy_storage.model.values import Json
from prodigy_storage.runs.attempt import Attempt
from prodigy_storage.runs.failures import buried
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.view import View


@attrs.define(eq=False)
class Settler:
    """Stores outcomes; each is acknowledged when the call returns."""

    _around: Surroundings
    _view: View
    _journal: Journal

    def done(self, attempt: Attempt, result: Json) -> Progress:
        """It succeeded.

        Raises:
            InvalidValue: the result is no JSON.
        """
        encoded = encode_value(result, f"the result of {attempt.item_id}")
        progress = self._progress(attempt, Outcome.DONE, result=encoded)
        self._journal.settle(progress)
        return progress

    def failed(self, attempt: Attempt, error: BaseException | str) -> Progress:
        """It failed: for now, or for good, which makes a dead letter."""
        setup, state = self._view.setup, self._view.state
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        text = text.encode(errors="backslashreplace").decode()
        failures = state.attempts(attempt.item_id) + 1
        if failures <= setup.settings.max_retries:
            wait = round(setup.settings.backoff.seconds(failures) * 1_000_000)
            progress = self._progress(attempt, Outcome.FAILED, error=text, wait=wait)
            self._journal.settle(progress)
            return progress
        progress = self._progress(attempt, Outcome.DEAD, error=text)
        earlier = state.failed.get(attempt.item_id, ())
        letter = buried(self._view.items[attempt.item_id], setup.session_id, (*earlier, progress), error)
        self._journal.bury(progress, letter)
        return progress

    def _progress(
        self,
        attempt: Attempt,
        outcome: Outcome,
        *,
        result: bytes | None = None,
        error: str | None = None,
        wait: int = 0,
    ) -> Progress:
        clock = self._around.runtime.clock
        at = micros(clock.now())
        ms = round((clock.monotonic() - attempt.started) * 1000)
        return Progress(attempt.item_id, outcome, attempt.number, at, ms, result, error, at + wait if wait else 0)
