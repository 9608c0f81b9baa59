"""What the doctor looks at things with."""

from __future__ import annotations

import attrs

from prodigy_storage.ports.checkouts import Checkouts
from prodigy_storage.ports.storage import Damage, Storage
from prodigy_storage.redrive import Redrives
from prodigy_storage.runs.service import Runs
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.mappings import Mappings
from prodigy_storage.services.sessions import Sessions
from prodigy_storage.services.worktrees import Worktrees


@attrs.frozen(kw_only=True)
class DoctorSurroundings:
    """The store's parts that the doctor uses.

    Args:
        checkouts: Where worktrees lie; None if the store has no place for them.
    """

    storage: Storage
    locks: Locks
    sessions: Sessions
    checkpoints: Checkpoints
    mappings: Mappings
    worktrees: Worktrees
    runs: Runs
    redrives: Redrives
    checkouts: Checkouts | None

    def is_run(self, *names: str) -> bool:
        """Whether somebody who lives, or may live, holds one of these jobs or sessions."""
        unreadable: list[Damage] = []
        held = [one for one in self.locks.list(unreadable.append) if one.alive is not False]
        known = {id for one in held for id in (one.name, one.purpose)} | {one.id for one in unreadable}
        return not known.isdisjoint(names)
