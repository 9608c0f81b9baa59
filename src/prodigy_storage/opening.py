"""From a path, a URL or the environment to a store: the one place that looks around."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from prodigy_storage.errors import ConfigError
from prodigy_storage.model.events import Event
from prodigy_storage.ports.storage import Storage
from prodigy_storage.store import Store

BACKENDS = "prodigy_storage.backends"
"""The entry-point group of backends, keyed by URL scheme; an entry is called with the URL and gives a `Storage`."""


def open(  # noqa: A001  # `prodigy_storage.open` reads as what it does
    target: str | os.PathLike[str] | Storage | None = None, *, event_types: Iterable[type[Event]] = ()
) -> Store:
    """Open a store. Creates nothing until something is written.

    Args:
        target: A directory; a URL (`file:///path`, `memory:`, or the scheme of an installed backend); a backend;
            or None for `$PRODIGY_HOME`, else `~/.prodigy`.
        event_types: Event classes of your own.

    Raises:
        ConfigError: no installed backend has that scheme, or two have.
        StorageError: the place cannot be used.
    """
    if target is None:
        target = default_root()
    if not isinstance(target, str | os.PathLike):
        return Store(target, event_types=event_types)
    text = os.fspath(target)
    scheme = urlsplit(text).scheme
    url = text if len(scheme) > 1 and ":" in text else Path(text).absolute().as_uri()
    return Store(_backend(urlsplit(url).scheme)(url), event_types=event_types)


def default_root() -> Path:
    """`$PRODIGY_HOME` if it is set and not empty, else `~/.prodigy`."""
    home = os.environ.get("PRODIGY_HOME")
    return Path(home).expanduser() if home else Path.home() / ".prodigy"


def repo_name(project: str | os.PathLike[str]) -> str:
    """The name under which a project's data is kept: the last component of its canonical path.

    Raises:
        ConfigError: the path has no last component (it is the root of the file system).
    """
    name = Path(os.path.realpath(project)).name
    if not name:
        raise ConfigError(f"{project} has no name that a project could have", hint="Name the project explicitly.")
    return name


def _backend(scheme: str) -> Callable[[str], Storage]:
    found = {entry.value: entry for entry in entry_points(group=BACKENDS) if entry.name == scheme}
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=BACKENDS)}))
        raise ConfigError(f"no installed backend opens {scheme}: URLs; installed are: {known}")
    if len(found) > 1:
        raise ConfigError(f"several backends open {scheme}: URLs: {', '.join(sorted(map(_named, found.values())))}")
    return cast("Callable[[str], Storage]", found.popitem()[1].load())


def _named(entry: EntryPoint) -> str:
    return f"{entry.value} ({entry.dist.name if entry.dist else 'unknown distribution'})"


def open_file(url: str) -> Storage:
    """The backend for `file:` URLs."""
    from prodigy_storage.adapters.files import FileStorage  # noqa: PLC0415  # loaded when it is asked for

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(f"{url} names the host {parts.netloc}; a file URL is file:///path")
    _no_options(url)
    return FileStorage(unquote(parts.path))


def open_memory(url: str) -> Storage:
    """The backend for `memory:` URLs; each one is a new, empty store."""
    from prodigy_storage.adapters.memory import MemoryStorage  # noqa: PLC0415  # loaded when it is asked for

    _no_options(url)
    return MemoryStorage()


def _no_options(url: str) -> None:
    query = urlsplit(url).query
    if query:
        raise ConfigError(f"{url}: {query} is no option of this backend")
