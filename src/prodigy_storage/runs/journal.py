"""Everything that a run writes, each batch under the guard of its lease."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import attrs

from prodigy_storage.codecs.kinds import LEASE
from prodigy_storage.codecs.progress import PROGRESS, decode_progress, encode_progress
from prodigy_storage.errors import Conflict, Fenced, Rewound
from prodigy_storage.model.checkpoints import CheckpointRetention, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.jobs import JobState, JobSummary, Progress, Setup
from prodigy_storage.model.sessions import MapReduceData, Phase, Session, SessionStatus, SessionType
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.storage import Append, Batch, Cursor, Damage, Durability, Storage, Stream
from prodigy_storage.runs.surroundings import Surroundings


@contextlib.contextmanager
def fencing() -> Iterator[None]:
    """Turn a lost guard into `Fenced`."""
    try:
        yield
    except Conflict as error:
        raise _fenced(error) from error


def _fenced(error: Conflict) -> Conflict:
    if error.kind != LEASE.name or isinstance(error, Fenced):
        return error
    return Fenced(
        f"the lease of {error.id} was taken over; this run must write nothing more", kind=LEASE.name, id=error.id
    )


def read_on(storage: Storage, scope: tuple[str, str], stream: Stream, after: str | None) -> Iterator[tuple[bytes, str]]:
    """Chunks of a stream from a cursor to its end, each with the cursor behind it; the last one is empty.

    From the start, where the stream was rewound (a power cut took the place that the cursor names).
    """
    cursor = None if after is None else Cursor(after)
    while True:
        try:
            chunk = storage.records(scope, stream, cursor)
        except Rewound:
            chunk = storage.records(scope, stream)
        cursor = chunk.cursor
        yield chunk.data, cursor
        if not chunk.data:
            return


@attrs.define
class Journal:
    """The writer of one run.

    Args:
        setup: What the job started from.
        grant: The lease.
        durability: What an acknowledged item survives.
        retention: Which checkpoints stay.
        folded: The fold of the progress stream up to `cursor`: what a checkpoint says.
        phase: What the session was told last.
    """

    _around: Surroundings
    setup: Setup
    grant: Grant
    durability: Durability
    retention: CheckpointRetention
    folded: JobState = attrs.field(factory=JobState)
    cursor: str | None = None
    phase: Phase = attrs.field(init=False, default=Phase.MAP)
    _scope: tuple[str, str] = attrs.field(init=False)
    _since: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._scope = (self.setup.repo, self.setup.job_id)
        self._since = self._around.runtime.clock.monotonic()

    def settle(self, progress: Progress) -> None:
        """Acknowledge one attempt.

        Raises:
            Fenced: the lease was lost.
        """
        append = Append(PROGRESS, encode_progress(progress))
        try:
            self._around.storage.commit(Batch(self._scope, (self.grant.guard, append), self.durability))
        except Conflict as error:
            raise _fenced(error) from error

    def bury(self, progress: Progress, letter: DeadLetter) -> None:
        """Acknowledge the last attempt of an item, and keep its dead letter, in one batch."""
        guard = (self.grant.guard, Append(PROGRESS, encode_progress(progress)))
        with fencing():
            self._around.dlq.add(*self._scope, letter, guard=guard, durability=self.durability)

    def fold(self, on_damage: Callable[[Damage], None]) -> None:
        """Take in what was acknowledged since the last fold, by whomever."""
        for data, cursor in read_on(self._around.storage, self._scope, PROGRESS, self.cursor):
            for progress in decode_progress(data, on_damage):
                self.folded.fold(progress)
            self.cursor = cursor

    def checkpoint(self, checkpoint: MapCheckpoint) -> None:
        """Store a checkpoint durably and prune what it makes superfluous."""
        state = checkpoint.state
        summary = JobSummary(
            job_id=self.setup.job_id,
            session_id=self.setup.session_id,
            updated_at=checkpoint.created_at,
            phase=(Phase.COMPLETE if checkpoint.final else self.phase).value,
            checkpoint=checkpoint.number,
            total_items=len(self.setup.items),
            completed=len(state.done),
            dead_letters=len(state.dead),
            pending=len(self.setup.items) - len(state.done) - len(state.dead),
        )
        with fencing():
            self._around.checkpoints.save(
                self.setup.repo, checkpoint, summary=summary, guard=(self.grant.guard,), retention=self.retention
            )
            if self._around.state_writer is not None:
                self._around.state_writer.save(self.setup, checkpoint, guard=(self.grant.guard,))

    def advance(self, setup: Setup) -> None:
        """Store how far the setup phase came, or what it gave."""
        with fencing():
            self._around.checkpoints.advance_setup(setup, guard=(self.grant.guard,))
        self.setup = setup

    def reduce(self, checkpoint: ReduceCheckpoint) -> None:
        """Store how far the reduce phase came durably."""
        with fencing():
            self._around.checkpoints.save_reduce(self.setup.repo, checkpoint, guard=(self.grant.guard,))

    def session(
        self, state: JobState, phase: Phase, status: SessionStatus, *, error: str | None = None, started: bool = False
    ) -> None:
        """Bring the session in line with the job; it is a projection, and no lower epoch writes it.

        The time since the last call counts for the phase that the job was in.
        """
        now = self._around.runtime.clock.monotonic()
        spent, before = now - self._since, self.phase

        def project(known: Session) -> Session:
            moved = known.moved(status, at=self._around.runtime.clock.now(), error=error)
            data = known.mapreduce_data or MapReduceData(job_id=self.setup.job_id)
            data = attrs.evolve(
                data,
                total_items=len(self.setup.items),
                processed_items=len(state.done) + len(state.dead),
                failed_items=len(state.dead),
                phase=phase,
            )
            timed = moved.timed(before.value.lower(), spent) if not started else moved
            return attrs.evolve(timed, mapreduce_data=data, repo=self.setup.repo, epoch=self.grant.epoch)

        if started and self._around.sessions.find(self.setup.session_id) is None:
            self._around.sessions.create(project(new_session(self.setup, SessionStatus.INITIALIZING)))
        else:
            self._around.sessions.update(self.setup.session_id, project, epoch=self.grant.epoch)
        self.phase, self._since = phase, now


def new_session(setup: Setup, status: SessionStatus) -> Session:
    """The session of a job that begins."""
    return Session(
        id=setup.session_id,
        session_type=SessionType.MAPREDUCE,
        status=status,
        started_at=setup.created_at,
        updated_at=setup.created_at,
        metadata=dict(setup.metadata),
        mapreduce_data=MapReduceData(job_id=setup.job_id, total_items=len(setup.items)),
        repo=setup.repo,
    )
