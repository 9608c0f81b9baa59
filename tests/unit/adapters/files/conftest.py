import json

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Index, Kind, Stream


def _index(body: bytes) -> Index:
    value = json.loads(body)
    return Index(value["n"], {"tag": value["tag"]} if "tag" in value else {})


@pytest.fixture
def kinds():
    """A kind by its name."""
    return lambda name: Kind(name, _index, ("tag",))


@pytest.fixture
def events():
    """The stream of events; a record's time is its member `n`."""
    return Stream("events", lambda record: json.loads(record)["n"])


@pytest.fixture
def root(tmp_path):
    """Where the store lies; it does not exist yet."""
    return tmp_path / "root"


@pytest.fixture
def storage(root):
    """A file store with small segments."""
    with_small = FileStorage(root, max_file_size=400)
    yield with_small
    with_small.close()


@pytest.fixture
def read():
    """Reads a stream to its end: the numbers of the records, the damage, the cursor."""

    def all_of(storage, stream, scope=("r", "j"), cursor=None):
        numbers, damage = [], []
        while True:
            chunk = storage.records(scope, stream, cursor)
            numbers += [json.loads(line)["n"] for line in chunk.data.split(b"\n")[:-1]]
            damage += chunk.damage
            if not chunk.data and chunk.cursor == cursor:
                return numbers, damage, cursor
            cursor = chunk.cursor

    return all_of


@pytest.fixture
def lines():
    """Records with these numbers, as they are appended."""
    return lambda *numbers, pad=0: b"".join(
        json.dumps({"n": n, "pad": "x" * pad}, separators=(",", ":")).encode() + b"\n" for n in numbers
    )
