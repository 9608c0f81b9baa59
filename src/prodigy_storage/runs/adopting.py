"""Going on with a job that Prodigy began: its newest state becomes our first checkpoint; its own files stay.

What is not settled there is pending, as is what was in progress. A failed item is tried again as often as Prodigy's
`resume-job` would: its earlier failures count.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.trees import parse
from prodigy_storage.codecs.values import encode_value, micros
from prodigy_storage.errors import NotFound
from prodigy_storage.model.checkpoints import CheckpointReason, MapCheckpoint
from prodigy_storage.model.jobs import JobSettings, JobState, Outcome, Progress, Setup, WorkItem
from prodigy_storage.model.prodigy.jobs import AgentResult, ProdigyJobState
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.storage import Damage, Document
from prodigy_storage.runs.failures import buried
from prodigy_storage.runs.surroundings import Surroundings
from prodigy_storage.services.job_states import JobStates

MAX_RETRIES = 2
"""How often Prodigy's `resume-job` tries a failed item again."""
_FAILED = frozenset({"Failed", "Timeout", "Retrying"})
_EARLIER = "an earlier failure, of which Prodigy kept no more"


@attrs.frozen
class Adopted:
    """A job of Prodigy's as ours.

    Args:
        setup: What it started from.
        state: What became of its items.
        damage: What could not be read.
    """

    setup: Setup
    state: JobState
    damage: list[Damage] = attrs.field(factory=list)


def stored_setup(around: Surroundings, repo: str, job: str) -> Setup:
    """What a job started from, whoever began it.

    Raises:
        NotFound: there is no such job.
        Corrupt: the document is damaged.
    """
    try:
        return around.checkpoints.setup(repo, job)
    except NotFound as error:
        missing = error
    found = adopted(around, repo, job)
    if found is None:
        raise missing
    return found.setup


def adopted(around: Surroundings, repo: str, job: str) -> Adopted | None:
    """A job that Prodigy began and we have not gone on with; None if there is none. Writes nothing."""
    newest = JobStates(around.storage).latest(repo, job)
    if newest.loaded is None:
        return None
    state, document = newest.loaded.value, newest.loaded.document
    setup = Setup(
        repo=repo,
        job_id=job,
        session_id=_session_of(around, repo, job),
        created_at=state.started_at,
        items=tuple(WorkItem(f"item_{number}", data) for number, data in enumerate(state.work_items)),
        settings=JobSettings(max_retries=MAX_RETRIES),
        correlation_id=job,
        metadata={"workflow_name": state.config.input or job, "prodigy_state": document.id},
        variables=state.variables,
    )
    folded = JobState()
    for item in setup.items:
        for progress in _told(state, document, item.id):
            folded.fold(progress)
    return Adopted(setup, folded, list(newest.damage))


def _session_of(around: Surroundings, repo: str, job: str) -> str:
    mapping = around.mappings.find(job, repo=repo).get(repo)
    if mapping is not None:
        return mapping.session_id
    sessions = around.sessions.list().values
    named = (one.id for one in sessions if one.mapreduce_data is not None and one.mapreduce_data.job_id == job)
    return next(named, f"session-{job}")


def _told(state: ProdigyJobState, document: Document, item: str) -> Iterator[Progress]:
    """What a state says of an item, as attempts; nothing of one that was not tried, or was being tried."""
    result, failed = state.agent_results.get(item), state.failed_agents.get(item)
    status = result.status.name if result else "Success"
    pending = item in state.pending_items or status == "Retrying"
    if failed is not None or status in _FAILED:
        tries = max(failed.attempts if failed else 0, state.item_retry_counts.get(item, 0), _retried(result), 1)
        last = failed.last_error if failed else (result and result.error) or status
        at = micros(failed.last_attempt if failed else state.updated_at)
        yield from _failures(item, tries, last, at, pending=pending)
    elif item in state.completed_agents and status == "Success" and not pending:
        tree = parse(document.body, document.place)["agent_results"].get(item)
        at = micros(state.updated_at)
        yield Progress(item, Outcome.DONE, 1, at, _milliseconds(result), encode_value(tree, item))


def _retried(result: AgentResult | None) -> int:
    """How often an item that is waiting for its next try has failed."""
    return result.status.value if result and isinstance(result.status.value, int) else 0


def _milliseconds(result: AgentResult | None) -> int:
    return result.duration.secs * 1000 + result.duration.nanos // 1_000_000 if result else 0


def _failures(item: str, tries: int, last: str, at: int, *, pending: bool) -> Iterator[Progress]:
    """Failures, the last one final if no retry is left; an item that is pending all the same gets one more."""
    tries = min(tries, MAX_RETRIES) if pending else tries
    for number in range(1, tries + 1):
        ends = number > MAX_RETRIES and number == tries
        error = last if number == tries else _EARLIER
        yield Progress(item, Outcome.DEAD if ends else Outcome.FAILED, number, at, error=error)


def adopt(around: Surroundings, setup: Setup, grant: Grant) -> Setup:
    """The setup of a job as it is stored; that of Prodigy's is stored now, behind a checkpoint of what it had done.

    Dying in between is no harm: without a setup of ours the job is adopted again.
    """
    try:
        return around.checkpoints.setup(setup.repo, setup.job_id)
    except NotFound as error:
        missing = error
    found = adopted(around, setup.repo, setup.job_id)
    if found is None:
        raise missing
    for item, progress in found.state.dead.items():
        _keep_letter(around, found, item, progress, grant)
    listed = around.checkpoints.list(setup.repo, setup.job_id).checkpoints
    checkpoint = MapCheckpoint(
        job_id=setup.job_id,
        session_id=found.setup.session_id,
        number=max((info.number for info in listed), default=0) + 1,
        epoch=grant.epoch,
        created_at=around.runtime.clock.now(),
        reason=CheckpointReason.ERROR_RECOVERY,
        state=found.state,
    )
    around.checkpoints.save(setup.repo, checkpoint, guard=(grant.guard,))
    around.checkpoints.save_setup(found.setup, guard=(grant.guard,))
    return around.checkpoints.setup(setup.repo, setup.job_id)


def _keep_letter(around: Surroundings, found: Adopted, item: str, last: Progress, grant: Grant) -> None:
    """The dead letter of an item that Prodigy gave up, unless it kept one itself."""
    setup = found.setup
    try:
        around.dlq.get(setup.repo, setup.job_id, item)
    except NotFound:
        work = next(one for one in setup.items if one.id == item)
        letter = buried(work, setup.session_id, (last,), last.error or "failed")
        around.dlq.add(setup.repo, setup.job_id, letter, guard=(grant.guard,))
