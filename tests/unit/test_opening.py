"""From a path, a URL or the environment to a store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import prodigy_storage
from prodigy_storage import FileStorage, MemoryStorage
from prodigy_storage.errors import ConfigError
from prodigy_storage.opening import default_root
from prodigy_storage.ports.storage import Capability

HOWTO = Path(__file__).parents[2] / "docs" / "howto"


def distribution(place: Path, name: str, entry: str) -> None:
    """Lay an installed distribution with one entry point into a folder."""
    info = place / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[prodigy_storage.backends]\n{entry}\n")


def test_nothing_opens_the_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`PRODIGY_HOME` moves everything; without it, or empty, it is `.prodigy` in the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PRODIGY_HOME", raising=False)
    assert default_root() == tmp_path / ".prodigy"
    monkeypatch.setenv("PRODIGY_HOME", "")
    assert default_root() == tmp_path / ".prodigy"
    monkeypatch.setenv("PRODIGY_HOME", "~/elsewhere")
    with prodigy_storage.open() as store:
        assert isinstance(store.storage, FileStorage)
        assert store.storage.root == str(tmp_path / "elsewhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_path_and_a_file_url_open_the_same_store(form: str, tmp_path: Path) -> None:
    """Blanks and percent signs in a path survive; nothing is made until something is written."""
    place = tmp_path / "a b%20c"
    text = str(place).replace("%", "%25").replace(" ", "%20") if "file" in form else str(place)
    with prodigy_storage.open(form.format(text)) as store:
        assert isinstance(store.storage, FileStorage)
        assert store.storage.root == str(place)
    assert not place.exists()


def test_memory_urls_are_new_stores_and_a_backend_is_taken_as_it_is() -> None:
    """Two memory stores share nothing."""
    with prodigy_storage.open("memory:") as one, prodigy_storage.open("memory:") as other:
        assert isinstance(one.storage, MemoryStorage)
        assert one.storage is not other.storage
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
