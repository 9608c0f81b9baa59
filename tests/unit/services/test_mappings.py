"""Session-job mappings, from either side."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import MAPPING
from prodigy_storage.model.mappings import SessionJobMapping
from prodigy_storage.ports.storage import Batch, Delete
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
