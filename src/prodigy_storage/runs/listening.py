"""How a run hears what it is asked to do, by a signal handler of its own process or by another process."""

from __future__ import annotations

import contextlib

import attrs

from prodigy_storage.codecs.kinds import RUN_REQUEST
from prodigy_storage.codecs.requests import REQUESTS
from prodigy_storage.errors import Corrupt, Stopped, StorageError
from prodigy_storage.model.requests import RunRequest, Wish
from prodigy_storage.ports.locks import Grant
from prodigy_storage.ports.storage import Batch, Delete, Document, Storage

_EVERY = 0.25
"""Seconds between two looks at what others ask for: claiming an item costs nothing more in between."""


@attrs.define(eq=False)
class Ear:
    """What the holder of a job was asked to do.

    Args:
        wish: The wish so far. Setting it is all that a signal handler does.
        request: The request that it came with, if it came from another process.
    """

    _storage: Storage
    _grant: Grant
    wish: Wish | None = None
    request: RunRequest | None = None
    _looked: float = float("-inf")

    def listen(self, now: float) -> Wish | None:
        """The wish, after a look at what others ask for if the last one was a moment ago.

        Args:
            now: Monotonic seconds.
        """
        if self.wish is not Wish.CANCEL and now - self._looked >= _EVERY:
            self._looked = now
            with contextlib.suppress(StorageError):  # the next look follows soon
                self._look()
        return self.wish

    def check(self, now: float) -> None:
        """Listen.

        Raises:
            Stopped: something was wished for.
        """
        wish = self.listen(now)
        if wish is not None:
            raise self.stopped(wish)

    def stopped(self, wish: Wish) -> Stopped:
        """The error for whoever wants to go on."""
        asked = self.request
        by = f" by {asked.by}{f' ({asked.reason})' if asked.reason else ''}" if asked else ""
        return Stopped(f"{self._grant.name} was asked to {wish.value}{by}")

    def _look(self) -> None:
        found = self._fetch()
        request = REQUESTS.decode(found) if found else None
        if request is not None and request.epoch == self._grant.epoch:
            self.wish, self.request = request.wish, request

    def _fetch(self) -> Document | None:
        name = self._grant.name
        return self._storage.fetch(self._grant.scope, RUN_REQUEST, [name], fresh=True).get(name)

    def forget(self) -> None:
        """Remove the request, which was meant for this holder or an earlier one."""
        with contextlib.suppress(StorageError):  # one that is left means nothing to the next holder
            found = self._fetch()
            if found is not None and not self._later(found):
                delete = Delete(RUN_REQUEST, self._grant.name, found.version)
                self._storage.commit(Batch(self._grant.scope, (delete,)))

    def _later(self, found: Document) -> bool:
        try:
            return REQUESTS.decode(found).epoch > self._grant.epoch
        except Corrupt:
            return False
