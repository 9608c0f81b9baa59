"""From a path, a URL, settings, a file or the environment to a store."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import prodigy_storage
from prodigy_storage import FileStorage, MemoryStorage
from prodigy_storage.adapters.files.locks import drop_lock, shared_lock
from prodigy_storage.codecs.setting_layers import Source
from prodigy_storage.errors import ConfigError, Conflict, Locked, StorageFull, Timeout, Unavailable
from prodigy_storage.model.settings import CacheSettings, FileSettings, MemorySettings, RetrySettings, StorageSettings
from prodigy_storage.opening import default_root, effective
from prodigy_storage.ports.storage import Append, Batch, Capability, Durability, Index, Kind, Put, Stream
from prodigy_storage.wrappers.caching import Caching
from prodigy_storage.wrappers.retrying import Retrying

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
NOTES = Kind("notes", lambda _: Index(0))
FACTS = Stream("facts", lambda _: 0)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home, and an environment without our variables."""
    for name in [name for name in os.environ if name.startswith("PRODIGY_")]:
        monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(place))
    return place


def write(file: Path, text: str) -> Path:
    """A configuration file with this `storage:` block."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("storage:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    return file


def backend(store: prodigy_storage.Store) -> FileStorage | MemoryStorage:
    """What is inside the wrappers."""
    inner = store.storage
    while isinstance(inner, Caching | Retrying):
        inner = inner._storage
    assert isinstance(inner, FileStorage | MemoryStorage)
    return inner


def root(store: prodigy_storage.Store) -> str:
    """The directory of a store in files."""
    inner = backend(store)
    assert isinstance(inner, FileStorage)
    return inner.root


def distribution(place: Path, name: str, entry: str) -> None:
    """Lay an installed distribution with one entry point into a folder."""
    info = place / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[prodigy_storage.backends]\n{entry}\n")


def test_nothing_opens_the_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`PRODIGY_HOME` moves everything; without it, or empty, it is `.prodigy` in the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / ".prodigy"
    monkeypatch.setenv("PRODIGY_HOME", "")
    assert default_root() == tmp_path / ".prodigy"
    monkeypatch.setenv("PRODIGY_HOME", "~/elsewhere")
    with prodigy_storage.open() as store:
        assert root(store) == str(tmp_path / "elsewhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_path_and_a_file_url_open_the_same_store(form: str, tmp_path: Path) -> None:
    """Blanks and percent signs in a path survive; nothing is made until something is written."""
    place = tmp_path / "a b%20c"
    text = str(place).replace("%", "%25").replace(" ", "%20") if "file" in form else str(place)
    with prodigy_storage.open(form.format(text)) as store:
        assert root(store) == str(place)
    assert not place.exists()


def test_memory_urls_are_new_stores_and_a_backend_is_taken_as_it_is() -> None:
    """Two memory stores share nothing."""
    with prodigy_storage.open("memory:") as one, prodigy_storage.open("memory:") as other:
        assert isinstance(backend(one), MemoryStorage)
        assert backend(one) is not backend(other)
    mine = MemoryStorage()
    with prodigy_storage.open(mine) as store:
        assert store.storage is mine


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nothing:///x", "no installed backend opens nothing: URLs; installed are: file, memory"),
        ("file://server/x", "names the host server"),
        ("file:///x?mode=fast", "mode=fast is no option"),
        ("memory:?size=3", "size=3 is no option"),
    ],
)
def test_what_cannot_be_opened_says_why(url: str, reason: str) -> None:
    """Unknown schemes, hosts and options are configuration errors."""
    with pytest.raises(ConfigError, match=reason.replace("?", r"\?")):
        prodigy_storage.open(url)


def test_a_strangers_backend_comes_in_by_its_entry_point(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The how-to's backend, installed as a distribution, carries a whole run, and resumes it after a reopening."""
    distribution(tmp_path, "sqlite-backend", "sqlite = sqlite_backend:open_sqlite")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(HOWTO))
    url = f"sqlite://{tmp_path}/store.db"
    with prodigy_storage.open(url) as store:
        assert Capability.PRESENCE not in store.storage.capabilities
        with store.runs.start("repo", items=[1, 2, 3], max_retries=0) as run:
            attempt = run.claim()
            assert attempt is not None
            run.complete(attempt, "first")
    with prodigy_storage.open(url) as store:
        with store.runs.resume(run.session_id) as again:
            for attempt in again.attempts():
                with attempt:
                    raise ValueError("no")
        assert store.sessions.get(run.session_id).status.value == "Completed"
        assert len(store.dlq.list("repo").values) == 2
        assert store.health().ok
    del sys.modules["sqlite_backend"]


