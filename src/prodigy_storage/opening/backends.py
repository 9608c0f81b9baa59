"""Backends by the scheme of a URL: our own and whatever is installed, by the same entry points."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.opening.effective import Effective
from prodigy_storage.ports.storage import Storage
from prodigy_storage.wrappers.retrying import time_left

BACKENDS = "prodigy_storage.backends"
"""The entry-point group of backends, keyed by URL scheme. An entry is called with the URL and gives a `Storage`; one
that has a parameter `settings` gets the `StorageSettings` by that name too."""


def backend_of(found: Effective) -> Storage:
    """The bare backend of a store.

    Raises:
        ConfigError: no installed backend has that scheme, or two have.
    """
    url = Path(found.root).as_uri() if found.in_files else found.target
    make = _entry(urlsplit(url).scheme)
    takes_settings = "settings" in inspect.signature(make).parameters
    return cast("Storage", make(url, settings=found.settings) if takes_settings else make(url))


def _entry(scheme: str) -> Callable[..., Any]:
    found = {entry.value: entry for entry in entry_points(group=BACKENDS) if entry.name == scheme}
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=BACKENDS)}))
        raise ConfigError(f"no installed backend opens {scheme}: URLs; installed are: {known}")
    if len(found) > 1:
        raise ConfigError(f"several backends open {scheme}: URLs: {', '.join(sorted(map(_named, found.values())))}")
    return cast("Callable[..., Any]", found.popitem()[1].load())


def _named(entry: EntryPoint) -> str:
    return f"{entry.value} ({entry.dist.name if entry.dist else 'unknown distribution'})"


def open_file(url: str, settings: StorageSettings | None = None) -> Storage:
    """The backend for `file:` URLs."""
    from prodigy_storage.adapters.files import FileStorage  # noqa: PLC0415  # loaded when it is asked for

    chosen = settings or StorageSettings()
    seconds = chosen.timeout.total_seconds()
    return FileStorage(
        unquote(urlsplit(url).path),
        max_file_size=chosen.file.max_file_size,
        lock_timeout=partial(time_left, seconds, SystemClock().monotonic),
        open_locks=chosen.connection_pool_size,
        file_locks=chosen.file.enable_file_locks,
        compress=chosen.file.enable_compression,
        layout=chosen.dialect,
    )


def open_memory(url: str, settings: StorageSettings | None = None) -> Storage:
    """The backend for `memory:` URLs; each one is a new store, empty unless it is persisted."""
    from prodigy_storage.adapters.memory import MemoryStorage, PersistedMemoryStorage  # noqa: PLC0415  # likewise

    del url
    chosen = (settings or StorageSettings()).memory
    if chosen.persist_to_disk and chosen.persistence_path is not None:
        return PersistedMemoryStorage(chosen.persistence_path, max_bytes=chosen.max_memory)
    return MemoryStorage(max_bytes=chosen.max_memory)
