"""The file backend: `FileStorage`, a store in a tree of plain files."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from prodigy_storage.adapters.files.commits import Commits
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.adapters.files.documents import Wanted, find
from prodigy_storage.adapters.files.entries import entries
from prodigy_storage.adapters.files.faults import translated
from prodigy_storage.adapters.files.home import Home
from prodigy_storage.adapters.files.layout import STORE, Layout
from prodigy_storage.adapters.files.measuring import measure, strangers
from prodigy_storage.adapters.files.packer import Packer
from prodigy_storage.adapters.files.probing import try_kernel_locks
from prodigy_storage.adapters.files.scope_locks import Locking
from prodigy_storage.adapters.files.streams import Streams
from prodigy_storage.adapters.files.times import monotonic
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.adapters.files.upkeep import Upkeep
from prodigy_storage.adapters.files.walking import Walks
from prodigy_storage.adapters.files.writers import boot_id, process_lives
from prodigy_storage.ports.measuring import Measure
from prodigy_storage.ports.names import Scope, check_name, check_scope
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import (
    Batch,
    Capability,
    Chunk,
    Cursor,
    Document,
    Kind,
    Page,
    Position,
    Query,
    Receipt,
    Stream,
)

_CAPABILITIES = frozenset(
    {
        Capability.DURABLE,
        Capability.MULTI_PROCESS,
        Capability.PRESENCE,
        Capability.MEASURING,
        Capability.TRYING,
        Capability.PRUNING,
    }
)


class FileStorage:
    """A store in files below one directory, for the processes and threads of one machine.

    Opening and reading create nothing; the root and its hidden folder `.store` come with the first write.

    Args:
        root: The directory.
        max_file_size: A segment that has reached this many bytes is sealed, and the next one begun.
        lock_timeout: Seconds that a call waits at most for what another process keeps locked; or a function that
            says how many are left.
        open_locks: So many lock files stay open between calls; opening one takes about 10 microseconds.
        file_locks: Whether the store is guarded with kernel locks. Without them it belongs to one process at a time:
            two would overwrite each other's work.
        compress: Whether sealed segments are compressed in the background after a rotation.
        layout: Where new files go: `documented`, or `prodigy-0.4` for the places and names that Prodigy itself uses,
            with no segment of events compressed, as it reads plain ones only. Both read everything, and change what
            they find where it lies.
        disk: Where all changes go; tests bring one that records or breaks them.

    Raises:
        ConfigError: there is no such layout.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        max_file_size: int = 100 * 2**20,
        lock_timeout: float | Callable[[], float] = 30.0,
        open_locks: int = 256,
        file_locks: bool = True,
        compress: bool = False,
        layout: str = "documented",
        disk: Disk | None = None,
    ) -> None:
        wait = lock_timeout if callable(lock_timeout) else partial(float, lock_timeout)
        locking = Locking(timeout=wait, keep=open_locks, exclusive=file_locks)
        path = os.path.abspath(os.fspath(root))
        self._home = Home(Tree(path, disk or Disk(), Layout.of(layout, path)), locking)
        self._packer = Packer(self._tidy) if compress else None
        self._commits = Commits(self._home, max_file_size, self._packer.sealed if self._packer else _ignore)
        self._capabilities = (
            _CAPABILITIES if file_locks else _CAPABILITIES - {Capability.MULTI_PROCESS, Capability.TRYING}
        )
        self._walks = Walks(self._home.tree)
        self._streams = Streams(self._home, self._commits.sizes)

    @property
    def root(self) -> str:
        """The directory, absolute."""
        return self._home.tree.root

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but MULTI_HOST; not MULTI_PROCESS and TRYING either, if file locks are turned off."""
        return self._capabilities

    def commit(self, batch: Batch) -> Receipt:
        """See `Storage.commit`."""
        return self._commits.commit(batch)

    def fetch(self, scope: Scope, kind: Kind, ids: Iterable[str], *, fresh: bool = False) -> dict[str, Document]:
        """See `Storage.fetch`; there is no cache to pass by."""
        del fresh
        self._home.check()
        tree = self._home.tree
        paths = {name: tree.layout.paths(kind.name, check_scope(scope), check_name(name)) for name in ids}
        found = {}
        with translated:
            self._home.store_id()
            overlay = self._home.settle(scope).documents
            for name, choices in paths.items():
                document = find(tree, Wanted(scope, kind, name), choices, overlay)
                if document is not None:
                    found[name] = document
        return found

    def documents(self, query: Query, after: Position | None = None) -> Page:
        """See `Storage.documents`."""
        self._home.check()
        with translated:
            self._home.store_id()
            return self._walks.page(query, after, self._home.settle_all().documents)

    def records(self, scope: Scope, stream: Stream, after: Cursor | None = None, *, verify: bool = True) -> Chunk:
        """See `Storage.records`. A chunk has about a megabyte, or one whole append if that is larger."""
        self._home.check()
        return self._streams.read(check_scope(scope), stream.name, after, verify=verify)

    def front(self, scope: Scope, stream: Stream, goes: Callable[[bytes], bool], after: Cursor | None = None) -> Chunk:
        """See `Pruning.front`. What a living writer still writes to is left out."""
        self._home.check()
        return self._streams.front(check_scope(scope), stream.name, goes, after)

    def scopes(self, of: Kind | Stream) -> Sequence[Scope]:
        """See `Storage.scopes`."""
        self._home.check()
        with translated:
            self._home.store_id()
            overlay = self._home.settle_all().documents
            if isinstance(of, Stream):
                return sorted(set(self._streams.scopes(of.name)))
            found = entries(self._home.tree, of.name, (), overlay)
            return sorted({entry.scope for entry in found if entry.name is not None})

    def me(self) -> Token:
        """See `Presence.me`. Writes the proof of life of this process."""
        self._home.check()
        with translated:
            return self._home.owner().token()

    def alive(self, token: Token) -> bool | None:
        """See `Presence.alive`."""
        self._home.check()
        if token.host != socket.gethostname():
            return None
        if token.boot and token.boot != boot_id():
            return False
        with translated:
            return self._home.lives(token.writer) if token.writer else process_lives(token)

    def measure(self, scope: Scope = ()) -> Sequence[Measure]:
        """See `Measuring.measure`: the sizes of the files as they are; links are not followed."""
        self._home.check()
        with translated:
            return measure(self._home.tree, check_scope(scope))

    def trials(self) -> Mapping[str, Callable[[], None]]:
        """See `Trying.trials`: whether kernel locks hold between two processes."""
        return {"kernel lock": self._try_kernel_locks}

    def _try_kernel_locks(self) -> None:
        self._home.check()
        with translated:
            owner = self._home.owner()
            try_kernel_locks(owner.temp(self._home.tree.make(STORE)))

    def strangers(self) -> Sequence[str]:
        """Every file below the root that is no document and no segment, relative to the root; links too."""
        self._home.check()
        with translated:
            return strangers(self._home.tree)

    def maintain(self, deadline: float | None = None) -> None:
        """Compress sealed segments, and remove what dead writers left behind.

        Args:
            deadline: When to stop, in seconds of the monotonic clock; None: when everything is done.
        """
        self._home.check()
        with translated:
            if not self._home.tree.exists(STORE):
                return
            self._upkeep(lambda: deadline is not None and monotonic() >= deadline).run()

    def _tidy(self, scope: Scope, stream: str) -> None:
        packer = self._packer
        with translated:
            self._upkeep(lambda: packer is None or packer.closed).tidy(
                scope, *self._home.tree.layout.segments(stream, scope)
            )

    def _upkeep(self, late: Callable[[], bool]) -> Upkeep:
        home = self._home
        return Upkeep(tree=home.tree, writer=home.owner(), lives=home.lives, locked=self._locked, late=late)

    def _locked(self, scope: Scope, work: Callable[[], None]) -> None:
        lock = self._home.acquire(scope)
        try:
            self._home.redo(scope)
            work()
        finally:
            lock.release()

    def close(self) -> None:
        """Seal the segments of this process and release its locks. May be called again."""
        if not self._home.closed:
            if self._packer is not None:
                self._packer.close()
            with translated:
                self._home.stop()
                self._commits.close()
                self._home.close()


def _ignore(_scope: Scope, _stream: str) -> None:
    """Sealed segments stay as they are."""