def test_two_claimants_of_a_scheme_are_both_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody wins by chance."""
    distribution(tmp_path / "a", "one", "shared = one:open")
    distribution(tmp_path / "b", "two", "shared = two:open")
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    monkeypatch.syspath_prepend(str(tmp_path / "b"))
    with pytest.raises(ConfigError, match=r"one:open \(one\), two:open \(two\)"):
        prodigy_storage.open("shared:///x")


def test_a_repo_is_named_after_the_last_part_of_its_real_path(tmp_path: Path) -> None:
    """Links give the name of what they point to; the root of the file system has none."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    assert prodigy_storage.repo_name(tmp_path / "link") == prodigy_storage.repo_name(tmp_path / "shop") == "shop"
    with pytest.raises(ConfigError, match="has no name"):
        prodigy_storage.repo_name("/")


def test_importing_the_package_loads_nothing_heavy() -> None:
    """The names of the package are loaded when they are asked for; unknown ones are errors."""
    assert set(prodigy_storage.__all__) <= set(dir(prodigy_storage))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prodigy_storage.nothing  # noqa: B018  # asking for it is the point


# --- which settings count


def test_the_file_in_the_root_is_read(home: Path, tmp_path: Path) -> None:
    """`config.yml` in the root counts, whoever named the root; Prodigy's other keys stand beside our block."""
    write(home / ".prodigy" / "config.yml", "timeout: 5s")
    write(tmp_path / "config.yml", "timeout: 7s")
    (tmp_path / "config.yml").write_text("log_level: info\n" + (tmp_path / "config.yml").read_text())

    assert effective().settings.timeout == timedelta(seconds=5)
    assert effective(tmp_path).settings.timeout == timedelta(seconds=7)
    assert effective(tmp_path).origins["timeout"].name == f"{tmp_path}/config.yml: storage.timeout"
    assert effective(tmp_path / "none").settings == StorageSettings(file=FileSettings(base_dir=f"{tmp_path}/none"))


def test_a_memory_store_reads_no_file_but_a_named_one(home: Path, tmp_path: Path) -> None:
    """Whoever opens `memory:` gets no settings of some directory."""
    write(home / ".prodigy" / "config.yml", "timeout: 5s")
    named = write(tmp_path / "mine.yml", "timeout: 7s")

    assert effective("memory:").settings.timeout == timedelta(seconds=30)
    assert effective("memory:").config is None
    assert effective("memory:", config=named).settings.timeout == timedelta(seconds=7)


def test_a_named_file_counts_instead(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    """The argument counts more than the variable, and that more than the file in the root."""
    write(home / ".prodigy" / "config.yml", "timeout: 1s")
    monkeypatch.setenv("PRODIGY_STORAGE_CONFIG", str(write(tmp_path / "two.yml", "timeout: 2s")))
    assert effective().settings.timeout == timedelta(seconds=2)
    three = write(tmp_path / "three.yml", "timeout: 3s")
    assert effective(config=three).settings.timeout == timedelta(seconds=3)
    assert effective(config=three).config == three


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_named_file_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str) -> None:
    """A file that somebody named must be there; the error says who named it."""
    monkeypatch.setenv("PRODIGY_STORAGE_CONFIG", str(tmp_path / "gone.yml") if how == "variable" else "")
    reason = "PRODIGY_STORAGE_CONFIG names it" if how == "variable" else r"gone\.yml: there is no such"
    with pytest.raises(ConfigError, match=reason):
        effective(config=tmp_path / "gone.yml" if how == "argument" else None)


