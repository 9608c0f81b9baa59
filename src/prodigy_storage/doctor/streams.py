"""Records that do not verify."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from prodigy_storage.codecs.kinds import DATA_STREAMS
from prodigy_storage.codecs.logs import LOGS
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.redrives import OUTCOMES
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.doctor.findings import Finding, Looked, corrupt
from prodigy_storage.errors import Corrupt, Rewound
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Cursor, Storage, Stream
from prodigy_storage.services.events.reading import Origin

_CALLED = {EVENTS: "event", LOGS: "log line", OUTCOMES: "redrive outcome", PROGRESS: "progress record"}
_ADVICE = "What is whole before and behind it is read; a backup may have the rest."


@attrs.frozen
class Streams:
    """Looks at records.

    Args:
        storage: Where they are.
        repo: The project; None for all.
        looked: Told of what was looked at.
    """

    storage: Storage
    repo: str | None
    looked: Looked

    def examine(self) -> Iterator[Finding]:
        """Damage in every stream, at its place and offset."""
        for stream in DATA_STREAMS:
            for scope in self.storage.scopes(stream):
                if self.repo in (None, *scope[:1]):
                    yield from self._damaged(scope, stream)

    def _damaged(self, scope: Scope, stream: Stream) -> Iterator[Finding]:
        cursor: Cursor | None = None
        while True:
            try:
                chunk = self.storage.records(scope, stream, cursor)
            except Rewound:  # somebody cleans it just now
                return
            for damage in chunk.damage:
                yield corrupt(damage, "/".join((stream.name, *scope)), advice=_ADVICE)
            if not chunk.data:
                return
            if chunk.parts:
                yield from _undecodable(Origin(scope, 0, chunk.parts), stream, chunk.data)
            self.looked(_CALLED.get(stream, stream.name), chunk.data.count(b"\n"))
            cursor = chunk.cursor


def _undecodable(origin: Origin, stream: Stream, data: bytes) -> Iterator[Finding]:
    """Lines that are no records, among what the backend could not verify: other programs write no checksums."""
    position = 0
    for line in data.split(b"\n")[:-1]:
        try:
            stream.at(line)
        except Corrupt as error:
            if line.strip():
                yield corrupt(origin.damage(position, error.reason), "", advice=_ADVICE)
        position += len(line) + 1
