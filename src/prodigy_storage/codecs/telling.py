"""Events that belong into the batch which they tell of, so that the change and its event are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.model.events import Event, EventRecord
from prodigy_storage.model.values import Json
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Append


@attrs.frozen
class Teller:
    """Makes appends to the event stream.

    Args:
        codec: Encodes the records.
        runtime: Gives them their time, their ids and the identity of this process.
    """

    codec: EventCodec
    runtime: Runtime

    def telling(
        self, events: Sequence[Event], *, correlation_id: str | None = None, metadata: Mapping[str, Json] | None = None
    ) -> list[Append]:
        """What to put into a batch; nothing if there are no events.

        Args:
            events: What the batch does.
            correlation_id: What they have in common with others; a fresh UUID if None.
            metadata: For every record, beside host and pid.
        """
        if not events:
            return []
        token, now = self.runtime.background.identity(), self.runtime.clock.now()
        common = correlation_id or self.runtime.ids.new()
        more = {"host": token.host, "pid": token.pid, **(metadata or {})}
        records = (EventRecord(self.runtime.ids.new(), now, common, event, more) for event in events)
        return [Append(EVENTS, self.codec.encode(records))]
