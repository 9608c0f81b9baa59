from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from prodigy_storage.codecs.quantities import DURATIONS, SIZES
from prodigy_storage.codecs.setting_layers import RULES, Given, Origin, Source, layer_of, plain_settings, settings_of
from prodigy_storage.codecs.settings import read_argument, read_file, read_word
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.settings import (
    CacheSettings,
    FileSettings,
    MemorySettings,
    Reads,
    RetrySettings,
    StorageSettings,
)

CORPUS = Path(__file__).parents[2] / "prodigy" / "corpus" / "extra"

WHOLE = {
    "backend": "file",
    "connection_pool_size": 20,
    "timeout": "1m",
    "enable_locking": False,
    "enable_cache": True,
    "dialect": "prodigy-0.4",
    "backend_config": {
        "base_dir": "/srv/prodigy",
        "use_global": False,
        "enable_file_locks": False,
        "max_file_size": "200MB",
        "enable_compression": True,
        "max_memory": 1000,
        "persist_to_disk": True,
        "persistence_path": "/srv/memory.bin",
    },
    "retry_policy": {
        "max_retries": 5,
        "initial_delay": "250ms",
        "max_delay": "1h2m5s",
        "backoff_multiplier": 1.5,
        "jitter": False,
    },
    "cache_config": {"max_entries": 7, "ttl": "2h", "cache_type": "memory"},
}
VALUES = StorageSettings(
    connection_pool_size=20,
    timeout=timedelta(minutes=1),
    enable_locking=False,
    enable_cache=True,
    dialect="prodigy-0.4",
    file=FileSettings(
        base_dir="/srv/prodigy",
        use_global=False,
        enable_file_locks=False,
        max_file_size=200_000_000,
        enable_compression=True,
    ),
    memory=MemorySettings(max_memory=1000, persist_to_disk=True, persistence_path="/srv/memory.bin"),
    retry_policy=RetrySettings(
        max_retries=5,
        initial_delay=timedelta(milliseconds=250),
        max_delay=timedelta(hours=1, minutes=2, seconds=5),
        backoff_multiplier=1.5,
        jitter=False,
    ),
    cache_config=CacheSettings(max_entries=7, ttl=timedelta(hours=2)),
)


def refused(block):
    """What is said about a `storage:` block in a file called c.yml: the message, and what to do."""
    with pytest.raises(ConfigError) as caught:
        settings_of(read_file({"storage": block}, "c.yml"))
    return caught.value.message, caught.value.hint


def test_the_whole_block_is_read():
    """Every documented setting becomes a value, with the file and the path that it came from."""
    layer = read_file({"storage": WHOLE}, "c.yml")
    assert settings_of(layer) == VALUES
    assert layer["backend_config.base_dir"] == Given(
        "/srv/prodigy", Origin(Source.FILE, "c.yml: storage.backend_config.base_dir")
    )
    assert set(layer) == set(RULES)


def test_what_is_written_is_read_again():
    """The plain form of settings, put back into blocks, gives the same settings."""
    tree = {}
    for path, value in plain_settings(VALUES).items():
        block, _, name = path.rpartition(".")
        (tree.setdefault(block, {}) if block else tree)[name] = value
    assert settings_of(read_argument(tree)) == VALUES
    assert settings_of(layer_of(VALUES)) == VALUES


def test_defaults_are_the_documented_ones():
    """Without anything the documents' defaults count."""
    assert settings_of({}) == StorageSettings()
    assert plain_settings(StorageSettings()) == {
        "backend": "file",
        "connection_pool_size": 10,
        "timeout": "30s",
        "enable_locking": True,
        "enable_cache": False,
        "dialect": "documented",
        "backend_config.base_dir": None,
        "backend_config.use_global": True,
        "backend_config.enable_file_locks": True,
        "backend_config.max_file_size": 104857600,
        "backend_config.enable_compression": False,
        "backend_config.max_memory": 104857600,
        "backend_config.persist_to_disk": False,
        "backend_config.persistence_path": None,
        "retry_policy.max_retries": 3,
        "retry_policy.initial_delay": "1s",
        "retry_policy.max_delay": "30s",
        "retry_policy.backoff_multiplier": 2.0,
        "retry_policy.jitter": True,
        "cache_config.max_entries": 1000,
        "cache_config.ttl": "1h",
        "cache_config.cache_type": "memory",
    }


