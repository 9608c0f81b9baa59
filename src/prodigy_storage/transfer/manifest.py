"""What a backup holds: counted while it is written, and again while it is read."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Damage
from prodigy_storage.transfer.entries import Body, Entry


@attrs.frozen(kw_only=True)
class StreamDigest:
    """A stream of one scope in a backup."""

    stream: str
    scope: Scope
    records: int
    sha256: str


@attrs.frozen(kw_only=True)
class Backup:
    """What a backup holds.

    Args:
        made_at: When it was begun, ISO 8601.
        scope: `()` everything, `(repo,)` a project, `(repo, job)` a job.
        documents: How many of each kind.
        streams: The streams.
        damage: What the store could not read when the backup was made, and what is therefore not in it.
    """

    made_at: str
    scope: Scope
    documents: dict[str, int]
    streams: tuple[StreamDigest, ...]
    damage: tuple[Damage, ...]

    @property
    def records(self) -> int:
        """How many records all streams have."""
        return sum(one.records for one in self.streams)


@attrs.define
class Total:
    """What the manifest will say, or has to say."""

    documents: Counter[str] = attrs.field(factory=Counter)
    streams: dict[tuple[str, Scope], tuple[int, Any]] = attrs.field(factory=dict)
    damage: list[Damage] = attrs.field(factory=list)
    whole: Any = attrs.field(factory=sha256)

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        if isinstance(entry, Damage):
            self.damage.append(entry)
        elif isinstance(entry, Body):
            self.documents[entry.kind.name] += 1
        else:
            count, digest = self.streams.get((entry.stream.name, entry.scope), (0, None))
            digest = digest or sha256()
            digest.update(entry.data)
            self.streams[entry.stream.name, entry.scope] = (count + entry.data.count(b"\n"), digest)

    def backup(self, head: dict[str, Any]) -> Backup:
        """The result."""
        streams = tuple(
            StreamDigest(stream=stream, scope=scope, records=count, sha256=digest.hexdigest())
            for (stream, scope), (count, digest) in self.streams.items()
        )
        documents = dict(sorted(self.documents.items()))
        scope = tuple(head["scope"])
        return Backup(
            made_at=head["made_at"], scope=scope, documents=documents, streams=streams, damage=tuple(self.damage)
        )

    def manifest(self, head: dict[str, Any]) -> dict[str, Any]:
        """The last line."""
        found = attrs.asdict(self.backup(head))
        wanted = {name: found[name] for name in ("documents", "streams", "damage")}
        return {"manifest": {**wanted, "sha256": self.whole.hexdigest()}}
