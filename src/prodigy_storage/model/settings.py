"""Settings of a store: the documented `storage:` block as values, and what each of them may be."""

from __future__ import annotations

import enum
import math
from datetime import timedelta
from typing import Any

import attrs

from prodigy_storage.errors import ConfigError


class Reads(enum.Enum):
    """What a setting is, and so how it is read."""

    SWITCH = "true or false"
    COUNT = "a whole number"
    NUMBER = "a number"
    SIZE = "a size"
    DURATION = "a length of time"
    PATH = "a path"
    WORD = "a word"


@attrs.frozen(kw_only=True)
class Rule:
    """What a setting may be.

    Args:
        reads: Its type.
        least: The smallest value, of numbers and sizes.
        words: The allowed words; any path if there are none.
    """

    reads: Reads
    least: float = 0
    words: tuple[str, ...] = ()


_TYPES: dict[Reads, tuple[type, ...]] = {
    Reads.SWITCH: (bool,),
    Reads.COUNT: (int,),
    Reads.NUMBER: (int, float),
    Reads.SIZE: (int,),
    Reads.DURATION: (timedelta,),
    Reads.PATH: (str, type(None)),
    Reads.WORD: (str,),
}


def check(name: str, rule: Rule, value: object) -> None:
    """Accept a value of a setting.

    Raises:
        ConfigError: it has another type, or is out of range; says what is allowed.
    """
    if not isinstance(value, _TYPES[rule.reads]) or (rule.reads is not Reads.SWITCH and isinstance(value, bool)):
        raise ConfigError(f"{name} is {value!r}; it must be {rule.reads.value}")
    if isinstance(value, int | float) and not (rule.least <= value and math.isfinite(value)):
        raise ConfigError(f"{name} is {value}; it must be at least {rule.least}")
    if isinstance(value, timedelta) and value < timedelta():
        raise ConfigError(f"{name} is {value}; it must not be negative")
    if isinstance(value, str) and (value not in rule.words if rule.words else not value or "\0" in value):
        allowed = f"one of: {', '.join(rule.words)}" if rule.words else "a path that is not empty"
        raise ConfigError(f"{name} is {value!r}; it must be {allowed}")


def _validate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check(attribute.name, attribute.metadata["rule"], value)


def _setting(default: Any, reads: Reads, *, least: float = 0, words: tuple[str, ...] = ()) -> Any:
    rule = Rule(reads=reads, least=least, words=words)
    return attrs.field(default=default, validator=_validate, metadata={"rule": rule})


@attrs.frozen(kw_only=True)
class FileSettings:
    """`backend_config` of the file backend.

    Args:
        base_dir: Where everything is kept; `~/.prodigy` if None.
        use_global: Deprecated if False: everything is kept in `.prodigy` of the working directory.
        enable_file_locks: Guard the store with kernel locks. Without them only one process at a time may use it:
            two would overwrite each other's work.
        max_file_size: A segment of a stream that has reached so many bytes is sealed, and the next one begun.
        enable_compression: Compress sealed segments in the background.
    """

    base_dir: str | None = _setting(None, Reads.PATH)
    use_global: bool = _setting(True, Reads.SWITCH)
    enable_file_locks: bool = _setting(True, Reads.SWITCH)
    max_file_size: int = _setting(100 * 2**20, Reads.SIZE, least=1)
    enable_compression: bool = _setting(False, Reads.SWITCH)


@attrs.frozen(kw_only=True)
class MemorySettings:
    """`backend_config` of the memory backend.

    Args:
        max_memory: Bodies and records take at most so many bytes; a batch that would pass it changes nothing and
            raises `StorageFull`.
        persist_to_disk: Load the content when the store is opened, save it when it is closed.
        persistence_path: The file for that.
    """

    max_memory: int = _setting(100 * 2**20, Reads.SIZE, least=1)
    persist_to_disk: bool = _setting(False, Reads.SWITCH)
    persistence_path: str | None = _setting(None, Reads.PATH)

    def __attrs_post_init__(self) -> None:
        if self.persist_to_disk and self.persistence_path is None:
            raise ConfigError("persist_to_disk is true; name the file in persistence_path")


@attrs.frozen(kw_only=True)
class RetrySettings:
    """`retry_policy`: what happens when the storage is unavailable for a moment.

    Args:
        max_retries: Tries after the first one; 0 turns retrying off.
        initial_delay: The wait before the first retry.
        max_delay: No wait is longer.
        backoff_multiplier: Each wait is so many times the one before.
        jitter: Draw each wait between its half and its whole.
    """

    max_retries: int = _setting(3, Reads.COUNT)
    initial_delay: timedelta = _setting(timedelta(seconds=1), Reads.DURATION)  # noqa: RUF009  # a field, not a value
    max_delay: timedelta = _setting(timedelta(seconds=30), Reads.DURATION)  # noqa: RUF009  # a field, not a value
    backoff_multiplier: float = _setting(2.0, Reads.NUMBER, least=1)
    jitter: bool = _setting(True, Reads.SWITCH)


@attrs.frozen(kw_only=True)
class CacheSettings:
    """`cache_config`, which counts when `enable_cache` is true.

    Args:
        max_entries: So many documents at most; the one that was not asked for longest goes first.
        ttl: A document that another process may have changed is read again after this time.
        cache_type: `memory` is the only one.
    """

    max_entries: int = _setting(1000, Reads.COUNT, least=1)
    ttl: timedelta = _setting(timedelta(hours=1), Reads.DURATION)  # noqa: RUF009  # a field, not a value
    cache_type: str = _setting("memory", Reads.WORD, words=("memory",))


@attrs.frozen(kw_only=True)
class StorageSettings:
    """The `storage:` block. What `backend` does not need of `file` and `memory` has no effect.

    Args:
        backend: `file` or `memory`.
        connection_pool_size: How many connections stay open between operations: lock files of the file backend,
            connections of a backend that has a server. The memory backend has none.
        timeout: The deadline of one operation with its retries and its waits for locks.
        enable_locking: Refuse a job that somebody living runs. Without it such a job is taken over, and its former
            runner is fenced: it can write no more.
        enable_cache: Keep documents in memory. What this process wrote is never served stale.
        dialect: How to write: `documented`, or `prodigy-0.4`, so that Prodigy reads it all.
        file: `backend_config` of the file backend.
        memory: `backend_config` of the memory backend.
        retry_policy: What is tried again, and when.
        cache_config: How much is cached, and for how long.

    Raises:
        ConfigError: a value has the wrong type or is out of range.
    """

    backend: str = _setting("file", Reads.WORD, words=("file", "memory"))
    connection_pool_size: int = _setting(10, Reads.COUNT, least=1)
    timeout: timedelta = _setting(timedelta(seconds=30), Reads.DURATION)  # noqa: RUF009  # a field, not a value
    enable_locking: bool = _setting(True, Reads.SWITCH)
    enable_cache: bool = _setting(False, Reads.SWITCH)
    dialect: str = _setting("documented", Reads.WORD, words=("documented", "prodigy-0.4"))
    file: FileSettings = FileSettings()
    memory: MemorySettings = MemorySettings()
    retry_policy: RetrySettings = RetrySettings()
    cache_config: CacheSettings = CacheSettings()
