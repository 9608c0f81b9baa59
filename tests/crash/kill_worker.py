"""A writer that is killed: appends, puts and batches in a loop, and prints what was acknowledged."""

from __future__ import annotations

import os
import sys

from file_store import EVENTS, ITEM, PROGRESS, SCOPE, line

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Append, Batch, Delete, Durability, Put


def operations(name: str, n: int) -> list:
    pad = "x" * (n * 37 % 5000)
    if n % 3 == 0:
        return [Append(EVENTS, b"".join(line(n=n, w=name, k=k, pad=pad) for k in range(3)))]
    if n % 3 == 1:
        return [Put(ITEM, f"{name}-{n}", line(n=n, w=name, pad=pad))]
    gone = [Delete(ITEM, f"{name}-{n - 1}")] if n % 2 else []
    return [Put(ITEM, f"{name}-{n}", line(n=n, w=name, pad=pad)), Append(PROGRESS, line(n=n, w=name, pad=pad)), *gone]


def main(root: str, name: str) -> None:
    storage = FileStorage(root, max_file_size=200_000)
    for n in range(1_000_000):
        storage.commit(Batch(SCOPE, operations(name, n), Durability.OS))
        os.write(1, b"%d\n" % n)


if __name__ == "__main__":
    main(*sys.argv[1:])
