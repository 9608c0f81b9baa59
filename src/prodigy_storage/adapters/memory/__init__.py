"""The memory backend: for tests, for trials, and for what need not survive its process."""

from __future__ import annotations

from prodigy_storage.adapters.memory.persisted import PersistedMemoryStorage
from prodigy_storage.adapters.memory.storage import MemoryStorage

__all__ = ["MemoryStorage", "PersistedMemoryStorage"]
