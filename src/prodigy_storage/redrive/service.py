"""Starting, resuming and finding redrives."""

from __future__ import annotations

from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping, Sequence

import attrs

from prodigy_storage.codecs.collection import Collection
from prodigy_storage.codecs.documents import REDRIVES, Listing, Loaded
from prodigy_storage.codecs.kinds import REDRIVE
from prodigy_storage.errors import Ambiguous, NotFound
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.redrives import (
    Redrive,
    RedriveSettings,
    RedriveState,
    RedriveStatus,
)
from prodigy_storage.ports.names import Scope, check_name
from prodigy_storage.ports.storage import Damage
from prodigy_storage.redrive.claims import Claims, is_over
from prodigy_storage.redrive.journal import Journal, reopened
from prodigy_storage.redrive.outcomes import skipped
from prodigy_storage.redrive.running import RunningRedrive, Work
from prodigy_storage.redrive.schedule import Schedule
from prodigy_storage.redrive.selecting import Selection, select
from prodigy_storage.redrive.surroundings import Surroundings

_REFUSED = "it is not eligible for a retry, or waits for a review; force retries it all the same"


@attrs.frozen(kw_only=True)
class RedriveView:
    """A stored redrive and what became of its items."""

    scope: Scope
    redrive: Redrive
    state: RedriveState
    damage: Sequence[Damage] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many items are `done`, `failed`, `skipped` and `pending`."""
        return self.state.counts(self.redrive.items)


class Redrives:
    """`store.redrives`."""

    def __init__(self, around: Surroundings, *, ttl: float = 60.0) -> None:
        self._around = around
        self._ttl = ttl

    def select(
        self,
        repo: str,
        job: str,
        *,
        filter: str | None = None,  # noqa: A002  # what the documents call it
        ids: Ids[str] | None = None,
        force: bool = False,
    ) -> Selection:
        """What `start` would try; writes nothing.

        Raises:
            InvalidFilter: the filter cannot be parsed, or cannot be applied to one of the letters.
            NotFound: one of the ids names no dead letter of the job.
        """
        return select(self._around.dlq, repo, job, filter=filter, ids=ids, force=force)

    def start(
        self,
        repo: str,
        job: str,
        *,
        filter: str | None = None,  # noqa: A002  # what the documents call it
        ids: Ids[str] | None = None,
        settings: RedriveSettings | None = None,
        reason: str = "",
    ) -> RunningRedrive:
        """Begin: what was chosen is stored when this returns.

        Args:
            repo, job: Whose dead letters.
            filter: Only those that match this expression; see `codecs.filters`.
            ids: Only these items.
            settings: How they are tried.
            reason: Why, for people.

        Raises:
            InvalidFilter: the filter cannot be parsed, or cannot be applied to one of the letters.
            NotFound: one of the ids names no dead letter of the job.
        """
        settings = settings or RedriveSettings()
        chosen = self.select(repo, job, filter=filter, ids=ids, force=settings.force)
        runtime = self._around.runtime
        now = runtime.clock.now()
        redrive = Redrive(
            id=f"redrive-{runtime.ids.new()}",
            job_id=job,
            status=RedriveStatus.RUNNING,
            created_at=now,
            updated_at=now,
            items=chosen.items,
            filter=filter,
            reason=reason,
            settings=settings,
            correlation_id=runtime.ids.new(),
        )
        journal = Journal(self._around, (repo, job), redrive.id)
        journal.create(redrive)
        state = RedriveState()
        for letter in chosen.refused:
            outcome = skipped(redrive.id, letter.item_id, _REFUSED, now)
            journal.note(outcome)
            state.fold(outcome)
        return self._running(journal, redrive, state, chosen.damage)

    def resume(self, id: str, *, repo: str | None = None, job: str | None = None) -> RunningRedrive:
        """Go on with a redrive: what was acknowledged is not done again; what was skipped is looked at again.

        A stopped one goes on without its canary, a completed one has nothing to do. Several processes may work on one
        redrive at once.

        Args:
            id: The redrive.
            repo, job: Where, if that is known.

        Raises:
            NotFound: there is none.
        """
        found = self.show(id, repo=repo, job=job)
        redrive = found.redrive
        state = reopened(found.state)
        journal = Journal(self._around, found.scope, redrive.id)
        canary = None if redrive.status is RedriveStatus.STOPPED else redrive.settings.canary
        journal.move(RedriveStatus.RUNNING)
        settings = attrs.evolve(redrive.settings, canary=canary)
        return self._running(journal, attrs.evolve(redrive, settings=settings), state, found.damage)

    def retry(
        self,
        repo: str,
        job: str,
        work: Work,
        *,
        filter: str | None = None,  # noqa: A002  # what the documents call it
        ids: Ids[str] | None = None,
        settings: RedriveSettings | None = None,
        reason: str = "",
        parallel: int = 1,
    ) -> RedriveView:
        """Start a redrive, drive it to its end and give it back: the whole in one call.

        Args:
            repo, job, filter, ids, settings, reason: As in `start`.
            work: Gets each dead letter; returns, or raises.
            parallel: How many at once, in threads.
        """
        with self.start(repo, job, filter=filter, ids=ids, settings=settings, reason=reason) as running:
            running.drive(work, parallel=parallel)
        return self.show(running.id, repo=repo, job=job)

    def list(self, repo: str | None = None, job: str | None = None) -> Listing[Redrive]:
        """The redrives of one job, one repo, or all, the oldest first."""
        scope = () if repo is None else (repo,) if job is None else (repo, job)
        found = self._redrives.list(scope)
        return Listing([one for one in found.loaded if job in (None, one.value.job_id)], found.damage)

    def show(self, id: str, *, repo: str | None = None, job: str | None = None) -> RedriveView:
        """One redrive with what became of its items.

        Raises:
            NotFound: there is none.
        """
        loaded = self._find(id, repo, job)
        scope = loaded.document.scope
        damage: list[Damage] = []
        state = Journal(self._around, scope, id).state(damage.append)
        return RedriveView(scope=scope, redrive=loaded.value, state=state, damage=damage)

    def claimed(self, repo: str | None = None) -> Iterator[tuple[Loaded[DeadLetter], bool]]:
        """Dead letters that are claimed, and whether the claim is over: it has expired, or its owner is dead.

        Args:
            repo: Of one project, or of all.
        """
        for loaded in self._around.dlq.list(repo).loaded:
            if loaded.value.claim is not None:
                yield loaded, is_over(self._around, loaded.value.claim)

    def free(self, letter: Loaded[DeadLetter]) -> None:
        """End a claim that is over, as `claimed` gave it; nothing happens if somebody has taken it since."""
        if letter.value.claim is not None:
            claim = letter.value.claim
            Claims(self._around, letter.document.scope, claim.redrive_id, "", self._ttl).forfeit(letter.value)

    # --- inside

    @property
    def _redrives(self) -> Collection[Redrive]:
        return Collection(self._around.storage, REDRIVE, REDRIVES)

    def _find(self, id: str, repo: str | None, job: str | None) -> Loaded[Redrive]:
        check_name(id)
        scopes = [
            scope
            for scope in self._around.storage.scopes(REDRIVE)
            if repo in (None, scope[0]) and job in (None, scope[-1])
        ]
        found = [loaded for scope in scopes if (loaded := self._redrives.find(scope, id))]
        if not found:
            raise NotFound(f"there is no redrive {id}", hint="prodigy-storage dlq redrives list shows what is there")
        if len(found) > 1:
            places = tuple("/".join(loaded.document.scope) for loaded in found)
            raise Ambiguous(f"{len(found)} jobs have a redrive {id}", candidates=places)
        return found[0]

    def _running(
        self, journal: Journal, redrive: Redrive, state: RedriveState, damage: Sequence[Damage]
    ) -> RunningRedrive:
        claims = Claims(self._around, journal.scope, redrive.id, redrive.correlation_id, self._ttl)
        running = RunningRedrive(
            redrive,
            state,
            damage,
            self._around,
            journal,
            claims,
            self._around.runtime.background.mutex(),
            Schedule(redrive, state),
        )
        running.begin(self._ttl / 3)
        return running
