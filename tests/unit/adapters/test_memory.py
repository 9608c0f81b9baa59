from __future__ import annotations

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.testing import StorageContract


class TestContract(StorageContract):
    def open(self, place):
        return MemoryStorage()
