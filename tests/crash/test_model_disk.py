import json
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from file_store import EVENTS, ITEM, PROGRESS, SCOPE, all_items, all_records, line
from model_disk import Crashed, RecordingDisk

from prodigy_storage.adapters.files import FileStorage, upkeep
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.ports.storage import Append, Batch, Delete, Durability, Expect, Put, Trim

OS, GROUP, FULL = Durability
SAMPLES = 25


class NoSync(Disk):
    """Recovery need not wait for a real disk."""

    def sync(self, descriptor):
        return

    def sync_folder(self, path):
        return


def work(storage: FileStorage) -> list:
    """What is done, in order: each a batch, or something else that changes the disk."""

    def item(name, n, **expect):
        return Put(ITEM, name, line(n=n, pad="x" * (n * 50)), **expect)

    def events(*numbers):
        return Append(EVENTS, b"".join(line(n=n, pad="y" * 40) for n in numbers))

    def trim():
        return Batch(SCOPE, [Trim(EVENTS, storage.records(SCOPE, EVENTS).cursor)])

    return [
        lambda: Batch(SCOPE, [events(1, 2)], GROUP),
        lambda: Batch(SCOPE, [item("a", 1)], FULL),
        lambda: Batch(SCOPE, [item("b", 1, expect=Expect.ABSENT)], FULL),
        lambda: Batch(SCOPE, [item("a", 2), Append(PROGRESS, line(n=1)), Delete(ITEM, "b"), events(3)], FULL),
        lambda: Batch(SCOPE, [events(4)], OS),
        lambda: Batch(SCOPE, [events(5)], GROUP),
        lambda: Batch(SCOPE, [item("a", 3), item("c", 1)], OS),
        lambda: Batch(SCOPE, [item("a", 4)], FULL),
        lambda: Batch(SCOPE, [item("d", 1), Append(PROGRESS, line(n=2))], GROUP),
        lambda: Batch(SCOPE, [events(*range(6, 12))], FULL),
        lambda: Batch(SCOPE, [events(12)], FULL),
        trim,
        lambda: Batch(SCOPE, [events(*range(13, 20))], FULL),
        lambda: Batch(SCOPE, [events(20)], GROUP),
        storage.maintain,
        storage.maintain,
        lambda: Batch(SCOPE, [Delete(ITEM, "a"), Append(PROGRESS, line(n=3))], FULL),
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The log of all changes, with marks where a piece of work began and was acknowledged."""
    root = tmp_path_factory.mktemp("model") / "root"
    root.mkdir()
    disk = RecordingDisk(root)
    storage = FileStorage(root, disk=disk, max_file_size=300)
    batches = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "GRACE_NS", -1)
        run(storage, disk, batches)
    return disk, batches


def run(storage, disk, batches) -> None:
    for number, one in enumerate(work(storage)):
        made = one()
        batches.append(made)
        disk.note("begin", number)
        if isinstance(made, Batch):
            storage.commit(made)
        disk.note("done", number)
    storage.close()


class Expected:
    """What must be, may be, and must not be, after a number of acknowledged batches and one under way."""

    def __init__(self, batches, done: int, *, under_way: bool) -> None:
        self.docs: dict[str, set] = {}
        self.must: dict[str, list[int]] = {"events": [], "progress": []}
        self.may: set[tuple[str, int]] = set()
        for number, batch in enumerate(batches[: done + under_way]):
            if isinstance(batch, Batch):
                self._take(batch, sure=number < done and batch.durability is not OS)

    def _take(self, batch, *, sure: bool) -> None:
        for one in batch.operations:
            if isinstance(one, Append):
                numbers = [json.loads(x)["n"] for x in one.data.split(b"\n")[:-1]]
                if sure:
                    self.must[one.stream.name] += numbers
                else:
                    self.may |= {(one.stream.name, n) for n in numbers}
            elif isinstance(one, Trim):
                self.may |= {("events", n) for n in self.must["events"] if n < 12}
                self.must["events"] = [n for n in self.must["events"] if n >= 12]
            else:
                value = json.loads(one.body)["n"] if isinstance(one, Put) else None
                loose = {"any"} if batch.durability is OS else set()
                self.docs[one.id] = {value} if sure else self.docs.get(one.id, {None}) | {value} | loose

    def check(self, storage) -> None:
        items, damage = all_items(storage)
        found = {name: item["n"] for name, item in items.items()}
        for name, values in self.docs.items():
            assert "any" in values or found.get(name) in values, (name, found.get(name), values)
        loose = {name for name, values in self.docs.items() if "any" in values}
        assert len(damage) <= len(loose), damage
        for stream in (EVENTS, PROGRESS):
            numbers = [record["n"] for record in all_records(storage, stream)[0]]
            assert len(numbers) == len(set(numbers)), "a record came twice"
            assert set(self.must[stream.name]) <= set(numbers), (stream.name, self.must[stream.name], numbers)
            allowed = set(self.must[stream.name]) | {n for name, n in self.may if name == stream.name}
            assert set(numbers) <= allowed


def whole(storage, batches, number: int) -> None:
    """The batch under way is there with all its changes or with none, if it is durable and has several."""
    batch = batches[number]
    if not isinstance(batch, Batch) or batch.durability is OS or len(batch.operations) < 2:
        return
    items = {name: item["n"] for name, item in all_items(storage)[0].items()}
    seen = set()
    for one in batch.operations:
        if isinstance(one, Append):
            numbers = {record["n"] for record in all_records(storage, one.stream)[0]}
            seen.add(json.loads(one.data.split(b"\n")[0])["n"] in numbers)
        elif isinstance(one, Put):
            seen.add(items.get(one.id) == json.loads(one.body)["n"])
        else:
            seen.add(one.id not in items)
    assert len(seen) == 1, "half a batch"


def states(log):
    """Every prefix of the log with how many pieces of work were done, and whether one was under way."""
    done, under_way = 0, False
    for end, entry in enumerate(log, 1):
        if entry[0] == "begin":
            under_way = True
        elif entry[0] == "done":
            done, under_way = entry[1] + 1, False
        yield end, done, under_way


@pytest.fixture
def fast_place(tmp_path):
    """A folder in memory where there is one: thousands of small trees are made and removed."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as place:
        yield Path(place)


def test_no_power_cut_takes_what_was_acknowledged(recorded, fast_place):
    """Whatever of the unsynced changes a power cut keeps, acknowledged data is there once and the store goes on."""
    disk, batches = recorded
    count = 0
    for end, done, under_way in states(disk.log):
        for sample in range(SAMPLES):
            draw = random.Random(f"{end} {sample}")
            crashed = Crashed(disk.log[:end], disk.root)
            crashed.settle(draw, ("all", "none", "some")[min(sample, 2)])
            target = fast_place / f"s{count}"
            crashed.materialize(target)
            storage = FileStorage(target, disk=NoSync(), max_file_size=300)
            expected = Expected(batches, done, under_way=under_way)
            try:
                expected.check(storage)
                if under_way:
                    whole(storage, batches, done)
                storage.commit(Batch(SCOPE, [Put(ITEM, "next", line(n=99)), Append(PROGRESS, line(n=99))], OS))
            except BaseException as error:
                error.add_note(f"change {end} of {len(disk.log)}, sample {sample}, {done} done: {disk.log[end - 1]!r}")
                raise
            storage.close()
            shutil.rmtree(target)
            count += 1
    assert count > 2000
