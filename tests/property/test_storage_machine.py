from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.testing import storage_machine

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "howto"))

from sqlite_backend import SqliteStorage

share = settings(
    max_examples=settings.default.max_examples // 4,  # four machines share the time of one test
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

TestMemory = storage_machine(lambda _place: MemoryStorage()).TestCase
TestSqlite = storage_machine(SqliteStorage).TestCase
TestFiles = storage_machine(FileStorage).TestCase
TestFilesInSmallSegments = storage_machine(lambda place: FileStorage(place, max_file_size=300)).TestCase

TestMemory.settings = TestSqlite.settings = TestFiles.settings = TestFilesInSmallSegments.settings = share
