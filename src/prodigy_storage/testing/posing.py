"""Several processes in one: views of a storage, each with a token of its own."""

from __future__ import annotations

from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import Capability, Storage


class Posing(Forwarding):
    """A view of a storage as another process would have it: with a token of its own.

    Views of one storage share `living`, so that a test decides who lives.

    Args:
        storage: Where everything is kept.
        token: Who this view is.
        living: What `alive` answers for a token; for one that is missing it answers False.
    """

    def __init__(self, storage: Storage, token: Token, living: dict[Token, bool | None]) -> None:
        super().__init__(storage)
        self._token = token
        self._living = living
        living.setdefault(token, True)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Those of the storage, and presence."""
        return self._storage.capabilities | {Capability.PRESENCE}

    def me(self) -> Token:
        """The token that was given."""
        return self._token

    def alive(self, token: Token) -> bool | None:
        """What the test says."""
        return self._living.get(token, False)