@pytest.mark.parametrize("tree", [None, {}, {"storage": None}, {"storage": {"backend_config": None}}])
def test_empty_blocks_say_nothing(tree):
    """An empty file or block leaves every default."""
    assert read_file(tree, "c.yml") == {}


def test_the_older_block_is_understood():
    """`filesystem`, `base_path` and `compression_level` are older words for the same."""
    older = {"backend": "filesystem", "base_path": "/x", "compression_level": 6}
    neighbours = {"log_level": "info", "auto_commit": True, "plugins": {"enabled": True}, "name": "shop"}
    layer = read_file({**neighbours, "storage": older}, "c.yml")
    assert settings_of(layer) == StorageSettings(file=FileSettings(base_dir="/x", enable_compression=True))
    assert layer["backend_config.enable_compression"].origin.name == "c.yml: storage.compression_level"
    assert settings_of(read_file({"storage": {"compression_level": 0}}, "c.yml")) == StorageSettings()


@pytest.mark.parametrize("name", ["storage-default.yaml", "storage-from-env.yaml"])
def test_what_prodigy_writes_is_understood(name):
    """Its own defaults, as it writes them, are ours, put under `storage:`."""
    tree = yaml.safe_load((CORPUS / name).read_text())
    found = settings_of(read_file({"storage": tree}, name))
    base = "/home/dev/.prodigy" if name == "storage-from-env.yaml" else None
    assert found == StorageSettings(file=FileSettings(base_dir=base))


