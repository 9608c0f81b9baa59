"""The steps of the setup and reduce phase: each is done once, and its output kept, however often the job dies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from prodigy_storage.codecs.values import decode_value, encode_value, micros
from prodigy_storage.errors import InvalidTransition
from prodigy_storage.model.jobs import StepResult
from prodigy_storage.model.values import Json
from prodigy_storage.ports.clock import Clock


@attrs.define(eq=False)
class Steps:
    """Runs the steps of one phase in their order.

    A step is acknowledged when `step` has returned: from then on its output is stored, and a resumed job gives it
    back without doing the step again. A program names the same steps in the same order each time.

    Args:
        phase: For messages.
        completed: The steps that are stored.
        variables: What steps leave for each other, JSON by name; stored with the next step that is completed.
    """

    phase: str
    completed: Sequence[StepResult]
    variables: dict[str, Json]
    _clock: Clock
    _check: Callable[[], None]
    _save: Callable[[Sequence[StepResult], Mapping[str, Json]], None]
    _position: int = 0

    def step(self, name: str, function: Callable[[], Json]) -> Json:
        """The output of a step: stored from an earlier time, or that of `function`, called now.

        Args:
            name: What it is called; the same each time.
            function: Gives JSON. A death during it lets it run again.

        Raises:
            InvalidTransition: another step has this place; the program has changed. A restart of the phase helps.
            InvalidValue: the output, or a variable, is no JSON.
            Stopped: the run was asked to pause or to cancel.
            Fenced: the lease was lost.
        """
        if self._position < len(self.completed):
            known = self.completed[self._position]
            if known.name != name:
                raise InvalidTransition(
                    f"step {self._position + 1} of the {self.phase} phase was {known.name!r} and is {name!r} now",
                    hint="Let the phase begin again: resume with the strategy restart-phase.",
                )
            self._position += 1
            return known.output
        self._check()
        began = self._clock.monotonic()
        output = decode_value(encode_value(function(), f"the output of step {name}"))
        ms = round((self._clock.monotonic() - began) * 1000)
        completed = (*self.completed, StepResult(name=name, output=output, at=micros(self._clock.now()), ms=ms))
        self._save(completed, dict(self.variables))
        self.completed = completed
        self._position += 1
        return output
