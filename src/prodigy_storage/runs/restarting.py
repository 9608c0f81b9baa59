"""From where a job goes on: after what was acknowledged, or from the start of a phase again."""

from __future__ import annotations

from prodigy_storage.errors import Corrupt
from prodigy_storage.model.checkpoints import CheckpointReason, MapCheckpoint, ResumeStrategy
from prodigy_storage.model.jobs import Setup
from prodigy_storage.ports.locks import Grant
from prodigy_storage.runs.facts import Facts
from prodigy_storage.runs.journal import fencing
from prodigy_storage.runs.recovery import Recovered, look
from prodigy_storage.runs.surroundings import Surroundings


def validate(around: Surroundings, setup: Setup) -> None:
    """Read everything that the job would go on from.

    Raises:
        Corrupt: something of it is damaged; nothing was changed.
    """
    findings = [
        f"{verdict.id}: {'; '.join(verdict.reasons)}"
        for verdict in around.checkpoints.validate(setup.repo, setup.job_id)
        if not verdict.sound
    ]
    findings += [f"{damage.place}: {damage.reason}" for damage in look(around, setup).damage if not damage.id]
    if findings:
        raise Corrupt(
            f"{setup.job_id} was not resumed, since not all of it is sound: {'; '.join(findings)}",
            reason=findings[0],
            hint="Resume it without validation to go on from what is sound.",
        )


def restart(around: Surroundings, setup: Setup, grant: Grant, found: Recovered, strategy: ResumeStrategy) -> Recovered:
    """Where the job stands once its phase, or the map phase, was restarted as the strategy asks for."""
    reducing = all(found.state.settled(item.id) for item in setup.items)
    if strategy is ResumeStrategy.RESTART_PHASE and reducing:
        with fencing():
            around.checkpoints.restart_reduce(setup.repo, setup.job_id, guard=(grant.guard,))
    elif strategy in (ResumeStrategy.RESTART_PHASE, ResumeStrategy.RESTART_FROM_MAP):
        _restart_map(around, setup, grant, found)
    return found


def _restart_map(around: Surroundings, setup: Setup, grant: Grant, found: Recovered) -> None:
    """Put every attempt behind, durably: its number is never used again, so no record of it counts any more."""
    checkpoint = MapCheckpoint(
        job_id=setup.job_id,
        session_id=setup.session_id,
        number=found.number + 1,
        epoch=grant.epoch,
        created_at=around.runtime.clock.now(),
        reason=CheckpointReason.MANUAL,
        state=found.state.restart(),
        progress=found.cursor,
        events=found.checkpoint.events if found.checkpoint else None,
    )
    with fencing():
        around.checkpoints.restart(setup.repo, checkpoint, guard=(grant.guard,))
    found.state, found.checkpoint, found.number = checkpoint.state.copy(), checkpoint, checkpoint.number


def forget_end(setup: Setup, known: set[str]) -> None:
    """Let the end of the job be told again."""
    known.discard(Facts(setup.job_id, setup.session_id).completed_id)
