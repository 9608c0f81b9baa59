"""From a path, a URL, settings or the environment to a store: the one place that looks around."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from prodigy_storage.adapters.git import GitCheckouts
from prodigy_storage.adapters.runtime import canonical, system_runtime
from prodigy_storage.codecs.dialects import Dialect
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.dead_letters_limits import DeadLetterLimits
from prodigy_storage.model.events import Event
from prodigy_storage.model.projects import name_of
from prodigy_storage.model.redaction import Redaction
from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.opening.backends import BACKENDS, backend_of, open_file, open_memory
from prodigy_storage.opening.effective import Effective, effective
from prodigy_storage.opening.wrapping import wrapped
from prodigy_storage.ports.storage import Storage
from prodigy_storage.store import Store

__all__ = [
    "BACKENDS",
    "Effective",
    "default_root",
    "effective",
    "open",
    "open_effective",
    "open_file",
    "open_memory",
    "repo_name",
]


def open(  # noqa: A001  # `prodigy_storage.open` reads as what it does
    target: str | os.PathLike[str] | StorageSettings | Storage | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    config: str | os.PathLike[str] | None = None,
    event_types: Iterable[type[Event]] = (),
    dlq_limits: DeadLetterLimits | None = None,
    dialect: Dialect | str | None = None,
    redaction: Redaction | None = None,
) -> Store:
    """Open a store. Creates nothing until something is written.

    Args:
        target: A directory; a URL (`file:///path`, `memory:`, or the scheme of an installed backend); all settings as
            a value; a backend, which is taken as it is; or None for what the environment and the configuration
            file say, else `~/.prodigy`.
        settings: Some settings, as they would stand under `storage:`; they override the environment and the file.
        config: The configuration file; None for `$PRODIGY_STORAGE_CONFIG`, else `config.yml` in the root if there is
            one.
        event_types: Event classes of your own.
        dlq_limits: How many dead letters a job may have, and how long they are kept.
        dialect: How to write; None for what the settings say. See `Store`.
        redaction: What is masked in everything before it is stored: secrets, and members by their names.

    Raises:
        ConfigError: something that was said is not understood; or no installed backend has that scheme, or two have.
        StorageError: the place cannot be used.
    """
    if target is not None and not isinstance(target, str | os.PathLike | StorageSettings):
        if settings is not None or config is not None:
            raise ConfigError("a backend is taken as it is; settings go with a directory or a URL")
        return Store(
            target,
            event_types=event_types,
            dlq_limits=dlq_limits,
            dialect=dialect or Dialect.DOCUMENTED,
            redaction=redaction,
        )
    if dialect is not None and isinstance(target, StorageSettings):
        target = attrs.evolve(target, dialect=Dialect.of(dialect).value)
    elif dialect is not None:
        settings = {**(settings or {}), "dialect": Dialect.of(dialect).value}
    found = effective(target, settings=settings, config=config)
    for sentence in found.deprecations:
        warnings.warn(sentence, DeprecationWarning, stacklevel=2)
    return open_effective(found, event_types=event_types, dlq_limits=dlq_limits, redaction=redaction)


def open_effective(
    found: Effective,
    *,
    event_types: Iterable[type[Event]] = (),
    dlq_limits: DeadLetterLimits | None = None,
    redaction: Redaction | None = None,
) -> Store:
    """Open the store that `effective` found; what is deprecated is the caller's to tell.

    Raises:
        ConfigError: no installed backend has that scheme, or two have.
        StorageError: the place cannot be used.
    """
    runtime = system_runtime()
    storage = wrapped(backend_of(found), found.settings, runtime)
    if found.saves_at_close:
        runtime.background.at_exit(storage.close)  # after the hooks of the store, which come later
    try:
        return Store(
            storage,
            runtime=runtime,
            event_types=event_types,
            dlq_limits=dlq_limits,
            dialect=found.settings.dialect,
            redaction=redaction,
            locking=found.settings.enable_locking,
            checkouts=GitCheckouts(Path(found.root, "worktrees")) if found.in_files else None,
        )
    except BaseException:
        storage.close()
        raise


def default_root() -> Path:
    """Where a store in files lies if nobody says anything: by the environment, else by `~/.prodigy/config.yml`."""
    return Path(effective().root)


def repo_name(project: str | os.PathLike[str]) -> str:
    """The name under which a project's data is kept: the last component of its canonical path.

    Raises:
        ConfigError: the path has no last component (it is the root of the file system).
    """
    return name_of(canonical(project))
