from __future__ import annotations

import sys
from pathlib import Path

from prodigy_storage.testing import StorageContract

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
sys.path.insert(0, str(HOWTO))  # new processes get this path too, and import the backend by its name

from sqlite_backend import SqliteStorage  # noqa: E402 - the documentation is not installed


class TestContract(StorageContract):
    def open(self, place):
        return SqliteStorage(place)

    def opener(self):
        return SqliteStorage
