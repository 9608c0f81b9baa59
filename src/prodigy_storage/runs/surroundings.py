"""What a run works with."""

from __future__ import annotations

import attrs

from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Storage
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.dead_letters import DeadLetters
from prodigy_storage.services.events import Events
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.mappings import Mappings
from prodigy_storage.services.sessions import Sessions


@attrs.frozen(kw_only=True)
class Surroundings:
    """The store's parts that a run uses."""

    storage: Storage
    runtime: Runtime
    locks: Locks
    events: Events
    dlq: DeadLetters
    sessions: Sessions
    checkpoints: Checkpoints
    mappings: Mappings
