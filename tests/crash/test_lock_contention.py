import json
import subprocess
import sys
from pathlib import Path

from file_store import LEASE, SCOPE

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.ports.storage import Batch, Put

WORKER = Path(__file__).with_name("lock_worker.py")


def test_processes_that_contend_lose_no_update(tmp_path):
    """Four processes that increment one document by compare-and-set count every increment exactly once."""
    storage = FileStorage(tmp_path / "root")
    storage.commit(Batch(SCOPE, [Put(LEASE, "count", b'{"n":0}')]))
    workers = [subprocess.Popen([sys.executable, WORKER, tmp_path / "root", "150"]) for _ in range(4)]
    assert [worker.wait(100) for worker in workers] == [0, 0, 0, 0]
    assert json.loads(storage.fetch(SCOPE, LEASE, ["count"])["count"].body)["n"] == 600
    storage.close()
