"""What settings put around a backend: retries with a deadline, and a cache."""

from __future__ import annotations

from prodigy_storage.model.settings import StorageSettings
from prodigy_storage.ports.runtime import Runtime
from prodigy_storage.ports.storage import Storage
from prodigy_storage.wrappers.caching import Caching
from prodigy_storage.wrappers.retrying import Retrying, RetryPolicy


def wrapped(storage: Storage, settings: StorageSettings, runtime: Runtime) -> Storage:
    """The backend with its wrappers; the cache is the outer one, so that what it knows needs no retry."""
    retry = settings.retry_policy
    policy = RetryPolicy(
        max_retries=retry.max_retries,
        initial_delay=retry.initial_delay.total_seconds(),
        max_delay=retry.max_delay.total_seconds(),
        backoff_multiplier=retry.backoff_multiplier,
        jitter=retry.jitter,
        timeout=settings.timeout.total_seconds(),
    )
    monotonic = runtime.clock.monotonic
    storage = Retrying(storage, policy, sleep=runtime.clock.sleep, monotonic=monotonic)
    if not settings.enable_cache:
        return storage
    cache = Caching(
        storage,
        max_entries=settings.cache_config.max_entries,
        ttl=settings.cache_config.ttl.total_seconds(),
        monotonic=monotonic,
        mutex=runtime.background.mutex,
    )
    runtime.background.after_fork(cache.forget)
    return cache
