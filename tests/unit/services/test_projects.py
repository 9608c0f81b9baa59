"""Names of projects, and the directories that share one."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import ConfigError
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import START, fake_runtime


@pytest.fixture
def store():
    with Store(MemoryStorage(), runtime=fake_runtime()) as store:
        yield store


def make(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_link_gives_the_name_of_its_target(store: Store, tmp_path: Path) -> None:
    """A directory has one name and one entry, whatever link it is opened by."""
    shop = make(tmp_path / "work" / "shop")
    (tmp_path / "link").symlink_to(shop)
    assert store.repo(tmp_path / "link") == store.repo(shop) == store.repo(f"{shop}/../shop") == "shop"
    (project,) = store.projects.list("shop")
    assert (project.path, project.claimed_at) == (str(shop), START)
    assert [repo.name for repo in store.repos()] == ["shop"]


def test_a_second_directory_of_one_name_is_warned_of(store: Store, tmp_path: Path) -> None:
    """Both are remembered, and whoever opens one of them learns of the other."""
    one, two = make(tmp_path / "one" / "shop"), make(tmp_path / "two" / "shop")
    store.repo(one)
    for opened, other in ((two, one), (one, two)):
        with pytest.warns(UserWarning, match=f"shop is the name of {opened} and of {other}: they share their data"):
            assert store.repo(opened) == "shop"
    assert {project.path for project in store.projects.claims()["shop"]} == {str(one), str(two)}


def test_an_explicit_name_keeps_two_directories_apart(store: Store, tmp_path: Path) -> None:
    """With a name of its own a directory shares nothing."""
    one, two = make(tmp_path / "one" / "shop"), make(tmp_path / "two" / "shop")
    assert store.repo(one) == "shop"
    assert store.repo(two, name="shop-two") == "shop-two"
    assert {name: [project.path for project in found] for name, found in store.projects.claims().items()} == {
        "shop": [str(one)],
        "shop-two": [str(two)],
    }


def test_the_root_of_the_file_system_needs_a_name(store: Store) -> None:
    """It has no last component."""
    with pytest.raises(ConfigError, match="has no name"):
        store.repo("/")
    assert store.repo("/", name="everything") == "everything"


def test_a_path_of_any_bytes_can_be_claimed(store: Store) -> None:
    """A name that is no UTF-8 on disk is remembered too, and is equal to itself."""
    assert store.projects.claim("shop", "/x/\udcff") == []
    assert store.projects.claim("shop", "/x/\udcff") == []
    assert [project.path for project in store.projects.list("shop")] == ["/x/\ufffd"]
