"""A storage over another one that also has whatever that one has beyond the ports."""

from __future__ import annotations

from typing import Any

from prodigy_storage.ports.forwarding import Forwarding


class OverStorage(Forwarding):
    """Reads from `inner`; a subclass says what `commit` writes there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