def test_environment_over_file_and_argument_over_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each value says where it came from."""
    file = write(tmp_path / "c.yml", "backend: memory\ntimeout: 5s\nenable_cache: true\nbackend_config: {base_dir: /x}")
    monkeypatch.setenv("PRODIGY_STORAGE_TYPE", "file")
    monkeypatch.setenv("PRODIGY_STORAGE_BASE_PATH", str(tmp_path / "base"))
    found = effective(settings={"timeout": "9s"}, config=file)

    assert (found.settings.backend, found.root) == ("file", str(tmp_path / "base"))
    assert (found.settings.timeout, found.settings.enable_cache) == (timedelta(seconds=9), True)
    sources = {path: origin.source for path, origin in found.origins.items()}
    assert sources["backend"] is sources["backend_config.base_dir"] is Source.ENVIRONMENT
    assert (sources["timeout"], sources["enable_cache"]) == (Source.ARGUMENT, Source.FILE)
    assert sources["enable_locking"] is Source.DEFAULT
    over = effective(tmp_path / "said", settings={"backend_config": {"base_dir": "/y"}}, config=file)
    assert over.root == str(tmp_path / "said")


def test_which_variable_names_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`PRODIGY_HOME` moves everything; without it `PRODIGY_STORAGE_BASE_PATH` counts, then the deprecated names."""
    names = ["PRODIGY_STORAGE_PATH", "PRODIGY_STORAGE_DIR", "PRODIGY_STORAGE_BASE_PATH", "PRODIGY_HOME"]
    for name in names:
        monkeypatch.setenv(name, str(tmp_path / name))
        assert effective().root == str(tmp_path / name)
        assert effective().origins["backend_config.base_dir"].name == name
    assert effective(StorageSettings()).root == str(tmp_path / "PRODIGY_HOME")


@pytest.mark.parametrize("name", ["PRODIGY_STORAGE_DIR", "PRODIGY_STORAGE_PATH"])
def test_deprecated_variables_warn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """They work, with a warning that names the new one."""
    monkeypatch.setenv(name, str(tmp_path))
    with pytest.warns(DeprecationWarning, match=f"{name} is deprecated: call it PRODIGY_STORAGE_BASE_PATH"):
        store = prodigy_storage.open()
    with store:
        assert root(store) == str(tmp_path)


