"""What a job looks like from outside: its items, what became of them, their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from prodigy_storage.codecs.values import decode_value
from prodigy_storage.model.jobs import JobState, Setup, WorkItem
from prodigy_storage.model.values import Json
from prodigy_storage.ports.storage import Damage


@attrs.define(eq=False)
class View:
    """Reads only.

    Args:
        setup: What the job started from.
        state: What is known of each item.
        damage: What could not be read when the job was loaded, or since.
    """

    setup: Setup
    state: JobState
    damage: list[Damage]
    items: Mapping[str, WorkItem] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.items = {item.id: item for item in self.setup.items}

    @property
    def session_id(self) -> str:
        """The session; `store.runs.resume` takes it."""
        return self.setup.session_id

    @property
    def job_id(self) -> str:
        """The job; `store.runs.resume` takes it too."""
        return self.setup.job_id

    @property
    def total(self) -> int:
        """How many items there are."""
        return len(self.items)

    @property
    def completed(self) -> int:
        """How many items succeeded."""
        return len(self.state.done)

    @property
    def dead_letters(self) -> Sequence[str]:
        """The ids of the items that failed for good, sorted."""
        return sorted(self.state.dead)

    @property
    def settled(self) -> int:
        """How many items are completed or dead."""
        return len(self.state.done) + len(self.state.dead)

    @property
    def done(self) -> bool:
        """Whether every item is settled."""
        return self.settled == self.total

    def results(self) -> Iterator[tuple[WorkItem, Json]]:
        """Each completed item with its result, in the order of the items."""
        for item in self.setup.items:
            progress = self.state.done.get(item.id)
            if progress is not None and progress.result is not None:
                yield item, decode_value(progress.result)
