from functools import partial
from pathlib import Path

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Storage
from prodigy_storage.testing.contract import StorageContract


class TestFileContract(StorageContract):
    """The file backend keeps every clause of the contract."""

    def open(self, place: Path) -> Storage:
        return FileStorage(place)

    def opener(self):
        return FileStorage


class TestSmallSegments(StorageContract):
    """The clauses hold when nearly every append begins a new segment."""

    def open(self, place: Path) -> Storage:
        return FileStorage(place, max_file_size=200)

    def opener(self):
        return partial(FileStorage, max_file_size=200)
