"""Retention: the oldest events of a job go, archived first if that is wanted.

The order of steps makes a death at any moment harmless:

1. The archive is written, made durable and read back, under a hidden name.
2. A document says which archive covers the front of the stream up to which cursor.
3. The archive gets its name.
4. The front is trimmed, by that cursor: exactly what was archived.
5. The document is removed.

Who finds the document of a dead cleaning looks whether the archive is there. If it is, steps 4 and 5 are made, which
may be made twice; if not, nothing was removed, and the work begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from zlib import crc32

import attrs

from prodigy_storage.codecs.kinds import EVENT_ARCHIVING
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.values import decode_value, encode_value
from prodigy_storage.errors import Rewound
from prodigy_storage.model.event_cleaning import CleanedEvents, EventLimits
from prodigy_storage.ports.clock import Clock
from prodigy_storage.ports.event_archives import ArchiveDraft, EventArchive, Sealed
from prodigy_storage.ports.locks import Grant, Locks
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.pruning import Pruning
from prodigy_storage.ports.storage import (
    Batch,
    Capability,
    Chunk,
    Cursor,
    Delete,
    Operation,
    Put,
    Storage,
    Trim,
)
from prodigy_storage.services.events.limiting import Cut, Survey, survey
from prodigy_storage.services.events.reading import OnDamage, chunks

_ID = "front"


@attrs.define(eq=False)
class _Removed:
    """What goes, and up to where."""

    count: int = 0
    size: int = 0
    cursor: Cursor | None = None
    archives: tuple[str, ...] = ()

    def add(self, chunk: Chunk) -> None:
        self.count += chunk.data.count(b"\n")
        self.size += len(chunk.data)
        self.cursor = chunk.cursor


@attrs.frozen(kw_only=True)
class Cleaning:
    """Cleans one job after another; see `Events.clean`."""

    storage: Storage
    locks: Locks | None
    clock: Clock
    limits: EventLimits
    archive: EventArchive | None
    on_damage: OnDamage

    def survey(self, scope: Scope) -> CleanedEvents:
        """What would go."""
        found = self._survey(scope)
        removed = _Removed()
        for chunk in self._front(scope, found.cut()) if found.named else ():
            removed.add(chunk)
        return _result(scope, found, removed)

    def run(self, scope: Scope) -> CleanedEvents:
        """Let it go."""
        before = self._survey(scope)
        if not before.named and self._pending(scope) is None:
            return _result(scope, before, _Removed())
        with self._alone(scope) as grant:
            finished = self._finish(scope, grant)
            found = self._survey(scope) if finished else before
            removed = self._remove(scope, grant)
        if finished:
            removed.count += max(0, before.count - found.count)
            removed.size += max(0, before.size - found.size)
            removed.archives = (finished, *removed.archives)
        return _result(scope, before, removed)

    @contextmanager
    def _alone(self, scope: Scope) -> Iterator[Grant | None]:
        """Hold the lock of the job's cleaning."""
        if self.locks is None:
            yield None
            return
        name = "/".join(scope)
        grant = self.locks.acquire(
            scope, f"clean-events-{crc32(name.encode()):08x}", purpose=f"cleaning of the events of {name}"
        )
        try:
            yield grant
        finally:
            self.locks.release(grant)

    def _survey(self, scope: Scope) -> Survey:
        buffers = (data for _, data in chunks(self.storage, scope, lambda _: None, verify=True))
        return survey(buffers, self.limits, self.clock.now())

    def _front(self, scope: Scope, goes: Cut) -> Iterator[Chunk]:
        """The records that go; chunk by chunk, the cursor of the last one covers all."""
        if Capability.PRUNING in self.storage.capabilities:
            after: Cursor | None = None
            while (chunk := cast("Pruning", self.storage).front(scope, EVENTS, goes, after)).data:
                yield chunk
                after = chunk.cursor
            return
        yield from _whole_chunks(self.storage, scope, goes)

    def _remove(self, scope: Scope, grant: Grant | None) -> _Removed:
        removed = _Removed()
        draft: ArchiveDraft | None = None
        try:
            for chunk in self._front(scope, self._survey(scope).cut()):
                for damage in chunk.damage:
                    self.on_damage(damage)
                if self.archive is not None:
                    draft = draft or self.archive.draft(scope, self.clock.now())
                    draft.write(chunk.data)
                removed.add(chunk)
                self._renew(grant)
            if draft is not None:
                removed.archives = (self._archived(scope, draft, removed, grant),)
        finally:
            if draft is not None:
                draft.discard()
        if removed.cursor is not None:
            self._commit(scope, grant, Trim(EVENTS, removed.cursor))
        if draft is not None:
            self._commit(scope, grant, Delete(EVENT_ARCHIVING, _ID))
        return removed

    def _archived(self, scope: Scope, draft: ArchiveDraft, removed: _Removed, grant: Grant | None) -> str:
        """Steps 1 to 3; returns where the archive is."""
        sealed = draft.seal()
        body = {**attrs.asdict(sealed), "cursor": removed.cursor}
        self._commit(scope, grant, Put(EVENT_ARCHIVING, _ID, encode_value(body, "an archive")))
        draft.publish()
        return sealed.place

    def _pending(self, scope: Scope) -> tuple[Sealed, Cursor] | None:
        """What a cleaning that died has archived and perhaps not trimmed."""
        found = self.storage.fetch(scope, EVENT_ARCHIVING, [_ID], fresh=True).get(_ID)
        if found is None:
            return None
        body = decode_value(found.body)
        assert isinstance(body, dict)
        return Sealed(place=str(body["place"]), digest=str(body["digest"])), Cursor(str(body["cursor"]))

    def _finish(self, scope: Scope, grant: Grant | None) -> str:
        """Finish what a cleaning that died has left; returns its archive if it is there.

        Without an archive of our own nothing is looked for: the document waits for the next cleaning that has one.
        """
        pending = self._pending(scope)
        if pending is None or self.archive is None:
            return ""
        sealed, cursor = pending
        there = self.archive.holds(sealed)
        if there:
            try:
                self._commit(scope, grant, Trim(EVENTS, cursor))
            except Rewound:  # a restored backup: its events are none of those that were archived
                there = False
        self._commit(scope, grant, Delete(EVENT_ARCHIVING, _ID))
        return sealed.place if there else ""

    def _renew(self, grant: Grant | None) -> None:
        if grant is not None and self.locks is not None:
            self.locks.renew(grant)

    def _commit(self, scope: Scope, grant: Grant | None, operation: Operation) -> None:
        guard: Sequence[Operation] = (grant.guard,) if grant is not None else ()
        self.storage.commit(Batch(scope, (*guard, operation)))


def _whole_chunks(storage: Storage, scope: Scope, goes: Cut) -> Iterator[Chunk]:
    """For backends that cannot look at their front: the first chunks of which every record goes."""
    after: Cursor | None = None
    while (chunk := storage.records(scope, EVENTS, after)).data:
        if not all(map(goes, chunk.data.split(b"\n")[:-1])):
            return
        yield chunk
        after = chunk.cursor


def _result(scope: Scope, found: Survey, removed: _Removed) -> CleanedEvents:
    repo, job = (*scope, "", "")[:2]
    return CleanedEvents(
        repo=repo,
        job=job,
        removed=removed.count,
        removed_bytes=removed.size,
        kept=max(0, found.count - removed.count),
        kept_bytes=max(0, found.size - removed.size),
        spared=max(0, found.named - removed.count),
        archives=removed.archives,
    )
