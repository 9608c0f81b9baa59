from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prodigy_storage.errors import Corrupt, Unavailable
from prodigy_storage.ports.storage import Batch, Put
from prodigy_storage.testing import StorageContract
from prodigy_storage.testing.samples import BLOB, body_of

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
sys.path.insert(0, str(HOWTO))  # new processes get this path too, and import the backend by its name

from sqlite_backend import SqliteStorage, open_sqlite  # noqa: E402 - the documentation is not installed


class TestContract(StorageContract):
    """The backend of the documentation keeps every clause of the contract."""

    def open(self, place):
        return SqliteStorage(place)

    def opener(self):
        return SqliteStorage


def test_the_factory_takes_a_url(tmp_path):
    """What the entry point calls opens the file that the URL names, blanks and all."""
    storage = open_sqlite(f"sqlite://{tmp_path}/two%20words.db")
    storage.commit(Batch((), [Put(BLOB, "a", b"1")]))
    storage.close()
    again = SqliteStorage(tmp_path / "two words.db")
    assert body_of(again, (), BLOB, "a") == b"1"
    again.close()


def test_errors_of_sqlite_are_translated(tmp_path):
    """What SQLite raises arrives as an error of ours, with its cause."""
    storage = SqliteStorage(tmp_path / "store.db")
    storage._db.execute("DROP TABLE records")
    with pytest.raises(Unavailable) as caught:
        storage.records((), BLOB)
    assert "records" in str(caught.value.__cause__)
    storage.close()
    (tmp_path / "other.db").write_bytes(b"this is no database, and long enough to be looked at " * 30)
    with pytest.raises(Corrupt):
        SqliteStorage(tmp_path / "other.db")
