"""Where a job of ours stands, as the job state that Prodigy's `resume-job` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_STATES
from prodigy_storage.codecs.values import decode_value, moment
from prodigy_storage.model.checkpoints import MapCheckpoint
from prodigy_storage.model.events import MapReduceConfig
from prodigy_storage.model.jobs import JobState, Progress, Setup
from prodigy_storage.model.prodigy.jobs import AgentResult, FailedAgent, ProdigyJobState
from prodigy_storage.model.prodigy.values import Tagged
from prodigy_storage.model.sessions import Timing


def first_state(setup: Setup) -> ProdigyJobState:
    """A job of which nothing is done yet. Items have the names of their places, `item_0` and so on."""
    return ProdigyJobState(
        job_id=setup.job_id,
        config=MapReduceConfig(input=str(setup.metadata.get("workflow_name", "")), continue_on_failure=True),
        started_at=setup.created_at,
        updated_at=setup.created_at,
        work_items=[item.data for item in setup.items],
        agent_results={},
        completed_agents=(),
        failed_agents={},
        pending_items=[f"item_{number}" for number in range(len(setup.items))],
        checkpoint_version=0,
        total_items=len(setup.items),
        successful_count=0,
        failed_count=0,
        is_complete=False,
        agent_template=(),
        variables=setup.variables,
        setup_completed=setup.complete,
    )


def check_setup(setup: Setup) -> None:
    """Accept a job whose state Prodigy can read.

    Raises:
        InvalidValue: an item or a variable could not be read back; names it.
    """
    PRODIGY_JOB_STATES.encode(first_state(setup))


def state_of(setup: Setup, checkpoint: MapCheckpoint, known: ProdigyJobState | None, version: int) -> ProdigyJobState:
    """The state of a job at a checkpoint.

    Args:
        setup: What the job started from.
        checkpoint: Where it stands.
        known: The newest state that is stored; what only Prodigy knows is taken from it.
        version: The number of this state.
    """
    base, state = known or first_state(setup), checkpoint.state
    names = {item.id: f"item_{number}" for number, item in enumerate(setup.items)}
    done = {names[id]: progress for id, progress in state.done.items() if id in names}
    dead = {names[id]: progress for id, progress in state.dead.items() if id in names}
    return attrs.evolve(
        base,
        updated_at=checkpoint.created_at,
        work_items=[item.data for item in setup.items],
        agent_results=_results(base, done, dead),
        completed_agents=_kept(base.completed_agents, {**done, **dead}),
        failed_agents=_failures(base, dead),
        pending_items=_kept(base.pending_items, [name for name in names.values() if name not in {**done, **dead}]),
        checkpoint_version=version,
        total_items=len(setup.items),
        successful_count=len(done),
        failed_count=max(base.failed_count, len(dead)),
        is_complete=checkpoint.final,
        variables=setup.variables or base.variables,
        setup_completed=setup.complete,
        item_retry_counts=_tries(state, names),
    )


def _kept(known: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The wanted names: those that are known in their order, then the others."""
    rest = dict.fromkeys(wanted)
    front = [name for name in known if name in rest]
    return [*front, *(name for name in rest if name not in set(front))]


def _results(
    base: ProdigyJobState, done: Mapping[str, Progress], dead: Mapping[str, Progress]
) -> dict[str, AgentResult]:
    found = {name: result for name, result in base.agent_results.items() if name in done or name in dead}
    for name, progress in {**done, **dead}.items():
        status = Tagged("Success") if name in done else Tagged("Failed", progress.error or "")
        if name not in found or found[name].status.name != status.name:
            found[name] = AgentResult(
                item_id=name, status=status, output=_output(progress), duration=_timing(progress), error=progress.error
            )
    return found


def _output(progress: Progress) -> str | None:
    """The result as text: itself if it is one, else as JSON."""
    if progress.result is None:
        return None
    value = decode_value(progress.result)
    return value if isinstance(value, str) else progress.result.decode()


def _timing(progress: Progress) -> Timing:
    secs, ms = divmod(progress.ms, 1000)
    return Timing(secs=secs, nanos=ms * 1_000_000)


def _failures(base: ProdigyJobState, dead: Mapping[str, Progress]) -> dict[str, FailedAgent]:
    found = {name: failed for name, failed in base.failed_agents.items() if name in dead}
    for name, progress in dead.items():
        if name not in found:
            at = moment(progress.at)
            error = progress.error or ""
            found[name] = FailedAgent(item_id=name, attempts=progress.attempt, last_error=error, last_attempt=at)
    return found


def _tries(state: JobState, names: Mapping[str, str]) -> dict[str, int]:
    """How many attempts of each pending item have failed."""
    return {names[id]: len(failed) for id, failed in state.failed.items() if id in names}
