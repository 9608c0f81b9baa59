"""Layers of settings: each maps the path of a setting (`backend_config.base_dir`) to its value and its origin.

Later layers override earlier ones; `settings_of` makes the values.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

import attrs

from prodigy_storage.codecs.quantities import duration_text
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.settings import (
    CacheSettings,
    FileSettings,
    MemorySettings,
    RetrySettings,
    Rule,
    StorageSettings,
)


class Source(enum.IntEnum):
    """Where a value came from; the later ones win."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    ARGUMENT = 3


@attrs.frozen
class Origin:
    """Where exactly a value came from: a file and the path in it, a variable, an argument."""

    source: Source
    name: str = ""


@attrs.frozen
class Given:
    """A value and where it came from."""

    value: Any
    origin: Origin


Layer: TypeAlias = dict[str, Given]

BLOCKS: dict[str, tuple[tuple[str, type[Any]], ...]] = {
    "": (("", StorageSettings),),
    "backend_config": (("file", FileSettings), ("memory", MemorySettings)),
    "retry_policy": (("retry_policy", RetrySettings),),
    "cache_config": (("cache_config", CacheSettings),),
}
"""The blocks below `storage:`, and the classes that hold their settings by the member of `StorageSettings`."""


def rules(block: str, *members: str) -> dict[str, Rule]:
    """The rules of a block's settings by path, of some of its members alone if these are named."""
    return {
        f"{block}.{field.name}" if block else field.name: field.metadata["rule"]
        for member, cls in BLOCKS[block]
        if not members or member in members
        for field in attrs.fields(cls)
        if "rule" in field.metadata
    }


RULES: dict[str, Rule] = {path: rule for block in BLOCKS for path, rule in rules(block).items()}
"""Every setting by its path, in the documented order."""


def layer_of(settings: StorageSettings) -> Layer:
    """Every setting as if it were given as an argument."""
    origin = Origin(Source.ARGUMENT, "settings")
    return {path: Given(value, origin) for path, value in _values(settings) if value is not None}


def _values(settings: StorageSettings) -> Iterator[tuple[str, Any]]:
    for block, members in BLOCKS.items():
        for member, cls in members:
            holder = getattr(settings, member) if member else settings
            for field in attrs.fields(cls):
                if "rule" in field.metadata:
                    yield (f"{block}.{field.name}" if block else field.name), getattr(holder, field.name)


def settings_of(layer: Layer) -> StorageSettings:
    """The settings of a layer; what it does not have is the default.

    Raises:
        ConfigError: two settings do not go together.
    """
    parts: dict[str, Any] = {}
    for block, members in BLOCKS.items():
        for member, cls in members:
            names = [field.name for field in attrs.fields(cls) if "rule" in field.metadata]
            paths = {name: f"{block}.{name}" if block else name for name in names}
            given = {name: layer[path].value for name, path in paths.items() if path in layer}
            parts |= {member: _made(cls, given, layer, paths)} if member else given
    return StorageSettings(**parts)


def _made(cls: type[Any], given: Mapping[str, Any], layer: Layer, paths: Mapping[str, str]) -> Any:
    try:
        return cls(**given)
    except ConfigError as error:  # each value is allowed by itself
        origin = next((layer[path].origin.name for path in paths.values() if path in layer), "")
        raise ConfigError(f"{origin}: {error}" if origin else str(error)) from error


def plain_settings(settings: StorageSettings) -> dict[str, str | int | float | bool | None]:
    """Every setting by its path, as it would be written in a file."""
    return {path: duration_text(one) if isinstance(one, timedelta) else one for path, one in _values(settings)}
