"""Backends that break one promise each. The kit has to tell every one of them from the honest one."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import attrs

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Closed, Conflict, Rewound
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.measuring import Form
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Capability,
    Check,
    Chunk,
    Cursor,
    Delete,
    Document,
    Expect,
    Page,
    Position,
    Put,
    Query,
    Receipt,
    Trim,
    Version,
)


class Honest(Forwarding):
    """Memory that outlives `close`, so that what a reopening breaks can be broken."""

    stores: ClassVar[dict[Path, MemoryStorage]] = {}
    memory = MemoryStorage

    def __init__(self, place):
        again = place in self.stores
        super().__init__(self.stores.setdefault(place, self.memory()))
        self._closed = False
        if again:
            self.reopened()

    def reopened(self):
        pass

    @property
    def capabilities(self):
        return frozenset({Capability.DURABLE, Capability.PRESENCE})

    @property
    def inner(self):
        if self._closed:
            raise Closed("closed")
        return self._storage

    def commit(self, batch):
        return self.inner.commit(batch)

    def fetch(self, scope, kind, ids, *, fresh=False):
        return self.inner.fetch(scope, kind, ids)

    def documents(self, query, after=None):
        return self.inner.documents(query, after)

    def records(self, scope, stream, after=None, *, verify=True):
        return self.inner.records(scope, stream, after)

    def scopes(self, of):
        return self.inner.scopes(of)

    def close(self):
        self._closed = True


def without_expectations(operation):
    return attrs.evolve(operation, expect=Expect.ANY) if isinstance(operation, Put | Delete) else operation


# --- batches


class ForgetsChecks(Honest):
    def commit(self, batch):
        kept = [operation for operation in batch.operations if not isinstance(operation, Check)]
        return self.inner.commit(attrs.evolve(batch, operations=kept))


class ForgetsWhatDeletesExpect(Honest):
    def commit(self, batch):
        operations = [without_expectations(o) if isinstance(o, Delete) else o for o in batch.operations]
        return self.inner.commit(attrs.evolve(batch, operations=operations))


class JudgesAfterApplying(Honest):
    def commit(self, batch):
        changes = [without_expectations(o) for o in batch.operations if not isinstance(o, Check)]
        receipt = self.inner.commit(attrs.evolve(batch, operations=changes))
        judged = [o for o in batch.operations if isinstance(o, Put | Delete | Check)]
        self.inner.commit(Batch(batch.scope, [Check(o.kind, o.id, o.expect) for o in judged]))
        return receipt


class AppliesHalfOfABatch(Honest):
    def commit(self, batch):
        versions = {}
        for number, operation in enumerate(batch.operations):
            try:
                versions |= self.inner.commit(attrs.evolve(batch, operations=[operation])).versions
            except Conflict as error:
                error.operation = number
                raise
        return Receipt(versions, batch.durability)


class AppliesAllButTheLastAppend(Honest):
    def commit(self, batch):
        appends = [operation for operation in batch.operations if isinstance(operation, Append)]
        kept = [operation for operation in batch.operations if len(appends) < 2 or operation is not appends[-1]]
        return self.inner.commit(attrs.evolve(batch, operations=kept))


class NamesTheWrongOperation(Honest):
    def commit(self, batch):
        try:
            return self.inner.commit(batch)
        except Conflict as error:
            error.operation = 0
            raise


class CreatesTwice(Honest):
    def commit(self, batch):
        for number, operation in enumerate(batch.operations):
            if isinstance(operation, Put) and operation.expect is Expect.ABSENT:
                self.inner.commit(Batch(batch.scope, [Check(operation.kind, operation.id, Expect.ABSENT)]))
                time.sleep(0.0005)
                operations = list(batch.operations)
                operations[number] = without_expectations(operation)
                batch = attrs.evolve(batch, operations=operations)
        return self.inner.commit(batch)


class Reusing(MemoryStorage):
    def _put(self, scope, put, index):
        version = Version(str(len(put.body)))
        self._documents(put.kind).put(Document(scope, put.kind.name, put.id, put.body, version), index)
        return version


class ReusesVersions(Honest):
    memory = Reusing


class StripsBodies(Honest):
    def fetch(self, scope, kind, ids, *, fresh=False):
        found = self.inner.fetch(scope, kind, ids)
        return {id_: attrs.evolve(document, body=document.body.rstrip()) for id_, document in found.items()}


class LosesReceiptVersions(Honest):
    def commit(self, batch):
        receipt = self.inner.commit(batch)
        return Receipt(dict(list(receipt.versions.items())[:1]), receipt.durability)


# --- walks


class RepeatsAtPageBorders(Honest):
    def documents(self, query, after=None):
        return self.inner.documents(query, after and Position(after.at, after.scope, after.id[:-1]))


class SkipsAtPageBorders(Honest):
    def documents(self, query, after=None):
        return self.inner.documents(query, after and Position(after.at, (*after.scope, "\U0010ffff"), ""))


class PagesByOffset(Honest):
    def documents(self, query, after=None):
        seen = after.at if after else 0
        whole = self.inner.documents(attrs.evolve(query, limit=10**9)).documents
        more = len(whole) > seen + query.limit
        return Page(whole[seen : seen + query.limit], Position(seen + query.limit, (), "") if more else None)


class IgnoresTheSecondTag(Honest):
    def documents(self, query, after=None):
        return self.inner.documents(attrs.evolve(query, tags=dict(list(query.tags.items())[:1])), after)


class IncludesTheEndOfARange(Honest):
    def documents(self, query, after=None):
        until = None if query.until is None else query.until + 1
        return self.inner.documents(attrs.evolve(query, until=until), after)


class TakesPrefixesOfNames(Honest):
    def documents(self, query, after=None):
        wide = attrs.evolve(query, scope=(), limit=10**9)
        wanted = "/".join(query.scope)
        found = [d for d in self.inner.documents(wide, after).documents if "/".join(d.scope).startswith(wanted)]
        keys = {(d.scope, d.id): kind_at(query, d) for d in found}
        page = found[: query.limit]
        last = page[-1] if page else None
        position = Position(keys[last.scope, last.id], last.scope, last.id) if len(found) > query.limit else None
        return Page(page, position)


def kind_at(query: Query, document: Document) -> int:
    return query.kind.index(document.body).at


# --- scopes and names


class FetchesFromTheProject(Honest):
    def fetch(self, scope, kind, ids, *, fresh=False):
        ids = list(ids)
        return self.inner.fetch(scope[:1], kind, ids) | self.inner.fetch(scope, kind, ids)


class MixesStreamsOfJobs(Honest):
    def commit(self, batch):
        appends = [operation for operation in batch.operations if isinstance(operation, Append)]
        if len(batch.scope) == 2 and appends and len(appends) == len(batch.operations):
            batch = attrs.evolve(batch, scope=("/".join(batch.scope),))
        return self.inner.commit(batch)

    def records(self, scope, stream, after=None, *, verify=True):
        joined = ("/".join(scope),) if len(scope) == 2 else scope
        use = joined if joined in self.inner.scopes(stream) else scope
        return self.inner.records(use, stream, after)


class FoldsCase(Honest):
    def commit(self, batch):
        lowered = [attrs.evolve(o, id=o.id.lower()) if isinstance(o, Put) else o for o in batch.operations]
        receipt = self.inner.commit(attrs.evolve(batch, operations=lowered))
        puts = {(o.kind.name, o.id.lower()): (o.kind.name, o.id) for o in batch.operations if isinstance(o, Put)}
        return Receipt({puts[key]: version for key, version in receipt.versions.items()}, receipt.durability)

    def fetch(self, scope, kind, ids, *, fresh=False):
        ids = list(ids)
        found = self.inner.fetch(scope, kind, [id_.lower() for id_ in ids])
        return {id_: attrs.evolve(found[id_.lower()], id=id_) for id_ in ids if id_.lower() in found}


class ListsEmptyScopes(Honest):
    def __init__(self, place):
        super().__init__(place)
        self.ever = set()

    def scopes(self, of):
        self.ever |= {(of.name, scope) for scope in self.inner.scopes(of)}
        return sorted(scope for name, scope in self.ever if name == of.name)


# --- records


class InclusiveCursor(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        chunk = self.inner.records(scope, stream, after)
        if after is None or not chunk.data:
            return chunk
        whole = self.inner.records(scope, stream).data
        before = whole[: whole.find(chunk.data)].split(b"\n")[:-1]
        return attrs.evolve(chunk, data=(before[-1] + b"\n" if before else b"") + chunk.data)


class DropsTheLastRecord(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        chunk = self.inner.records(scope, stream, after)
        cut = chunk.data.rfind(b"\n", 0, -1) + 1
        return Chunk(chunk.data[:cut] or chunk.data, chunk.cursor)


class SplitsRecordsAtEveryLineBreak(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        chunk = self.inner.records(scope, stream, after)
        text = chunk.data.decode(errors="surrogateescape")
        return Chunk(
            "\n".join([*text.splitlines(), ""]).encode(errors="surrogateescape") if text else b"", chunk.cursor
        )


class StripsMembersOfTheCaller(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        chunk = self.inner.records(scope, stream, after)
        return Chunk(chunk.data.replace(b',"_crc":5', b""), chunk.cursor)


class WaitsInsteadOfRewinding(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        try:
            return self.inner.records(scope, stream, after)
        except Rewound:
            return Chunk(b"", after)


class StartsAgainInsteadOfRewinding(Honest):
    def records(self, scope, stream, after=None, *, verify=True):
        with suppress(Rewound):
            return self.inner.records(scope, stream, after)
        return self.inner.records(scope, stream)


class TrimsOneRecordTooMany(Honest):
    def commit(self, batch):
        operations = [self.more(batch.scope, o) if isinstance(o, Trim) else o for o in batch.operations]
        return self.inner.commit(attrs.evolve(batch, operations=operations))

    def more(self, scope, trim):
        if isinstance(trim.before, int):
            return trim
        store, _, offset = trim.before.partition(":")
        first = self.inner.records(scope, trim.stream, trim.before).data.split(b"\n")[0]
        return attrs.evolve(trim, before=Cursor(f"{store}:{int(offset) + (len(first) + 1 if first else 0)}"))


class TrimsWhatIsAsOld(Honest):
    def commit(self, batch):
        operations = [
            attrs.evolve(o, before=o.before + 1) if isinstance(o, Trim) and isinstance(o.before, int) else o
            for o in batch.operations
        ]
        return self.inner.commit(attrs.evolve(batch, operations=operations))


class TrimsWhenTheBatchIsRefused(Honest):
    def commit(self, batch):
        trims = [operation for operation in batch.operations if isinstance(operation, Trim)]
        self.inner.commit(attrs.evolve(batch, operations=trims))
        return self.inner.commit(batch)


class LooksAhead(Honest):
    @property
    def capabilities(self):
        return super().capabilities | {Capability.PRUNING}

    def front(self, scope, stream, goes, after=None):
        return self.inner.front(scope, stream, goes, after)


class GivesLessThanItWouldTrim(LooksAhead):
    def front(self, scope, stream, goes, after=None):
        chunk = super().front(scope, stream, goes, after)
        return attrs.evolve(chunk, data=chunk.data[: chunk.data.rfind(b"\n", 0, -1) + 1])


class GivesMoreThanItWouldTrim(LooksAhead):
    def front(self, scope, stream, goes, after=None):
        chunk = super().front(scope, stream, goes, after)
        return attrs.evolve(chunk, data=self.inner.records(scope, stream, after).data) if chunk.data else chunk


class TrimsWhileItLooks(LooksAhead):
    def front(self, scope, stream, goes, after=None):
        chunk = super().front(scope, stream, goes, after)
        self.inner.commit(Batch(scope, [Trim(stream, chunk.cursor)]))
        return chunk


class MixesUpThreads(Honest):
    def __init__(self, place):
        super().__init__(place)
        self.count = 0

    def commit(self, batch):
        self.count += 1
        if self.count % 7 == 0:
            batch = attrs.evolve(batch, operations=[self.reversed(o) for o in batch.operations])
        return self.inner.commit(batch)

    @staticmethod
    def reversed(operation):
        if not isinstance(operation, Append):
            return operation
        return attrs.evolve(operation, data=b"".join(operation.data.splitlines(keepends=True)[::-1]))


# --- reopening and closing


class DoublesARecordOnReopen(Honest):
    def reopened(self):
        for records in self._storage._streams.values():
            if records.pieces:
                records.append(records.pieces[-1].splitlines(keepends=True)[-1])


class LosesARecordOnReopen(Honest):
    def reopened(self):
        for records in self._storage._streams.values():
            if records.pieces:
                records.pieces[-1] = b"".join(records.pieces[-1].splitlines(keepends=True)[:-1])
                records.end = records.starts[-1] + len(records.pieces[-1])


class ForgetsOnReopen(Honest):
    def reopened(self):
        self._storage = self.stores[self.place] = MemoryStorage()

    def __init__(self, place):
        self.place = place
        super().__init__(place)


class NumbersVersionsAnewOnReopen(Honest):
    def reopened(self):
        for documents in self._storage._kinds.values():
            for key, (document, index) in documents.entries.items():
                documents.entries[key] = (attrs.evolve(document, version=Version(f"again-{document.version}")), index)


class WorksAfterClose(Honest):
    def close(self):
        pass


class ReadsAfterClose(Honest):
    @property
    def inner(self):
        return self._storage

    def commit(self, batch):
        if self._closed:
            raise Closed("closed")
        return super().commit(batch)


class ClosesOnlyOnce(Honest):
    def close(self):
        if self._closed:
            raise Closed("closed twice")
        super().close()


class CallsEverybodyAlive(Honest):
    def alive(self, token):
        return True


class MeasuresItself(Honest):
    @property
    def capabilities(self):
        return super().capabilities | {Capability.MEASURING}

    def measure(self, scope=()):
        return self.inner.measure(scope)


class MeasuresEverythingAlways(MeasuresItself):
    """Answers for the whole store, whatever scope is asked for."""

    def measure(self, scope=()):
        return super().measure()


class ForgetsToMeasureStreams(MeasuresItself):
    """Counts documents only."""

    def measure(self, scope=()):
        return [row for row in super().measure(scope) if row.form is Form.DOCUMENTS]


class MeasuresOneTooMany(MeasuresItself):
    """Still counts a document that was removed."""

    def measure(self, scope=()):
        return [attrs.evolve(row, count=row.count + 1) for row in super().measure(scope)]


OF_BATCHES = [
    ForgetsChecks,
    ForgetsWhatDeletesExpect,
    JudgesAfterApplying,
    AppliesHalfOfABatch,
    AppliesAllButTheLastAppend,
    NamesTheWrongOperation,
    CreatesTwice,
    ReusesVersions,
    StripsBodies,
    LosesReceiptVersions,
    SplitsRecordsAtEveryLineBreak,
    StripsMembersOfTheCaller,
]
OF_WALKS = [
    RepeatsAtPageBorders,
    SkipsAtPageBorders,
    PagesByOffset,
    IgnoresTheSecondTag,
    IncludesTheEndOfARange,
    TakesPrefixesOfNames,
    FetchesFromTheProject,
    ListsEmptyScopes,
]
OF_NAMES = [FoldsCase, MixesStreamsOfJobs]
OF_STREAMS = [
    InclusiveCursor,
    DropsTheLastRecord,
    WaitsInsteadOfRewinding,
    StartsAgainInsteadOfRewinding,
    MixesUpThreads,
]
OF_TRIMS = [
    TrimsOneRecordTooMany,
    TrimsWhatIsAsOld,
    TrimsWhenTheBatchIsRefused,
    GivesLessThanItWouldTrim,
    GivesMoreThanItWouldTrim,
    TrimsWhileItLooks,
]
OF_LIFETIMES = [
    DoublesARecordOnReopen,
    LosesARecordOnReopen,
    ForgetsOnReopen,
    NumbersVersionsAnewOnReopen,
    WorksAfterClose,
    ReadsAfterClose,
    ClosesOnlyOnce,
    CallsEverybodyAlive,
]
OF_MEASURES = [MeasuresEverythingAlways, ForgetsToMeasureStreams, MeasuresOneTooMany]
SABOTEURS = [*OF_BATCHES, *OF_WALKS, *OF_NAMES, *OF_STREAMS, *OF_TRIMS, *OF_LIFETIMES, *OF_MEASURES]
