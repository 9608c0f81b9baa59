"""Session-job mappings, from either side."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import MAPPING, QUARANTINE
from prodigy_storage.errors import Corrupt, ReadOnly
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.ports.storage import Batch, Delete, Index, Kind, Put, Receipt
from prodigy_storage.services.mappings import Mappings

MINE = SessionJobMapping(
    session_id="session-1", job_id="job-1", workflow_name="größe", created_at=datetime(2025, 1, 1, tzinfo=UTC)
)


@pytest.mark.parametrize("lost", ["session-1", "job-1"])
def test_a_missing_side_is_found_through_the_other_and_repaired(lost: str) -> None:
    """Either id finds the mapping, also when its own document is gone, and then it is there again."""
    storage = MemoryStorage()
    mappings = Mappings(storage)
    mappings.save("repo", MINE)
    storage.commit(Batch(("repo",), (Delete(MAPPING, lost),)))
    assert mappings.find(lost) == {"repo": MINE}
    assert storage.fetch(("repo",), MAPPING, [lost])


def test_a_search_is_limited_to_a_repo() -> None:
    """Without one every repo is searched; an unknown id gives nothing."""
    mappings = Mappings(MemoryStorage())
    mappings.save("x", MINE)
    mappings.save("y", MINE)
    assert set(mappings.find("job-1")) == {"x", "y"}
    assert set(mappings.find("job-1", repo="y")) == {"y"}
    assert mappings.find("nobody") == {}


@pytest.mark.parametrize("bad", ["session-1", "job-1"])
def test_a_damaged_side_is_found_through_the_other_and_repaired(bad: str) -> None:
    """What was damaged is in quarantine, and both sides say the same again."""
    storage = MemoryStorage()
    mappings = Mappings(storage)
    mappings.save("repo", MINE)
    good = storage.fetch(("repo",), MAPPING, [bad])[bad].body
    blind = Kind(MAPPING.name, lambda _: Index(0), MAPPING.tags)
    storage.commit(Batch(("repo",), (Put(blind, bad, b"{"),)))
    assert mappings.find(bad) == {"repo": MINE}
    assert storage.fetch(("repo",), MAPPING, [bad])[bad].body == good
    assert storage.fetch(("repo",), QUARANTINE, [bad])[bad].body == b"{"


def test_two_damaged_sides_are_an_error() -> None:
    """There is nothing to repair them from."""
    storage = MemoryStorage()
    blind = Kind(MAPPING.name, lambda _: Index(0), MAPPING.tags)
    storage.commit(Batch(("repo",), (Put(blind, "job-1", b"{"),)))
    with pytest.raises(Corrupt):
        Mappings(storage).find("job-1")


def test_a_store_that_cannot_be_written_finds_a_missing_side_too() -> None:
    """It is not repaired then."""

    class Reader(MemoryStorage):
        sealed = False

        def commit(self, batch: Batch) -> Receipt:
            if self.sealed:
                raise ReadOnly("this store is only read")
            return super().commit(batch)

    storage = Reader()
    mappings = Mappings(storage)
    mappings.save("repo", MINE)
    storage.commit(Batch(("repo",), (Delete(MAPPING, "job-1"),)))
    storage.sealed = True
    assert mappings.find("job-1") == {"repo": MINE}


def test_both_sides_go_together() -> None:
    """Removing is one batch, and may be repeated."""
    mappings = Mappings(MemoryStorage())
    mappings.save("repo", MINE)
    for _ in range(2):
        mappings.remove("repo", "session-1", "job-1")
        assert mappings.find("session-1") == mappings.find("job-1") == {}
