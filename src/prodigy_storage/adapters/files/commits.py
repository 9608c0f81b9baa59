"""Committing: all of a batch or nothing, under the lock of its scope."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from types import MappingProxyType

from prodigy_storage.adapters.files import intents
from prodigy_storage.adapters.files.appending import Appender, LiveSegment
from prodigy_storage.adapters.files.compression import packed
from prodigy_storage.adapters.files.disk import publish
from prodigy_storage.adapters.files.documents import Versions, digest
from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.adapters.files.frames import frame
from prodigy_storage.adapters.files.home import Home
from prodigy_storage.adapters.files.intents import Plan
from prodigy_storage.adapters.files.listings import rewrite_listings
from prodigy_storage.adapters.files.locks import PROCESS
from prodigy_storage.adapters.files.trimming import Trimming
from prodigy_storage.adapters.files.work import Work, check_bodies, conflict
from prodigy_storage.errors import DurabilityUnknown
from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import Append, Batch, Check, Delete, Durability, Expect, Put, Receipt, Trim, Version

_APPENDERS_MAX = 256


_Sync = tuple[Appender, LiveSegment, int]


_RECEIPTS = {durability: Receipt(MappingProxyType({}), durability) for durability in Durability}
"""Of batches that put no document."""


class Commits:
    """Commits batches, and knows the live segments of this process."""

    def __init__(self, home: Home, max_file_size: int, on_sealed: Callable[[Scope, str], None]) -> None:
        self._home = home
        self._max_file_size = max_file_size
        self._on_sealed = on_sealed
        self._versions = Versions(home.tree)
        self._appenders: OrderedDict[tuple[Scope, str], Appender] = OrderedDict()
        self._guard = threading.Lock()
        PROCESS.forgetters.add(self)

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`."""
        self._home.check()
        work = Work(batch, self._home.tree.layout)
        durable = batch.durability is not Durability.OS
        with translated:
            sync: _Sync | None = None
            if not (work.asked or work.changes or work.trims) and len(work.appends) == 1:
                sync = self._append(batch.scope, work.appends[0], locked=False, durable=durable)
            if sync is None:
                lock = self._home.acquire(batch.scope)
                try:
                    sync = self._under_lock(batch, work, durable=durable)
                finally:
                    lock.release()
            if durable and sync is not None:
                self._sync(sync)
        if not work.changes:
            return _RECEIPTS[batch.durability]
        versions = {(put.kind.name, put.id): digest(put.body) for _, put, _ in work.changes if isinstance(put, Put)}
        return Receipt(versions, batch.durability)

    def _under_lock(self, batch: Batch, work: Work, *, durable: bool) -> _Sync | None:
        self._home.redo(batch.scope)
        work.settle(self._home.tree)
        for index, operation, path in work.asked:
            self._judge(index, operation, self._versions.current(path))
        if not (work.changes or work.trims) and len(work.appends) == 1:  # what every acknowledged item is
            return self._append(batch.scope, work.appends[0], locked=True, durable=durable)
        if work.changes:
            check_bodies(work)
        trims = [self._trimming(batch.scope, trim) for trim in work.trims]
        sync: _Sync | None = None
        if work.changes and durable:
            self._home.sync_intents()
        if len(work.changes) + len(work.appends) > 1:
            self._many(batch.scope, work, durable=durable)
        elif work.appends:
            sync = self._append(batch.scope, work.appends[0], locked=True, durable=durable)
        elif work.changes:
            self._one(*work.changes[0], durable=durable)
        if work.changes:
            rewrite_listings(self._home.tree, self._home.owner(), batch.scope, work.changes)
        for trim in trims:  # more may be kept than was allowed, so a failure does not undo the rest
            with suppress(OSError) if work.changes or work.appends else nullcontext():
                trim()
        return sync

    @staticmethod
    def _judge(index: int, operation: Put | Delete | Check, actual: Version | None) -> None:
        wanted = None if operation.expect is Expect.ABSENT else operation.expect
        if actual != wanted:
            raise conflict(index, operation, actual)

    def _one(self, index: int, operation: Put | Delete, path: str, *, durable: bool) -> None:
        tree, writer = self._home.tree, self._home.owner()
        if isinstance(operation, Delete):
            intents.remove(tree, path, sync=durable)
        elif operation.expect is Expect.ABSENT:
            folder = tree.make(path.rpartition("/")[0])
            try:
                body = packed(operation.body, path)
                publish(tree.disk, lambda: writer.temp(folder), tree.path(path), body, sync=durable)
            except FileExistsError as error:
                raise conflict(index, operation, self._versions.current(path)) from error
        else:
            intents.put(tree, path, packed(operation.body, path), writer, sync=durable)

    # --- appends

    def _appender(self, scope: Scope, stream: str) -> Appender:
        with self._guard:
            known = self._appenders.get((scope, stream))
            if known is not None:
                return known
            told = partial(self._on_sealed, scope, stream)
            fresh = Appender(
                self._home.tree, *self._home.tree.layout.segments(stream, scope), self._max_file_size, told
            )
            self._appenders[(scope, stream)] = fresh
            oldest = self._appenders.popitem(last=False)[1] if len(self._appenders) > _APPENDERS_MAX else None
        if oldest is not None:
            with oldest.lock:
                oldest.seal()
        return fresh

    def _append(self, scope: Scope, operation: Append, *, locked: bool, durable: bool) -> _Sync | None:
        """Append; returns what is to be synced, or None if that needs the lock of the scope first."""
        name = operation.stream.name
        appender = self._appenders.get((scope, name)) or self._appender(scope, name)
        with appender.lock:
            segment = appender.usable(self._home.writer)
            if segment is None:
                if not locked:
                    return None
                segment = appender.renew(self._home.owner())
            size = segment.append(frame(operation.data, segment.size))
            if durable:
                segment.retain()
        return appender, segment, size

    @staticmethod
    def _sync(sync: _Sync) -> None:
        appender, segment, size = sync
        try:
            segment.sync_to(size)
        finally:
            with appender.lock:
                segment.release()

    def sizes(self) -> dict[str, int]:
        """How much of each live segment of ours is written, by path."""
        with self._guard:
            live = [appender.segment for appender in self._appenders.values()]
        return {segment.path: segment.size for segment in live if segment is not None}

    # --- several changes

    def _many(self, scope: Scope, work: Work, *, durable: bool) -> None:
        tree = self._home.tree
        with self._segments(scope, work) as segments:
            plan = Plan(scope=scope)
            plan.documents.update(
                {path: packed(one.body, path) if isinstance(one, Put) else None for _, one, path in work.changes}
            )
            for one, segment in zip(work.appends, segments, strict=True):
                plan.appends[segment.path[len(tree.root) + 1 :]] = (segment.size, frame(one.data, segment.size))
            intent = intents.name(scope)
            intents.write(tree, intent, plan, sync=durable)
            self._apply(plan, segments, durable=durable)
            for segment, (_, framed) in zip(segments, plan.appends.values(), strict=True):
                segment.grown(len(framed))
            intents.finish(tree, intent, sync=durable)

    @contextmanager
    def _segments(self, scope: Scope, work: Work) -> Iterator[list[LiveSegment]]:
        """The segments of the appends, with their locks held; always in the same order."""
        appenders = [self._appender(scope, one.stream.name) for one in work.appends]
        with ExitStack() as held:
            for place in sorted(range(len(appenders)), key=lambda index: work.appends[index].stream.name):
                held.enter_context(appenders[place].lock)
            yield [one.usable(self._home.writer) or one.renew(self._home.owner()) for one in appenders]

    def _apply(self, plan: Plan, segments: list[LiveSegment], *, durable: bool) -> None:
        """Apply a plan, a second time if need be; else its intent stays, and whoever comes next finishes it."""
        tree, writer = self._home.tree, self._home.owner()
        try:
            intents.apply(tree, plan, writer, sync=durable)
        except OSError:
            try:
                intents.apply(tree, plan, writer, sync=True)
            except OSError as error:
                for segment in segments:
                    segment.poisoned = True
                raise DurabilityUnknown(f"a batch broke off and will be finished later: {error}") from error

    def _trimming(self, scope: Scope, operation: Trim) -> Callable[[], None]:
        """What carries out a trim, which was judged to be possible."""
        folder, stem = self._home.tree.layout.segments(operation.stream.name, scope)
        trimming = Trimming(
            tree=self._home.tree,
            scope=scope,
            stream=operation.stream.name,
            folder=folder,
            stem=stem,
            writer=self._home.owner(),
            lives=self._home.lives,
            at=operation.stream.at,
        )
        return trimming.prepare(operation.before, self._home.store_id())

    # --- the end

    def close(self) -> None:
        """Seal the live segments."""
        with self._guard:
            appenders = list(self._appenders.values())
            self._appenders.clear()
        for appender in appenders:
            appender.close()

    def forget(self) -> None:
        """In a child of a fork: the live segments are the parent's."""
        self._guard = threading.Lock()
        appenders = list(self._appenders.values())
        self._appenders.clear()
        for appender in appenders:
            appender.drop()
