"""Takes the lock of a scope again and again, and counts in a file how often nobody else was inside."""

from __future__ import annotations

import json
import sys

from file_store import LEASE, SCOPE

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Conflict
from prodigy_storage.ports.storage import Batch, Durability, Put


def main(root: str, rounds: str) -> None:
    storage = FileStorage(root)
    for _ in range(int(rounds)):
        while True:
            seen = storage.fetch(SCOPE, LEASE, ["count"])["count"]
            body = json.dumps({"n": json.loads(seen.body)["n"] + 1}).encode()
            try:
                storage.commit(Batch(SCOPE, [Put(LEASE, "count", body, seen.version)], Durability.OS))
            except Conflict:
                continue
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