def test_the_project_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`use_global: false` puts the store into `.prodigy` of the working directory, with a warning."""
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "c.yml", "backend_config: {base_dir: /x, use_global: false}")
    with pytest.warns(DeprecationWarning, match=r"c\.yml: storage\.backend_config\.use_global: false is deprecated"):
        store = prodigy_storage.open(config=file)
    with store:
        assert root(store) == str(tmp_path / ".prodigy")
    assert effective(tmp_path / "said", config=file).root == str(tmp_path / "said")
    monkeypatch.setenv("PRODIGY_HOME", str(tmp_path / "home"))
    assert effective(config=file).root == str(tmp_path / "home")


def test_relative_paths_start_where_they_are_written(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    """In a file they start at its directory, in an argument at the working directory; `~` is the home directory."""
    file = write(tmp_path / "conf" / "c.yml", "backend_config: {base_dir: data}")
    monkeypatch.chdir(home)
    assert effective(config=file).root == str(tmp_path / "conf" / "data")
    assert effective(settings={"backend_config": {"base_dir": "data"}}).root == str(home / "data")
    assert effective(settings={"backend_config": {"base_dir": "~/data"}}).root == str(home / "data")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("storage: {timeout: 3s, timeout: 4s}", r"c\.yml: line 1: timeout is there twice"),
        ("storage: [", r"c\.yml: line 1: "),
        ("storage:\n\ttimeout: 3s", r"c\.yml: line 2: "),
        ("a: \udcff", r"c\.yml is no YAML"),
        ("!!python/object:os.system {}", r"c\.yml: line 1: could not determine a constructor"),
        ("just text", "must be a block of settings"),
        ("storage: {timeout: -5m}", r"c\.yml: storage\.timeout: '-5m' is no length of time"),
    ],
)
def test_a_bad_file_is_an_error_that_names_it(tmp_path: Path, text: str, reason: str) -> None:
    """Keys that are given twice, what is no YAML, and values that are not allowed are refused with their place."""
    file = tmp_path / "c.yml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=reason):
        prodigy_storage.open(config=file)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A directory in place of the file is named."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        effective(config=tmp_path)


@pytest.mark.parametrize("variable", ["sqlite", "File"])
def test_a_bad_type_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """The error names the variable and what is allowed."""
    monkeypatch.setenv("PRODIGY_STORAGE_TYPE", variable)
    with pytest.raises(ConfigError, match=r"PRODIGY_STORAGE_TYPE is .*; it must be one of: file, memory"):
        effective()


def test_settings_as_a_value_are_complete(home: Path, tmp_path: Path) -> None:
    """Neither file nor environment adds to them, and nothing can be put over them."""
    write(home / ".prodigy" / "config.yml", "timeout: 5s")
    settings = StorageSettings(file=FileSettings(base_dir=str(tmp_path)), dialect="prodigy-0.4")
    assert effective(settings).settings == settings
    with prodigy_storage.open(settings) as store:
        assert store.dialect.value == "prodigy-0.4"
    with prodigy_storage.open(settings, dialect="documented") as store:
        assert store.dialect.value == "documented"
        assert root(store) == str(tmp_path)
    with pytest.raises(ConfigError, match="are complete"):
        effective(settings, config="x.yml")
    with pytest.raises(ConfigError, match="taken as it is"):
        prodigy_storage.open(MemoryStorage(), settings={})


# --- what settings do


def test_a_segment_rotates_at_its_size(tmp_path: Path) -> None:
    """`max_file_size` is where the next file begins."""
    with prodigy_storage.open(tmp_path, settings={"backend_config": {"max_file_size": "100B"}}) as store:
        for _ in range(6):
            store.storage.commit(Batch((), [Append(FACTS, b'{"text":"0123456789012345678901234567"}\n')]))
    assert len(list(tmp_path.rglob("*.jsonl"))) == 3


def test_the_memory_is_limited_and_nothing_is_half_applied() -> None:
    """A batch that would pass `max_memory` raises and changes nothing; what fits still goes in."""
    settings = StorageSettings(backend="memory", memory=MemorySettings(max_memory=100))
    with prodigy_storage.open(settings) as store:
        batch = Batch((), [Put(NOTES, "a", b"x" * 60), Put(NOTES, "b", b"x" * 60)])
        with pytest.raises(StorageFull, match="of 100 bytes"):
            store.storage.commit(batch)
        assert store.storage.fetch((), NOTES, ["a", "b"]) == {}
        store.storage.commit(Batch((), [Put(NOTES, "a", b"x" * 100)]))


def test_the_environment_can_ask_for_memory(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """`PRODIGY_STORAGE_TYPE=memory` opens a store in memory, with the settings of the file in the root."""
    monkeypatch.setenv("PRODIGY_STORAGE_TYPE", "memory")
    write(home / ".prodigy" / "config.yml", "backend_config: {max_memory: 10B}")
    with prodigy_storage.open() as store, pytest.raises(StorageFull):
        store.storage.commit(Batch((), [Put(NOTES, "a", b"x" * 11)]))


def test_the_five_values_of_the_retry_policy_and_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them reaches the waits between the tries, and `timeout` ends them."""
    waits: list[float] = []
    monkeypatch.setattr("prodigy_storage.adapters.runtime.SystemClock.sleep", lambda _, seconds: waits.append(seconds))
    fail = _failing(monkeypatch)
    retry = RetrySettings(
        max_retries=4,
        initial_delay=timedelta(seconds=1),
        max_delay=timedelta(seconds=5),
        backoff_multiplier=3,
        jitter=False,
    )
    with prodigy_storage.open(StorageSettings(backend="memory", retry_policy=retry)) as store:
        fail(store, 4)
    assert waits == [1, 3, 5, 5]
    waits.clear()
    with prodigy_storage.open("memory:", settings={"retry_policy": {"max_retries": 2}}) as store:
        fail(store, 2)
        with pytest.raises(Unavailable):
            fail(store, 3)
    assert all(0.5 <= wait <= 2 for wait in waits)
    store = prodigy_storage.open("memory:", settings={"timeout": "2s", "retry_policy": {"jitter": False}})
    with store, pytest.raises(Timeout, match="2 tries in 2 s"):
        fail(store, 3)


def _failing(monkeypatch: pytest.MonkeyPatch):
    """Makes a store in memory unavailable for some calls, and fetches from it."""
    faults: list[Unavailable] = []

    def fetch(*_arguments: object, **_more: object) -> dict[str, object]:
        if faults:
            raise faults.pop()
        return {}

    monkeypatch.setattr(MemoryStorage, "fetch", fetch)

    def fail(store: prodigy_storage.Store, count: int) -> None:
        faults[:] = [Unavailable("down")] * count
        store.storage.fetch((), NOTES, ["a"])

    return fail


