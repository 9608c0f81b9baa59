"""How much a store holds."""

from __future__ import annotations

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import InvalidName, Unsupported
from prodigy_storage.ports.forwarding import Forwarding
from prodigy_storage.ports.measuring import Form
from prodigy_storage.ports.storage import Capability
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import fake_runtime

RUNTIME = fake_runtime()


class Plain(MemoryStorage):
    """A backend that does not measure itself."""

    @property
    def capabilities(self):
        return frozenset({Capability.PRESENCE})


def filled(storage):
    store = Store(storage, runtime=RUNTIME)
    for repo, items in (("shop", 3), ("shop", 1), ("other", 2)):
        with store.runs.start(repo, items=list(range(items)), max_retries=0) as run:
            for attempt in run.attempts():
                with attempt:
                    assert attempt.item != 1
    store.events.flush()
    return store


def documents(usage):
    return {(row.scope, row.of): (row.count, row.bytes) for row in usage.rows if row.form is Form.DOCUMENTS}


def test_a_backend_that_does_not_measure_is_read_through():
    """Documents are counted the same, whether the backend measures or everything is read."""
    store = filled(Plain())
    read = store.usage()
    measured = Store(Forwarding(store.storage), runtime=RUNTIME).usage()
    assert not read.stored
    assert measured == read
    own = MemoryStorage.measure(store.storage)
    assert {(row.scope, row.of): (row.count, row.bytes) for row in own if row.form is Form.DOCUMENTS} == documents(read)
    events = {(row.scope, row.bytes) for row in own if row.of == "events"}
    assert events == {(row.scope, row.bytes) for row in read.rows if row.of == "events"}


def test_sums_by_kind_project_and_job():
    """The groups are sorted by size, and each sums up what belongs to it."""
    usage = filled(MemoryStorage()).usage()
    assert usage.stored
    assert {repo: amount.jobs for repo, amount in usage.by_repo().items()} == {"shop": 2, "other": 1}
    assert len(usage.by_job()) == 3
    for groups in (usage.by_kind(), usage.by_repo(), usage.by_job()):
        sizes = [amount.bytes for amount in groups.values()]
        assert sizes == sorted(sizes, reverse=True)
    assert sum(amount.bytes for amount in usage.by_kind().values()) == usage.total.bytes
    assert usage.by_kind()[Form.DOCUMENTS, "dead_letter"].jobs == 2
    inside = sum(row.bytes for row in usage.rows if row.scope)
    assert sum(amount.bytes for amount in usage.by_repo().values()) == inside


def test_a_project_or_a_job_alone():
    """A scope leaves everything else out; a job needs its project."""
    store = filled(MemoryStorage())
    assert {row.scope[0] for row in store.usage(repo="shop").rows} == {"shop"}
    (repo, job), amount = next(iter(store.usage().by_job().items()))
    assert store.usage(repo=repo, job=job).total == amount
    with pytest.raises(InvalidName):
        store.usage(job=job)


def test_every_file_is_counted_once(tmp_path):
    """The sum of all rows is that of all files, whatever they are; what is no document says in which folder it lies."""
    root = tmp_path / "root"
    store = filled(FileStorage(root))
    (root / "logs" / "shop").mkdir(parents=True)
    (root / "logs" / "shop" / "a.log").write_text("x" * 1000)
    (root / "note.txt").write_text("mine")
    (root / "worktrees" / "shop" / "deep" / "er").mkdir(parents=True)
    (root / "worktrees" / "shop" / "deep" / "er" / "file").write_bytes(b"y" * 500)
    (root / "outside").symlink_to(tmp_path)
    usage = store.usage()
    assert usage.total.bytes == sum(
        path.lstat().st_size for path in root.rglob("*") if not path.is_dir() or path.is_symlink()
    )
    kinds = usage.by_kind()
    assert (kinds[Form.OTHER, "logs"].bytes, kinds[Form.OTHER, "worktrees"].bytes) == (1000, 500)
    assert kinds[Form.OTHER, "."].count == 2
    assert {row.of for row in store.usage(repo="shop").rows} >= {"logs", "worktrees", "dead_letter", "events"}
    assert {row.scope[0] for row in store.usage(repo="shop").rows} == {"shop"}
    store.close()


def test_a_wrapper_says_that_its_storage_does_not_measure():
    """Asking a wrapped backend for what it does not declare is an error of ours."""
    with pytest.raises(Unsupported, match="how much"):
        Forwarding(Plain()).measure()
