"""What a run works with."""

from __future__ import annotations

import attrs

from prodigy_storage.codecs.checkpoints import encode_setup
from prodigy_storage.model.jobs import Setup
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Storage
from prodigy_storage.services.checkpoints import Checkpoints
from prodigy_storage.services.dead_letters import DeadLetters
from prodigy_storage.services.events import Events
from prodigy_storage.services.job_state_writer import JobStateWriter
from prodigy_storage.services.locks import Locks
from prodigy_storage.services.mappings import Mappings
from prodigy_storage.services.sessions import Sessions


@attrs.frozen(kw_only=True)
class Surroundings:
    """The store's parts that a run uses.

    Args:
        state_writer: Writes Prodigy's job states beside the checkpoints; None if nobody wants them.
    """

    storage: Storage
    runtime: Runtime
    locks: Locks
    events: Events
    dlq: DeadLetters
    sessions: Sessions
    checkpoints: Checkpoints
    mappings: Mappings
    state_writer: JobStateWriter | None = None

    def check(self, setup: Setup) -> None:
        """Accept a job before anything of it is written.

        Raises:
            InvalidValue: an item, an output or a variable is no JSON, or none that the store's dialect can say.
        """
        encode_setup(setup)
        if self.state_writer is not None:
            self.state_writer.check(setup)
