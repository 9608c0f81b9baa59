"""`store.checkpoints`: what runs need, and how people look after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from prodigy_storage.codecs.carried import carried, carry
from prodigy_storage.codecs.checkpoints import SETUP_ID, decode_info, decode_map
from prodigy_storage.codecs.dialects import said
from prodigy_storage.codecs.kinds import CHECKPOINT
from prodigy_storage.errors import Conflict, InvalidTransition, InvalidValue, NotFound
from prodigy_storage.model.checkpoints import CheckpointDiff, CheckpointInfo, CheckpointRetention, compare
from prodigy_storage.model.sessions import Phase
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Batch, Delete, Document, Expect, Put
from prodigy_storage.services.checkpoints.keeping import Keeping
from prodigy_storage.services.checkpoints.verifying import Verdict, verdicts


@attrs.frozen(kw_only=True)
class Pruned:
    """A checkpoint that retention lets go."""

    repo: str
    job_id: str
    info: CheckpointInfo


@attrs.frozen(kw_only=True)
class Imported:
    """What an import has done: ids that were written, and ids that were there already with the same content."""

    repo: str
    job_id: str
    written: Sequence[str]
    present: Sequence[str]


class Checkpoints(Keeping):
    """`store.checkpoints`."""

    def validate(self, repo: str | None = None, job: str | None = None, *, repair: bool = False) -> Iterator[Verdict]:
        """Read checkpoints whole: checksums, contents, and whether they fit their job.

        Args:
            repo, job: Whose; None for every one.
            repair: Move what is damaged to quarantine, so that it is reported once. A job's setup stays: without it
                the job cannot go on, and what can be read of it may still be of use.
        """
        for scope in self._scopes(repo, job):
            for verdict in verdicts(self._storage, scope):
                if repair and not verdict.sound:
                    yield attrs.evolve(verdict, quarantined=self._quarantine(scope, verdict.id))
                else:
                    yield verdict

    def diff(self, repo: str, job: str, before: str, after: str) -> CheckpointDiff:
        """What changed from one map checkpoint of a job to another one.

        Raises:
            NotFound: there is no checkpoint of one of the ids.
            InvalidValue: one of them is no map checkpoint.
            Corrupt: one of them is damaged.
        """
        first, second = (self._map(self.show(repo, job, id)) for id in (before, after))
        return compare(decode_map(first).state, decode_map(second).state)

    def _map(self, document: Document) -> Document:
        if decode_info(document).phase is not Phase.MAP:
            raise InvalidValue(f"{document.id} is no map checkpoint; only these can be compared")
        return document

    def delete(self, repo: str, job: str, id: str, *, force: bool = False) -> None:
        """Remove one checkpoint.

        Args:
            repo, job, id: Which one.
            force: Also if it is the newest sound one of a phase that is not over: the job would go on from an
                earlier one, or from its start.

        Raises:
            NotFound: there is none.
            InvalidTransition: the job would need it, and `force` was not given; or it is the job's setup.
        """
        scope = (repo, job)
        if id == SETUP_ID:
            raise InvalidTransition(
                f"{id} is what {job} starts from, and goes with its session only",
                hint="prodigy-storage sessions clean removes sessions that are over",
            )
        listing = self.list(repo, job)
        if id not in {*(info.id for info in listing.checkpoints), *(damage.id for damage in listing.damage)}:
            raise NotFound(f"there is no {id} in {repo}/{job}")
        if not force and id in _needed(listing.checkpoints):
            raise InvalidTransition(
                f"{id} is the newest sound checkpoint of its phase, and {job} is not over",
                hint="Remove it with --force if the job may go on from an earlier one.",
            )
        self._storage.commit(Batch(scope, (Delete(CHECKPOINT, id),)))

    def clean(
        self,
        repo: str | None = None,
        job: str | None = None,
        *,
        retention: CheckpointRetention | None = None,
        dry_run: bool = False,
    ) -> list[Pruned]:
        """Remove what retention lets go, and the progress that the oldest kept checkpoint of each job covers.

        Args:
            repo, job: Whose; None for every one.
            retention: Which ones stay; the documented defaults if None.
            dry_run: Only say which ones would go.
        """
        rule, now = retention or CheckpointRetention(), self._clock.now()
        gone: list[Pruned] = []
        for scope in self._scopes(repo, job):
            listed = self.list(*scope).checkpoints
            pruned = rule.pruned(listed, now=now)
            if pruned and not dry_run:
                self._storage.commit(Batch(scope, self._removal(listed, pruned)))
            gone += [Pruned(repo=scope[0], job_id=scope[1], info=info) for info in pruned]
        return gone

    def export(self, repo: str, job: str, ids: Iterable[str] = ()) -> Iterator[bytes]:
        """Checkpoints of a job as lines of a file that `import_lines` reads back; each has its digest.

        Args:
            repo, job: Which job.
            ids: Which checkpoints; all of them if there are none.

        Raises:
            NotFound: there is no such checkpoint.
            Corrupt: one is damaged; nothing damaged is ever exported.
        """
        listing = self.list(repo, job)
        wanted = list(ids) or [*(info.id for info in listing.checkpoints), *(one.id for one in listing.damage)]
        if not wanted:
            raise NotFound(f"{repo}/{job} has no checkpoints")
        return carry(repo, job, [self.show(repo, job, id) for id in wanted])

    def import_lines(self, lines: Iterable[bytes]) -> Imported:
        """Store the checkpoints of an exported file under the job that they came from, all of them or none.

        Args:
            lines: The file's lines, with their ends.

        Raises:
            Corrupt: the file is incomplete or damaged; nothing was written.
            Conflict: the job has a checkpoint of the same id with another content; nothing was written.
        """
        file = carried(lines)
        scope = (file.repo, file.job_id)
        bodies = {id: said(self._storage, CHECKPOINT, id, body) for id, body in file.bodies.items()}
        there = self._storage.fetch(scope, CHECKPOINT, list(bodies), fresh=True)
        for id, document in there.items():
            if document.body != bodies[id]:
                raise Conflict(f"{file.job_id} has a {id} already, with another content", kind=CHECKPOINT.name, id=id)
        written = [id for id in bodies if id not in there]
        if written:
            puts = [Put(CHECKPOINT, id, bodies[id], Expect.ABSENT) for id in written]
            self._storage.commit(Batch(scope, puts))
        return Imported(repo=file.repo, job_id=file.job_id, written=written, present=sorted(there))

    def _scopes(self, repo: str | None, job: str | None) -> list[tuple[str, str]]:
        scopes: list[Scope] = list(self._storage.scopes(CHECKPOINT))
        return [
            (scope[0], scope[1])
            for scope in scopes
            if len(scope) == 2 and repo in (None, scope[0]) and job in (None, scope[1])
        ]


def _needed(checkpoints: Sequence[CheckpointInfo]) -> set[str]:
    """The newest of each phase, unless it is final."""
    newest = {info.phase: info for info in checkpoints}
    return {info.id for phase, info in newest.items() if phase is not Phase.SETUP and not info.final}
