"""Checkpoints as a run keeps them: publish once, take the newest that verifies, prune what nothing needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from prodigy_storage.codecs.checkpoints import (
    SETUP_ID,
    checkpoint_id,
    decode_info,
    decode_map,
    decode_reduce,
    encode_map,
    encode_reduce,
)
from prodigy_storage.codecs.documents import SUMMARIES
from prodigy_storage.codecs.kinds import CHECKPOINT, JOB_STATE
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.quarantine import set_aside
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import Conflict, Corrupt, ReadOnly
from prodigy_storage.model.checkpoints import CheckpointInfo, CheckpointRetention, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.jobs import JobSummary
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Batch,
    Cursor,
    Damage,
    Delete,
    Document,
    Expect,
    Operation,
    Put,
    Query,
    Trim,
)
from prodigy_storage.services.checkpoints.setups import Setups

T = TypeVar("T")


@attrs.frozen
class CheckpointListing:
    """The checkpoints of a job in the order of their numbers, and those that are damaged."""

    checkpoints: Sequence[CheckpointInfo]
    damage: Sequence[Damage] = ()


@attrs.frozen
class Newest(CheckpointListing):
    """The newest map checkpoint that verifies (None: there is none), and what was passed over on the way."""

    checkpoint: MapCheckpoint | None = None


class Keeping(Setups):
    """What a run needs of its checkpoints: save, find the newest, begin again."""

    def save(
        self,
        repo: str,
        checkpoint: MapCheckpoint,
        *,
        summary: JobSummary | None = None,
        guard: Sequence[Operation] = (),
        retention: CheckpointRetention | None = None,
    ) -> str:
        """Store a map checkpoint durably; then prune older ones, and the progress that the oldest kept one covers.

        Args:
            repo: The project; the job is named by the checkpoint.
            checkpoint: What to store; its number must be new.
            summary: The job in numbers, stored beside it for people and tools.
            guard: Preconditions, such as the lease.
            retention: Which ones stay; the documented defaults if None.

        Returns:
            The checkpoint's id.

        Raises:
            Conflict: the number is taken, or `guard` did not hold.
        """
        scope = (repo, checkpoint.job_id)
        id = checkpoint_id(Phase.MAP, checkpoint.number, checkpoint.created_at)
        self._storage.commit(Batch(scope, (*guard, Put(CHECKPOINT, id, encode_map(checkpoint), Expect.ABSENT))))
        follow_up = self._pruning(scope, retention or CheckpointRetention())
        if summary is not None:
            follow_up.append(Put(JOB_STATE, "job-state", SUMMARIES.encode(summary)))
        if follow_up:
            self._storage.commit(Batch(scope, (*guard, *follow_up)))
        return id

    def _pruning(self, scope: Scope, retention: CheckpointRetention) -> list[Operation]:
        listed = self.list(*scope).checkpoints
        return self._removal(listed, retention.pruned(listed, now=self._clock.now()))

    def _removal(self, listed: Sequence[CheckpointInfo], pruned: Sequence[CheckpointInfo]) -> list[Operation]:
        """What removes checkpoints, and the progress that the oldest kept one covers."""
        gone = {info.id for info in pruned}
        kept = [info for info in listed if info.phase is Phase.MAP and info.id not in gone]
        operations: list[Operation] = [Delete(CHECKPOINT, info.id) for info in pruned]
        if kept and kept[0].progress is not None:
            operations.append(Trim(PROGRESS, Cursor(kept[0].progress)))
        return operations

    def save_reduce(self, repo: str, checkpoint: ReduceCheckpoint, *, guard: Sequence[Operation] = ()) -> str:
        """Store how far the reduce phase came durably, and return the checkpoint's id.

        Of the earlier ones that are not final one stays, in case this one is damaged.

        Raises:
            InvalidValue: the result, an output or a variable is no JSON.
            Conflict: the number is taken, or `guard` did not hold.
        """
        scope = (repo, checkpoint.job_id)
        id = checkpoint_id(Phase.REDUCE, checkpoint.number, checkpoint.created_at)
        earlier = [info for info in self.list(*scope).checkpoints if info.phase is Phase.REDUCE and not info.final]
        gone = [Delete(CHECKPOINT, info.id) for info in earlier[:-1]]
        put = Put(CHECKPOINT, id, encode_reduce(checkpoint), Expect.ABSENT)
        self._storage.commit(Batch(scope, (*guard, put, *gone)))
        return id

    def restart(self, repo: str, checkpoint: MapCheckpoint, *, guard: Sequence[Operation] = ()) -> str:
        """Begin the map phase again from `checkpoint`: it takes the place of every other one, in one batch.

        Returns:
            The checkpoint's id.

        Raises:
            Conflict: the number is taken, or `guard` did not hold.
        """
        scope = (repo, checkpoint.job_id)
        id = checkpoint_id(Phase.MAP, checkpoint.number, checkpoint.created_at)
        operations: list[Operation] = [*guard, Put(CHECKPOINT, id, encode_map(checkpoint), Expect.ABSENT)]
        listed = self.list(*scope).checkpoints
        operations += [Delete(CHECKPOINT, info.id) for info in listed if info.phase is not Phase.SETUP]
        if checkpoint.progress is not None:
            operations.append(Trim(PROGRESS, Cursor(checkpoint.progress)))
        self._storage.commit(Batch(scope, operations))
        return id

    def restart_reduce(self, repo: str, job: str, *, guard: Sequence[Operation] = ()) -> None:
        """Forget how far the reduce phase of a job came.

        Raises:
            Conflict: `guard` did not hold.
        """
        listed = self.list(repo, job).checkpoints
        gone = [Delete(CHECKPOINT, info.id) for info in listed if info.phase is Phase.REDUCE]
        self._storage.commit(Batch((repo, job), (*guard, *gone)))

    def list(self, repo: str, job: str) -> CheckpointListing:
        """Every checkpoint of a job, ordered by number; damaged ones apart."""
        found, damage = gather(self._storage, Query(CHECKPOINT, (repo, job)), decode_info)
        return CheckpointListing(sorted(found, key=lambda info: (info.number, info.id)), damage)

    def latest(self, repo: str, job: str) -> Newest:
        """The newest map checkpoint that verifies.

        A damaged one is moved to quarantine, once, and reported; the one before it is taken.
        """
        checkpoint, listed, damage = self._newest((repo, job), Phase.MAP, decode_map)
        return Newest(listed, damage, checkpoint)

    def reduced(self, repo: str, job: str) -> ReduceCheckpoint | None:
        """How far the reduce phase came: its newest checkpoint that verifies; None if there is none."""
        return self._newest((repo, job), Phase.REDUCE, decode_reduce)[0]

    def _newest(
        self, scope: Scope, phase: Phase, decode: Callable[[Document], T]
    ) -> tuple[T | None, Sequence[CheckpointInfo], Sequence[Damage]]:
        listing = self.list(*scope)
        damage = list(listing.damage)
        for report in listing.damage:
            self._quarantine(scope, report.id)
        for info in reversed(listing.checkpoints):
            if info.phase is phase:
                try:
                    return decode(self._document(scope, info.id)), listing.checkpoints, damage
                except Corrupt as error:
                    damage.append(Damage(error.place, error.offset, error.reason, info.id))
                    self._quarantine(scope, info.id)
        return None, listing.checkpoints, damage

    def show(self, repo: str, job: str, id: str) -> Document:
        """One checkpoint as it is stored, verified.

        Raises:
            NotFound: there is none.
            Corrupt: it is damaged.
        """
        document = self._document((repo, job), id)
        decode_info(document)
        return document

    def _quarantine(self, scope: Scope, id: str) -> bool:
        """Move a damaged checkpoint aside, so that it is reported once; setups stay where they are."""
        if id in ("", SETUP_ID):
            return False
        found = self._storage.fetch(scope, CHECKPOINT, [id], fresh=True)
        if id not in found:
            return False
        try:
            set_aside(self._storage, CHECKPOINT, found[id])
        except (Conflict, ReadOnly):
            return False
        return True