def test_a_block_for_one_backend_is_understood():
    """`backend_config` may have a block `file` or `memory` of its own, which takes that backend's settings only."""
    nested = {"backend_config": {"file": {"max_file_size": "500MB"}, "memory": {"max_memory": "1MiB"}}}
    found = settings_of(read_file({"storage": nested}, "c.yml"))
    assert (found.file.max_file_size, found.memory.max_memory) == (500_000_000, 1_048_576)
    message, hint = refused({"backend_config": {"file": {"max_memory": 3}}})
    assert message == "c.yml: storage.backend_config.file.max_memory is not a setting"
    assert hint.startswith("Did you mean backend_config.max_memory? ")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"timeout": "-5m"}, f"storage.timeout: '-5m' is no length of time; allowed: {DURATIONS}"),
        ({"timeout": ""}, f"storage.timeout: '' is no length of time; allowed: {DURATIONS}"),
        ({"timeout": 30}, f"storage.timeout: '30' is no length of time; allowed: {DURATIONS}"),
        ({"timeout": None}, f"storage.timeout: 'None' is no length of time; allowed: {DURATIONS}"),
        (
            {"backend_config": {"max_file_size": "1M"}},
            "storage.backend_config.max_file_size: '1M' could mean two sizes: write 1MB (1000) or 1MiB (1024)",
        ),
        (
            {"backend_config": {"max_memory": "lots"}},
            f"storage.backend_config.max_memory: 'lots' is no size; allowed: {SIZES}",
        ),
        ({"backend_config": {"max_file_size": 0}}, "storage.backend_config.max_file_size is 0; it must be at least 1"),
        ({"backend_config": {"max_file_size": 1.5}}, "storage.backend_config.max_file_size is 1.5; it must be a size"),
        (
            {"backend_config": {"base_dir": ""}},
            "storage.backend_config.base_dir is ''; it must be a path that is not empty",
        ),
        ({"backend_config": {"base_dir": 7}}, "storage.backend_config.base_dir is 7; it must be a path"),
        ({"connection_pool_size": True}, "storage.connection_pool_size is True; it must be a whole number"),
        ({"connection_pool_size": "10"}, "storage.connection_pool_size is '10'; it must be a whole number"),
        ({"enable_cache": "yes"}, "storage.enable_cache is 'yes'; it must be true or false"),
        ({"enable_cache": 1}, "storage.enable_cache is 1; it must be true or false"),
        ({"retry_policy": {"max_retries": -1}}, "storage.retry_policy.max_retries is -1; it must be at least 0"),
        (
            {"retry_policy": {"backoff_multiplier": float("nan")}},
            "storage.retry_policy.backoff_multiplier is nan; it must be at least 1",
        ),
        (
            {"cache_config": {"cache_type": "redis"}},
            "storage.cache_config.cache_type is 'redis'; it must be one of: memory",
        ),
        ({"backend": "sqlite"}, "storage.backend is 'sqlite'; it must be one of: file, memory"),
        ({"compression_level": 10}, "storage.compression_level is 10; it must be 0 to 9"),
        ({"compression_level": True}, "storage.compression_level is True; it must be a whole number"),
        ({"backend_config": [1]}, "storage.backend_config is [1]; it must be a block of settings"),
        (
            {"base_path": "/x", "backend_config": {"base_dir": "/y"}},
            "storage.backend_config.base_dir and c.yml: storage.base_path say the same; keep one of them",
        ),
        (
            {"backend_config": {"persist_to_disk": True}},
            "storage.backend_config.persist_to_disk: persist_to_disk is true; name the file in persistence_path",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(block, message):
    """The error names the file and the key, and says what is allowed."""
    assert refused(block)[0] == f"c.yml: {message}"


@pytest.mark.parametrize(
    ("tree", "message", "near"),
    [
        ({"storge": {}}, "c.yml: storge is not a setting", "storage"),
        ({"storage": {"time_out": "3s"}}, "c.yml: storage.time_out is not a setting", "timeout"),
        (
            {"storage": {"backend_config": {"max_file_sise": 1}}},
            "c.yml: storage.backend_config.max_file_sise is not a setting",
            "max_file_size",
        ),
        (
            {"storage": {"max_file_size": 1}},
            "c.yml: storage.max_file_size is not a setting",
            "backend_config.max_file_size",
        ),
        ({"storage": {"cache_config": {"tll": "1h"}}}, "c.yml: storage.cache_config.tll is not a setting", "ttl"),
        ({"storage": {7: 1}}, "c.yml: storage.7 is not a setting", ""),
    ],
)
def test_an_unknown_key_suggests_the_near_one(tree, message, near):
    """A misspelt or misplaced key is refused with the one that was probably meant."""
    with pytest.raises(ConfigError) as caught:
        read_file(tree, "c.yml")
    assert caught.value.message == message
    advice = f"Did you mean {near}? " if near else ""
    assert caught.value.hint == f"{advice}All settings: prodigy-storage config show"


@pytest.mark.parametrize("key", ["timeout", "backend_config", "backend"])
def test_a_block_without_its_head_is_noticed(key):
    """Settings that stand at the top of the file are not passed by as somebody else's."""
    with pytest.raises(ConfigError, match=f"c.yml: {key} stands under storage:, not at the top"):
        read_file({key: "x"}, "c.yml")


def test_arguments_are_as_strict_and_may_be_values():
    """A mapping from a caller takes lengths of time as `timedelta` too, and its errors name no file."""
    layer = read_argument({"timeout": timedelta(seconds=3)})
    assert layer["timeout"] == Given(timedelta(seconds=3), Origin(Source.ARGUMENT, "settings.timeout"))
    with pytest.raises(ConfigError, match=r"^settings\.timeout is -1 day, .*; it must not be negative"):
        read_argument({"timeout": timedelta(seconds=-3)})
    with pytest.raises(ConfigError, match=r"^settings is 3; it must be a block of settings"):
        read_argument(3)
    assert read_word("backend", "filesystem", Origin(Source.ENVIRONMENT, "X"))["backend"].value == "file"


@pytest.mark.parametrize(
    "make",
    [
        lambda: StorageSettings(timeout=30),
        lambda: StorageSettings(backend="postgres"),
        lambda: FileSettings(max_file_size="100MB"),
        lambda: FileSettings(base_dir="a\0b"),
        lambda: MemorySettings(persist_to_disk=True),
        lambda: RetrySettings(backoff_multiplier=0.5),
        lambda: CacheSettings(max_entries=0),
    ],
)
def test_values_are_checked_when_they_are_made(make):
    """Settings that make no sense cannot be constructed either."""
    with pytest.raises(ConfigError):
        make()


def test_every_setting_has_a_rule():
    """Each setting says how it is read, and its default is allowed."""
    assert {rule.reads for rule in RULES.values()} == set(Reads)
    assert len(RULES) == 22
