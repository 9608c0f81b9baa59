"""The durable memory of a job orchestrator: events, dead letters, checkpoints, sessions and resume locks.

import prodigy_storage

with prodigy_storage.open() as store:
    with store.runs.start("my-repo", items=[1, 2, 3]) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = attempt.item * 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prodigy_storage.adapters.files import FileStorage as FileStorage
    from prodigy_storage.adapters.memory import MemoryStorage as MemoryStorage
    from prodigy_storage.opening import open as open  # noqa: A004  # `prodigy_storage.open` reads as what it does
    from prodigy_storage.opening import repo_name as repo_name
    from prodigy_storage.ports.storage import Durability as Durability
    from prodigy_storage.store import Store as Store

__version__ = "0.1.0"

_LAZY = {
    "Durability": "prodigy_storage.ports.storage",
    "FileStorage": "prodigy_storage.adapters.files",
    "MemoryStorage": "prodigy_storage.adapters.memory",
    "Store": "prodigy_storage.store",
    "open": "prodigy_storage.opening",
    "repo_name": "prodigy_storage.opening",
}

__all__ = ["Durability", "FileStorage", "MemoryStorage", "Store", "__version__", "open", "repo_name"]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'prodigy_storage' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # importing the package loads nothing

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
