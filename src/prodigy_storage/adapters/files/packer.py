"""Compressing in the background what was sealed by rotation."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from prodigy_storage.adapters.files.locks import PROCESS
from prodigy_storage.adapters.files.upkeep import GRACE_NS
from prodigy_storage.errors import StorageError
from prodigy_storage.ports.names import Scope

_GRACE = 1.1 * GRACE_NS / 1e9
_Place = tuple[Scope, str]


class Packer:
    """One daemon thread, begun with the first sealed segment; nobody waits for it but `close`.

    What fails stays as it is, uncompressed and whole, and is tried again when the same stream seals its next segment.

    Args:
        tidy: Compresses the sealed segments of a stream of a scope, and removes raw ones that are old enough.
    """

    def __init__(self, tidy: Callable[[Scope, str], None]) -> None:
        self._tidy = tidy
        self._closed = False
        self.forget()
        PROCESS.forgetters.add(self)

    def forget(self) -> None:
        """In a child of a fork: the thread is the parent's."""
        self._sealed: queue.SimpleQueue[_Place | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def sealed(self, scope: Scope, stream: str) -> None:
        """Take note of a stream that has a newly sealed segment; returns at once."""
        with self._guard:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="prodigy-storage-packer", daemon=True)
                self._thread.start()
        self._sealed.put((scope, stream))

    def _run(self) -> None:
        compressed: set[_Place] = set()
        while True:
            try:
                place = self._sealed.get(timeout=_GRACE if compressed else None)
            except queue.Empty:  # the raw forms may go now
                for one in compressed:
                    self._try(one)
                compressed.clear()
                continue
            if place is None:
                return
            self._try(place)
            compressed.add(place)

    def _try(self, place: _Place) -> None:
        if not self._closed:
            with suppress(StorageError, OSError):
                self._tidy(*place)

    @property
    def closed(self) -> bool:
        """Whether the thread is to stop."""
        return self._closed

    def close(self) -> None:
        """Stop after the segment that is being compressed."""
        with self._guard:
            self._closed = True
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._sealed.put(None)
            thread.join()
