"""From what the store has of a job to the live object that drives it."""

from __future__ import annotations

import attrs

from prodigy_storage.codecs.kinds import LEASE
from prodigy_storage.model.checkpoints import CheckpointRetention, CheckpointTrigger
from prodigy_storage.model.jobs import Setup
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.storage import Check, Durability, Version
from prodigy_storage.runs.checkpointer import Checkpointer
from prodigy_storage.runs.facts import Facts
from prodigy_storage.runs.journal import Journal
from prodigy_storage.runs.listening import Ear
from prodigy_storage.runs.queue import Queue
from prodigy_storage.runs.recovery import Recovered, expected_events, look
from prodigy_storage.runs.reducing import Reduction
from prodigy_storage.runs.run import Run
from prodigy_storage.runs.settling import Settler
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.runs.telling import Teller
from prodigy_storage.runs.view import View

_BEAT = 5.0
"""Seconds between two signs of life: the lease is renewed, and what was acknowledged last is told."""


def beat(ttl: float) -> float:
    """Seconds between two signs of life of a lease that lasts `ttl` seconds."""
    return min(_BEAT, ttl / 3)


@attrs.frozen(kw_only=True)
class Manner:
    """How a run works, as the caller of `start` or `resume` wishes."""

    durability: Durability = Durability.OS
    trigger: CheckpointTrigger = attrs.field(factory=CheckpointTrigger)
    retention: CheckpointRetention = attrs.field(factory=CheckpointRetention)

    @classmethod
    def of(
        cls, durability: Durability, trigger: CheckpointTrigger | None, retention: CheckpointRetention | None
    ) -> Manner:
        """With the defaults for what is None."""
        return cls(
            durability=durability,
            trigger=trigger or CheckpointTrigger(),
            retention=retention or CheckpointRetention(),
        )


@attrs.define
class Maker:
    """Makes the run of one job.

    Args:
        setup: What the job started from.
        ear: Hears what the run is asked to do.
    """

    around: Surroundings
    setup: Setup
    manner: Manner
    ear: Ear

    def journal(self, grant: Grant, found: Recovered) -> Journal:
        """The writer of the run."""
        manner = self.manner
        return Journal(
            self.around, self.setup, grant, manner.durability, manner.retention, found.state.copy(), found.cursor
        )

    def run(self, journal: Journal, found: Recovered, known: set[str], *, live: bool = True) -> Run:
        """The run; what it still has to tell of the attempts that were found is logged."""
        around, setup = self.around, self.setup
        mutex = around.runtime.background.mutex()
        queue = self._queue(found)
        logger = around.events.logger(setup.repo, setup.job_id, correlation_id=setup.correlation_id)
        events = found.checkpoint.events if found.checkpoint else None
        teller = Teller(Facts(setup.job_id, setup.session_id), logger, known)
        view = View(setup, found.state, found.damage)
        trigger = self.manner.trigger
        checkpointer = Checkpointer(around, view, journal, teller, queue, trigger, mutex, found.number, events)
        reduction = Reduction(around, view, journal, checkpointer, self.ear, live)
        run = Run(
            setup,
            found.state,
            found.damage,
            around,
            journal,
            teller,
            queue,
            checkpointer,
            Settler(around, view, journal),
            self.ear,
            reduction,
            mutex,
            live,
        )
        if live:
            teller.expect(expected_events(setup, found))
        return run

    def _queue(self, found: Recovered) -> Queue:
        state = found.state
        pending = (item.id for item in self.setup.items if not state.settled(item.id))
        return Queue.of((id, max((p.not_before for p in state.failed.get(id, ())), default=0)) for id in pending)


def ended(around: Surroundings, setup: Setup) -> Run:
    """A run that is over: its guard never holds, so it cannot write."""
    grant = Grant((setup.repo, setup.job_id), setup.job_id, 0, Check(LEASE, setup.job_id, Version("ended")))
    maker = Maker(around, setup, Manner(), Ear(around.storage, grant))
    found = look(around, setup)
    return maker.run(maker.journal(grant, Recovered()), found, set(), live=False)
