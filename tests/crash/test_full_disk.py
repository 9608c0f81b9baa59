import json
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from file_store import EVENTS, ITEM, PROGRESS, all_records, line

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Outcome, StorageError, StorageFull
from prodigy_storage.ports.storage import Append, Batch, Delete, Durability, Expect, Put

BODY = line(n=2, pad="z" * 60)
OPERATIONS = {
    "append": lambda: [Append(EVENTS, BODY)],
    "appends": lambda: [Append(EVENTS, BODY), Append(PROGRESS, BODY)],
    "put": lambda: [Put(ITEM, "a", BODY)],
    "create": lambda: [Put(ITEM, "b", BODY, expect=Expect.ABSENT)],
    "batch": lambda: [Put(ITEM, "a", BODY), Append(EVENTS, BODY), Delete(ITEM, "gone")],
}


@contextmanager
def file_size_limit(size: int):
    """No file can grow beyond a number of bytes: a write takes what fits, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def place(tmp_path):
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def seen(storage, scope):
    """The numbers in both streams and the documents of a scope."""
    read = [all_records(storage, stream, scope) for stream in (EVENTS, PROGRESS)]
    assert not any(damage for _, damage in read), "a write that failed was not cut back"
    numbers = [[record["n"] for record in records] for records, _ in read]
    found = storage.fetch(scope, ITEM, ["a", "b", "gone", "after"])
    return numbers, {name: json.loads(document.body)["n"] for name, document in found.items()}


def attempt(storage, scope, name, limit, durability):
    """Try an operation under a limit; returns the error, if any."""
    try:
        with file_size_limit(limit):
            storage.commit(Batch(scope, OPERATIONS[name](), durability))
    except StorageError as error:
        return error
    return None


def check_case(place, name, limit, durability) -> bool:
    """Run one case in a store of its own; returns whether the operation went through."""
    scope = ("shop", "job")
    base = [Put(ITEM, "a", line(n=1)), Put(ITEM, "gone", line(n=1)), Append(EVENTS, line(n=1))]
    storage, other = FileStorage(place), FileStorage(place)
    storage.commit(Batch(scope, base))
    before = seen(storage, scope)
    error = attempt(storage, scope, name, limit, durability)
    after = seen(other, scope)
    assert error is None or isinstance(error, StorageFull) or error.outcome is Outcome.UNKNOWN
    if error is not None and error.outcome is Outcome.NOTHING:
        assert after == before == seen(storage, scope)
    storage.commit(Batch(scope, [Put(ITEM, "after", line(n=9)), Append(EVENTS, line(n=9))], durability))
    events, documents = seen(other, scope)[0][0], seen(other, scope)[1]
    assert events[0] == 1
    assert events[-1] == 9
    assert len(set(events)) == len(events)
    assert documents["after"] == 9
    if error is None or error.outcome is Outcome.UNKNOWN:
        changed = OPERATIONS[name]()
        assert all(2 in seen(other, scope)[0][0] for one in changed if isinstance(one, Append))
        assert all(documents[one.id] == 2 for one in changed if isinstance(one, Put))
    assert not list(place.rglob("*.tmp"))
    assert not list((place / ".store" / "intents").iterdir())
    storage.close()
    other.close()
    return error is None


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_byte_at_which_the_disk_fills_hurts(place, name):
    """Wherever the disk fills up: a typed error, no trace unless it says so, nothing lost, and the next call works."""
    passed = [
        check_case(place / f"{limit}", name, limit, (Durability.OS, Durability.FULL)[limit % 2])
        for limit in (range(460) if name in {"append", "put", "create"} else range(0, 1100, 5))
    ]
    assert passed[-1]
    assert not passed[0]
