"""Copies and backups that are killed, and repeated."""

from __future__ import annotations

import os
import signal

import pytest

from prodigy_storage.adapters.archives import CompressedFiles
from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import DATA_KINDS, DATA_STREAMS, MAPPING, SESSION
from prodigy_storage.ports.storage import Query
from prodigy_storage.store import Store
from prodigy_storage.transfer import copy

pytestmark = pytest.mark.kill


class Dying(FileStorage):
    """A store whose process is killed after, or in the place of, its n-th commit."""

    left = 0
    after = True

    def commit(self, batch):
        self.left -= 1
        if self.left == 0 and self.after:
            super().commit(batch)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().commit(batch)


def killed(work):
    """Run it in a child; whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def documents(storage):
    return {
        (kind.name, one.scope, one.id): one.body
        for kind in DATA_KINDS
        for one in storage.documents(Query(kind, limit=1000)).documents
    }


def records(storage):
    return {
        (stream.name, s): storage.records(s, stream).data for stream in DATA_STREAMS for s in storage.scopes(stream)
    }


@pytest.fixture
def source():
    storage = MemoryStorage()
    store = Store(storage)
    for fails in (False, True):
        with store.runs.start("shop", items=[1, 2, 3], max_retries=0) as run:
            for attempt in run.attempts():
                with attempt:
                    assert not fails
    store.events.flush()
    return storage


def test_a_copy_killed_at_any_commit_goes_on(source, tmp_path):
    """Killed at each commit in turn, before and after it, the same target ends with everything, once."""
    wanted = documents(source), records(source)
    deaths = 0
    for after in (False, True):
        root = tmp_path / str(after)
        for left in range(1, 100):
            target = Dying(root)
            target.left, target.after = left if not after else 1, after
            if not killed(lambda target=target: copy(source, target)):
                break
            deaths += 1
            with_sessions = FileStorage(root)
            named = {key[0] for key in documents(with_sessions)}
            if named & {MAPPING.name, SESSION.name}:
                assert records(with_sessions) == wanted[1], "what names a job came before its records"
            with_sessions.close()
        storage = FileStorage(root)
        assert (documents(storage), records(storage)) == wanted
        assert copy(source, storage).changed is False
        storage.close()
    assert deaths > 10


def test_a_backup_that_is_killed_leaves_no_file(source, tmp_path):
    """Whatever was written when the process died, no file has the name of the backup."""
    file = tmp_path / "all.backup"

    def pieces():
        yield b"x" * (3 << 20)
        os.kill(os.getpid(), signal.SIGKILL)
        yield b"y"

    assert killed(lambda: CompressedFiles().write(file, pieces()))
    assert not file.exists()
    Store(source).transfers.backup(str(file))
    assert Store(MemoryStorage()).transfers.restore(str(file)).report.complete
