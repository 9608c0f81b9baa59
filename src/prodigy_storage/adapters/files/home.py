"""The hidden folder of a store: its format and id, the locks, the writers, and batches that broke off."""

from __future__ import annotations

import json
import os
import threading
import uuid
from contextlib import suppress
from zlib import crc32

from prodigy_storage.adapters.files import intents
from prodigy_storage.adapters.files.disk import publish, sync_names
from prodigy_storage.adapters.files.documents import Sign, is_settled, sign
from prodigy_storage.adapters.files.intents import Plan
from prodigy_storage.adapters.files.layout import INTENTS, LOCKS, STORE, WRITERS
from prodigy_storage.adapters.files.locks import PROCESS, Lock, after_fork
from prodigy_storage.adapters.files.scope_locks import Locking, ScopeLocks
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.writers import Writer, lives
from prodigy_storage.errors import Closed, Corrupt, ReadOnly, StorageFull, Unsupported
from prodigy_storage.ports.names import Scope

FORMAT = 1
_FORMAT_FILE = f"{STORE}/format.json"
_DEAD_MAX = 10_000
_STRIPES_MAX = 10_000
NOTHING = Plan()


class Home:
    """What a process has of a store besides its data."""

    def __init__(self, tree: Tree, locking: Locking) -> None:
        self.tree = tree
        self.writer: Writer | None = None
        self.closed = False
        self._locking = locking
        self._pid = os.getpid()
        self._locks = ScopeLocks(locking)
        self._guard = threading.RLock()
        self._stripes: dict[Scope, str] = {}
        self._pending: dict[Scope, str] = {}
        self._dead: set[str] = set()
        self._id: tuple[Sign, str] | None = None
        self._names_synced = 0
        PROCESS.forgetters.add(self)

    def check(self) -> None:
        """Refuse work after `close`, and notice a fork that ran no hook.

        Raises:
            Closed: the store was closed.
        """
        if self.closed:
            raise Closed("the store was closed")
        if os.getpid() != self._pid:
            after_fork()

    def forget(self) -> None:
        """Start anew in a child of a fork: the writer and the locks are the parent's."""
        self._pid = os.getpid()
        if self.writer is not None:
            self.writer.close()
            self.writer = None
        self._locks = ScopeLocks(self._locking)
        self._guard = threading.RLock()

    def stop(self) -> None:
        """Refuse new work and wait for commits under way."""
        self.closed = True
        self._locks.close()

    def close(self) -> None:
        """Release the proof of life."""
        with self._guard:
            if self.writer is not None:
                self.writer.close()
                self.writer = None

    # --- identity

    def store_id(self) -> str:
        """The id of the store; empty if nothing was written yet.

        Raises:
            Unsupported: the store has a newer format.
            Corrupt: the file that says so is damaged.
        """
        path = self.tree.path(_FORMAT_FILE)
        try:
            status = os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            self.tree.exists(STORE)
            return ""
        if self._id is None or self._id[0] != sign(status):
            found = self._read_id(path)
            self._id = (sign(status), found) if is_settled(status) else None
            return found
        return self._id[1]

    def _read_id(self, path: str) -> str:
        content = self.tree.read(_FORMAT_FILE) or b""
        try:
            value = json.loads(content)
            number, store = int(value["format"]), str(value["store"])
        except (ValueError, TypeError, KeyError) as error:
            raise Corrupt(f"{path} is damaged", place=path, reason="not the description of a store") from error
        if number > FORMAT:
            raise Unsupported(f"{path} has format {number}; this version knows up to {FORMAT}", hint="upgrade")
        return store

    def owner(self) -> Writer:
        """This process as a writer; made, with the store itself, when it writes for the first time."""
        writer = self.writer
        return writer if writer is not None else self._prepare()

    def _prepare(self) -> Writer:
        with self._guard:
            if self.closed:
                raise Closed("the store was closed")
            if self.writer is not None:
                return self.writer
            self.tree.make_root()
            fresh = not self.store_id()
            for folder in (STORE, LOCKS, INTENTS):
                self.tree.make(folder)
            writer = self._new_writer()
            if fresh:
                self._publish_format(writer)
            self.writer = writer
            return writer

    def _new_writer(self) -> Writer:
        while True:
            writer = Writer(self.tree.disk, self.tree.make(WRITERS), exclusive=self._locking.exclusive)
            if writer.in_place():
                return writer
            writer.close()

    def _publish_format(self, writer: Writer) -> None:
        content = json.dumps({"format": FORMAT, "store": uuid.uuid4().hex}).encode() + b"\n"
        folder = self.tree.path(STORE)
        with suppress(FileExistsError):
            publish(self.tree.disk, lambda: writer.temp(folder), self.tree.path(_FORMAT_FILE), content, sync=True)

    def lives(self, writer: str) -> bool:
        """Whether a writer lives. The dead stay dead, so that is remembered."""
        if writer in self._dead:
            return False
        if lives(self.tree.path(WRITERS), writer, exclusive=self._locking.exclusive):
            return True
        if len(self._dead) >= _DEAD_MAX:
            self._dead.clear()
        self._dead.add(writer)
        return False

    # --- the lock of a scope, and what a dead writer left under it

    def acquire(self, scope: Scope) -> Lock:
        """Take the lock of a scope.

        Raises:
            Timeout: somebody else kept it too long.
        """
        if self.writer is None:
            self._prepare()
        path = self._stripes.get(scope) or self._stripe(scope)
        try:
            return self._locks.acquire(path)
        except FileNotFoundError:  # somebody removed the hidden folder: begin again, as another writer
            self._restart()
            return self._locks.acquire(path)

    def _restart(self) -> None:
        with self._guard:
            self.tree.forget()
            if self.writer is not None:
                self.writer.close()
                self.writer = None
            self._prepare()

    def _stripe(self, scope: Scope) -> str:
        if len(self._stripes) >= _STRIPES_MAX:
            self._stripes.clear()
            self._pending.clear()
        stripe = crc32("\0".join(scope).encode()) & 0xFF
        self._pending[scope] = self.tree.path(intents.name(scope))
        path = self._stripes[scope] = f"{self.tree.path(LOCKS)}/{stripe:02x}"
        return path

    def redo(self, scope: Scope) -> None:
        """Finish a batch that broke off; call it under the lock of the scope."""
        if os.access(self._pending.get(scope) or self.tree.path(intents.name(scope)), os.F_OK):
            intents.redo(self.tree, intents.name(scope), self.owner())

    def settle(self, scope: Scope) -> Plan:
        """Before a read: finish a batch that broke off. If it cannot be written, the plan to read over the files."""
        path = self._pending.get(scope)
        if path is None:
            self._stripe(scope)
            path = self._pending[scope]
        return self._settle(scope) if os.access(path, os.F_OK) else NOTHING

    def settle_all(self) -> Plan:
        """The same for every scope."""
        plan = NOTHING
        for entry in self.tree.entries(INTENTS):
            content = self.tree.read(f"{INTENTS}/{entry.name}")
            pending = content and intents.unpack(content)
            if pending:
                left = self._settle(pending.scope)
                plan = Plan(documents={**plan.documents, **left.documents})
        return plan

    def _settle(self, scope: Scope) -> Plan:
        try:
            self.owner()
            lock = self._locks.try_acquire(self._stripe(scope))
            if lock is None:  # under way, so a read may see part of it
                return NOTHING
            try:
                self.redo(scope)
            finally:
                lock.release()
        except (ReadOnly, StorageFull, OSError):
            content = self.tree.read(intents.name(scope))
            return (content and intents.unpack(content)) or NOTHING
        return NOTHING

    def sync_intents(self) -> None:
        """Make the removal of earlier intents durable, so that no power cut brings one back over later changes."""
        path = self.tree.path(INTENTS)
        status = os.stat(path)
        if status.st_mtime_ns != self._names_synced:
            sync_names(self.tree.disk, path)
            self._names_synced = status.st_mtime_ns if is_settled(status) else 0
