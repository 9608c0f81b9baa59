"""Where a job stands after any death: newest valid checkpoint, later records, and the events that are missing."""

from __future__ import annotations

import attrs

from prodigy_storage.codecs.checkpoints import decode_map
from prodigy_storage.codecs.event_ids import event_ids
from prodigy_storage.codecs.progress import PROGRESS, decode_progress
from prodigy_storage.codecs.values import micros
from prodigy_storage.errors import Corrupt, NotFound
from prodigy_storage.model.checkpoints import MapCheckpoint
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.jobs import JobState, Outcome, Progress, Setup
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.storage import Damage
from prodigy_storage.runs.adopting import adopted
from prodigy_storage.runs.facts import Fact, Facts
from prodigy_storage.runs.journal import read_on
from prodigy_storage.runs.surroundings import Surroundings


@attrs.define
class Recovered:
    """The state of a job as the store has it.

    Args:
        state: Every acknowledged attempt, folded.
        cursor: The place in the progress stream behind it.
        checkpoint: The newest one that verifies; None if there is none.
        number: The highest number of a checkpoint.
        candidates: Attempts whose events may not have been flushed.
        damage: What could not be read on the way.
    """

    state: JobState = attrs.field(factory=JobState)
    cursor: str | None = None
    checkpoint: MapCheckpoint | None = None
    number: int = 0
    candidates: list[Progress] = attrs.field(factory=list)
    damage: list[Damage] = attrs.field(factory=list)


def recover(around: Surroundings, setup: Setup) -> Recovered:
    """Read where a job stands; writes nothing but the quarantine of a damaged checkpoint."""
    newest = around.checkpoints.latest(setup.repo, setup.job_id)
    found = Recovered(checkpoint=newest.checkpoint, damage=list(newest.damage))
    found.number = max((info.number for info in newest.checkpoints), default=0)
    if newest.checkpoint is not None:
        found.state = newest.checkpoint.state.copy()
        found.cursor = newest.checkpoint.progress
        found.candidates = _in_flight(newest.checkpoint)
    _fold_later(around, setup, found)
    _fold_dead_letters(around, setup, found)
    return found


def look(around: Surroundings, setup: Setup) -> Recovered:
    """Read where a job stands, from outside and without a lease; writes nothing at all."""
    listing = around.checkpoints.list(setup.repo, setup.job_id)
    found = Recovered(damage=list(listing.damage))
    for info in reversed([info for info in listing.checkpoints if info.phase is Phase.MAP]):
        try:
            checkpoint = decode_map(around.checkpoints.show(setup.repo, setup.job_id, info.id))
        except (Corrupt, NotFound) as error:  # damaged inside, or pruned meanwhile
            if isinstance(error, Corrupt):
                found.damage.append(Damage(error.place, error.offset, error.reason, info.id))
            continue
        found.checkpoint, found.number = checkpoint, checkpoint.number
        found.state, found.cursor = checkpoint.state, checkpoint.progress
        break
    if found.checkpoint is None:
        foreign = adopted(around, setup.repo, setup.job_id)
        if foreign is not None:
            found.state, found.damage = foreign.state, [*found.damage, *foreign.damage]
    _fold_later(around, setup, found)
    _fold_dead_letters(around, setup, found)
    return found


def _in_flight(checkpoint: MapCheckpoint) -> list[Progress]:
    """Attempts that were settled while the checkpoint was made: it has the records, perhaps not the events."""
    state, flying = checkpoint.state, checkpoint.in_progress
    settled = [*state.done.values(), *state.dead.values(), *(one for many in state.failed.values() for one in many)]
    return [progress for progress in settled if flying.get(progress.item) == progress.attempt]


def _fold_later(around: Surroundings, setup: Setup, found: Recovered) -> None:
    for data, cursor in read_on(around.storage, (setup.repo, setup.job_id), PROGRESS, found.cursor):
        for progress in decode_progress(data, found.damage.append):
            if found.state.fold(progress):
                found.candidates.append(progress)
        found.cursor = cursor


def _fold_dead_letters(around: Surroundings, setup: Setup, found: Recovered) -> None:
    """A dead letter of this session settles its item, even if its record fell to a power cut.

    One that a restart has put behind does not: the fold passes it over.
    """
    listing = around.dlq.list(setup.repo, setup.job_id)
    found.damage.extend(listing.damage)
    known = {item.id for item in setup.items}
    for letter in listing.values:
        if letter.item_id in known and not found.state.settled(letter.item_id):
            progress = _last_of(letter, setup.session_id)
            if progress is not None and found.state.fold(progress):
                found.candidates.append(progress)


def _last_of(letter: DeadLetter, session: str) -> Progress | None:
    mine = [failure for failure in letter.failure_history if failure.session_id == session]
    if not mine:
        return None
    last = mine[-1]
    at = micros(last.timestamp)
    return Progress(letter.item_id, Outcome.DEAD, last.attempt_number, at, last.duration_ms, error=last.error_message)


def known_events(around: Surroundings, setup: Setup, found: Recovered) -> set[str]:
    """The ids of the events that were stored after the newest checkpoint, and of the starts that it knows."""
    after = found.checkpoint.events if found.checkpoint else None
    ids: set[str] = set()
    for data, _ in read_on(around.storage, (setup.repo, setup.job_id), around.events.stream, after):
        ids |= event_ids(data)
    if found.checkpoint is not None:
        facts = Facts(setup.job_id, setup.session_id)
        ids.update(facts.started(item, attempt).id for item, attempt in found.checkpoint.in_progress.items())
        if found.checkpoint.final:
            ids.add(facts.completed_id)
    return ids


def expected_events(setup: Setup, found: Recovered) -> list[Fact]:
    """The events of the attempts whose events may be missing, in the order of their records."""
    facts = Facts(setup.job_id, setup.session_id)
    told = ((facts.started(progress.item, progress.attempt), *facts.settled(progress)) for progress in found.candidates)
    return [fact for many in told for fact in many]