def test_the_deadline_covers_the_wait_for_a_lock(tmp_path: Path) -> None:
    """`timeout` is how long a call waits for what somebody else keeps locked, its retries included."""
    with prodigy_storage.open(tmp_path, settings={"timeout": "20ms"}) as store:
        batch = Batch((), [Put(NOTES, "a", b"1")])
        store.storage.commit(batch)
        (path,) = (tmp_path / ".store" / "locks").iterdir()
        lock = shared_lock(str(path))
        lock.acquire(1)
        with pytest.raises(Timeout, match=r"commit did not work in 1 tries in 0\.02 s: .* was locked by somebody else"):
            store.storage.commit(batch)
        lock.release()
        drop_lock(lock)


def test_a_cache_serves_what_was_fetched(tmp_path: Path) -> None:
    """`enable_cache` answers from memory up to `max_entries` and `ttl`; fresh fetches pass by."""
    settings = StorageSettings(
        file=FileSettings(base_dir=str(tmp_path)),
        enable_cache=True,
        cache_config=CacheSettings(max_entries=1, ttl=timedelta(hours=1)),
    )
    with prodigy_storage.open(settings) as store, prodigy_storage.open(tmp_path) as other:
        other.storage.commit(Batch((), [Put(NOTES, "a", b"1"), Put(NOTES, "b", b"1")]))
        store.storage.fetch((), NOTES, ["b"])
        store.storage.fetch((), NOTES, ["a"])
        other.storage.commit(Batch((), [Put(NOTES, "a", b"2"), Put(NOTES, "b", b"2")]))
        assert [one.body for one in store.storage.fetch((), NOTES, ["a", "b"]).values()] == [b"1", b"2"]
        assert store.storage.fetch((), NOTES, ["a"], fresh=True)["a"].body == b"2"
    with prodigy_storage.open(tmp_path, settings={"enable_cache": True, "cache_config": {"ttl": "0s"}}) as store:
        before = store.storage.fetch((), NOTES, ["a"])
        with prodigy_storage.open(tmp_path) as other:
            other.storage.commit(Batch((), [Put(NOTES, "a", b"3")]))
        assert (before["a"].body, store.storage.fetch((), NOTES, ["a"])["a"].body) == (b"2", b"3")


def test_without_locking_a_job_is_taken_over() -> None:
    """`enable_locking: false` lets whoever comes take a lock; the former holder is fenced, and `health` says so."""
    with prodigy_storage.open("memory:", settings={"enable_locking": False}) as store:
        first = store.locks.acquire(("r", "j"), "job")
        second = store.locks.acquire(("r", "j"), "job")
        assert second.epoch > first.epoch
        with pytest.raises(Conflict):
            store.storage.commit(Batch(("r", "j"), [first.guard]))
        assert [trial.name for trial in store.health().trials if trial.problem] == ["lock"]
    with prodigy_storage.open("memory:") as store:
        store.locks.acquire(("r", "j"), "job")
        with pytest.raises(Locked):
            store.locks.acquire(("r", "j"), "job")


def test_without_file_locks_the_store_belongs_to_one_process(tmp_path: Path) -> None:
    """`enable_file_locks: false` declares it, and what another process holds is not asked for."""
    with prodigy_storage.open(tmp_path, settings={"backend_config": {"enable_file_locks": False}}) as store:
        assert Capability.MULTI_PROCESS not in store.storage.capabilities
        store.storage.commit(Batch((), [Put(NOTES, "a", b"1")]))
    with prodigy_storage.open(tmp_path) as store:
        assert Capability.MULTI_PROCESS in store.storage.capabilities


def test_the_pool_limits_open_lock_files(tmp_path: Path) -> None:
    """`connection_pool_size` is how many lock files stay open between operations."""
    with prodigy_storage.open(tmp_path, settings={"connection_pool_size": 2}) as store:
        for number in range(6):
            store.storage.commit(Batch((f"r{number}",), [Put(NOTES, "a", b"1")], Durability.OS))
        held = [one.resolve() for one in Path("/proc/self/fd").iterdir()]
        assert len([path for path in held if path.is_relative_to(tmp_path / ".store" / "locks")]) == 2
