"""Where Prodigy keeps things: every file of a root of its own is found, or known to be no data."""

from __future__ import annotations

import errno
import gzip
import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.files.disk import Disk
from prodigy_storage.adapters.files.layout import Layout
from prodigy_storage.adapters.files.names import encode
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.walks import walk
from prodigy_storage.errors import ConfigError
from prodigy_storage.ports.storage import Append, Batch, Delete, Expect, Put, Query
from prodigy_storage.store import Store

from .conftest import CORPUS, copied, tree_of

TS = "[0-9]{8}_[0-9]{6}"
REACHED = [
    (r"dlq/[^/]+/[^/]+/mapreduce/dlq/[^/]+/items/[^/]+\.json", "dead_letter"),
    (r"dlq/[^/]+/[^/]+/items/[^/]+\.json", "dead_letter"),
    (r"dlq/[^/]+/mapreduce/dlq/[^/]+/items/[^/]+\.json", "dead_letter"),
    (r"state/[^/]+/mapreduce/dlq/[^/]+/items/[^/]+\.json", "dead_letter"),
    (rf"events/[^/]+/[^/]+/events-{TS}(\.{TS})?\.jsonl(\.gz)?", "events"),
    (rf"events/archive/events_archive_{TS}\.jsonl(\.gz)?", "events"),
    (r"sessions/[^/]+\.json", "session"),
    (r"sessions/[^/]+/checkpoint\.json", "prodigy_checkpoint"),
    (r"state/[^/]+/mappings/[^/]+\.json", "mapping"),
    (r"state/[^/]+/mapreduce/jobs/[^/]+/checkpoint-v[0-9]+\.json", "prodigy_job_state"),
    (r"state/[^/]+/mapreduce/jobs/[^/]+/metadata\.json", "prodigy_job_metadata"),
    (r"state/[^/]+/checkpoints/[^/]+\.checkpoint\.(json|gz|zst)", "prodigy_checkpoint"),
    (r"state/[^/]+/[^/]+/mapreduce/checkpoints/[^/]+\.checkpoint\.(json|gz|zst|lz4)", "prodigy_checkpoint"),
    (r"state/reduce_checkpoints/[^/]+/reduce-checkpoint-[^/]+\.json", "reduce_checkpoint"),
    (r"resume_locks/[^/]+\.lock", "resume_lock"),
    (r"worktrees/[^/]+/\.metadata/[^/]+\.json", "worktree"),
    (r"orphaned_worktrees/[^/]+/[^/]+\.json", "orphaned_worktrees"),
]
NO_DATA = [
    (r"(dlq|state)/.*/index\.json", "names of the items beside it; derived, so the store does without"),
    (
        r"events/[^/]+/[^/]+/index\.json",
        "counts and offsets of the events beside it; derived, so the store does without",
    ),
    (rf"events/shop/mapreduce-20250315_110000/events-{TS}\.jsonl", "an empty file"),
    (r"worktrees/[^/]+/\.metadata/cleanup\.log", "a log of text for people"),
    (r"worktrees/[^/]+/\.gitignore", "for git"),
    (r"extra/.*", "exports and configurations that lie in no root"),
    (r"legacy-project/\.prodigy/.*", "the directory of an old project, a root of its own"),
    (r"README\.md", "says what this is"),
]
KINDS = {kind.name: kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}


def everything(storage):
    """What each file is reached as, and what is wrong anywhere."""
    found, damage = {}, []
    for name, kind in KINDS.items():
        for page in walk(storage, Query(kind, limit=1000)):
            damage += page.damage
            found.update((document.place, name) for document in page.documents)
    for scope in storage.scopes(EVENTS):
        chunk = storage.records(scope, EVENTS)
        while chunk.data:
            damage += chunk.damage
            found.update((part.place, "events") for part in chunk.parts)
            chunk = storage.records(scope, EVENTS, chunk.cursor)
    return found, damage


def test_every_file_is_reached_or_is_no_data(opened):
    """Each file of the corpus is a document of its kind or a segment of events, or is on the list of what is neither."""
    found, damage = everything(opened(CORPUS))
    assert not damage
    for path in CORPUS.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(CORPUS))
            known = [why for pattern, why in NO_DATA if re.fullmatch(pattern, name)]
            wanted = known or [what for pattern, what in REACHED if re.fullmatch(pattern, name)]
            assert wanted[:1] == [found.pop(str(path), None) or (known and known[0])], name
    assert not found


def test_an_old_project_is_a_root_of_its_own(opened):
    """The `.prodigy` of a project from before the global storage belongs to the project in which it lies."""
    root = CORPUS / "legacy-project" / ".prodigy"
    found, damage = everything(opened(root))
    assert not damage
    reached = {str(Path(place).relative_to(root)): what for place, what in found.items()}
    job = "mapreduce-20250304_235959"
    assert reached == {
        **{f"dlq/mapreduce/dlq/{job}/items/item_{n}.json": "dead_letter" for n in range(3)},
        "events/mapreduce-20250301_070000/events-20250301_070000.jsonl": "events",
        "events/mapreduce_events.jsonl": "events",
        "checkpoints/local-1.checkpoint.json": "prodigy_checkpoint",
    }
    with Store(FileStorage(root)) as store:
        assert [(repo.name, repo.jobs) for repo in store.repos()] == [
            ("legacy-project", ("mapreduce-20250301_070000", job))
        ]
        assert len(store.dlq.list("legacy-project", job).values) == 3


def test_repositories_are_the_names_that_hold_data():
    """Session keys count as repositories; what only looks like one does not."""
    with Store(FileStorage(CORPUS)) as store:
        names = [repo.name for repo in store.repos()]
    assert [name for name in names if not name.startswith(("session-", "workflow-"))] == ["api-gateway", "shop"]
    assert sum(name.startswith("session-") for name in names) == 6
    assert sum(name.startswith("workflow-") for name in names) == 3


def test_reading_changes_nothing(corpus):
    """Whatever is listed, shown, counted and followed, not one file or time in the root is changed."""
    before = tree_of(corpus)
    with Store(FileStorage(corpus)) as store:
        everything(store.storage)
        store.repos()
        store.usage()
        store.sessions.list()
        store.dlq.list()
        store.dlq.stats()
        store.events.stats()
        list(store.events.query())
        store.mappings.find("mapreduce-20250303_064508")
        store.locks.list(lambda _: None)
        for loaded in store.dlq.list().loaded:
            store.dlq.get(*loaded.document.scope, loaded.value.item_id)
    assert tree_of(corpus) == before


def test_half_a_mapping_is_found_and_left_so(tmp_path):
    """A mapping of which Prodigy wrote one side only is found by either id, and looking does not complete it."""
    root = copied(tmp_path, "state")
    side = root / "state/shop/mappings/mapreduce-20250303_064508.json"
    session = json.loads(side.read_bytes())["session_id"]
    side.unlink()
    before = tree_of(root)
    with Store(FileStorage(root)) as store:
        for id in (session, side.stem):
            assert store.mappings.find(id)["shop"].job_id == side.stem
    assert tree_of(root) == before


def letter(item):
    """A dead letter as Prodigy writes it."""
    path = CORPUS / "dlq/shop/mapreduce-20250308_120000/items/item_0.json"
    return json.dumps({**json.loads(path.read_bytes()), "item_id": item}, indent=2).encode()


pieces = st.one_of(
    st.characters(codec="utf-8", exclude_characters="\0"), st.sampled_from(["/", "%", "%2F", "%25", "..", "a"])
)
ids = st.lists(pieces, min_size=1, max_size=20).map("".join)
REAL = "dlq/shop/j/mapreduce/dlq/j/items"
RAW = ["src/a b.py", "100%25", "a%2Fb", "tab\there", ".env", "ü: *?", "x.json", "deep.d/y", "it's"]


@pytest.fixture
def raw(tmp_path):
    """A queue whose items have ids that are no file names of ours, written as Prodigy does."""
    for item in RAW:
        path = tmp_path / "root" / REAL / f"{item}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(letter(item))
    return tmp_path / "root"


def test_ids_are_those_inside_the_documents(raw, opened):
    """Items that Prodigy stored under their ids as they are, slashes and control characters included, are found."""
    storage = opened(raw)
    page = storage.documents(Query(kinds.DEAD_LETTER))
    assert ({one.id for one in page.documents}, page.damage) == (set(RAW), [])
    for item in RAW:
        (found,) = storage.fetch(("shop", "j"), kinds.DEAD_LETTER, [item]).values()
        assert (found.place, found.body) == (str(raw / REAL / f"{item}.json"), letter(item))
    assert not storage.fetch(("shop", "j"), kinds.DEAD_LETTER, ["a/b", "../x", "src"])


def test_what_is_found_in_a_variant_place_is_changed_there(raw, opened):
    """An item is rewritten and removed where Prodigy put it, and its list of items follows."""
    storage = opened(raw)
    for item in RAW:
        body = letter(item) + b"\n"
        storage.commit(Batch(("shop", "j"), (Put(kinds.DEAD_LETTER, item, body),)))
        assert (raw / REAL / f"{item}.json").read_bytes() == body
    storage.commit(Batch(("shop", "j"), [Delete(kinds.DEAD_LETTER, item) for item in RAW[1:]]))
    assert [one.id for one in storage.documents(Query(kinds.DEAD_LETTER)).documents] == RAW[:1]
    assert not (raw / "dlq/shop/j/items").exists()
    listing = json.loads((raw / REAL).with_name("index.json").read_bytes())
    assert list(listing) == ["item_count", "item_ids", "job_id", "updated_at"]
    assert (listing["item_count"], listing["item_ids"], listing["job_id"]) == (0, [], "j")


@pytest.mark.parametrize("layout", ["documented", "prodigy-0.4"])
def test_a_name_that_is_taken_by_another_item_is_not_overwritten(tmp_path, opened, layout):
    """Where Prodigy's item `a%2Fb` has the file name that `a/b` would have, each keeps its own file."""
    for folder in (REAL, "dlq/shop/j/items"):
        for item in ("a%2Fb", "100%25"):
            path = tmp_path / layout / folder / f"{item}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(letter(item))
        storage = opened(tmp_path / layout, layout=layout)
        for item in ("a/b", "100%", "a%2Fb"):
            storage.commit(Batch(("shop", "j"), (Put(kinds.DEAD_LETTER, item, letter(item) + b" "),)))
        found = {one.id: one.body for one in storage.documents(Query(kinds.DEAD_LETTER)).documents}
        assert found == {item: letter(item) + b" " * (item != "100%25") for item in ("a%2Fb", "100%25", "a/b", "100%")}
        shutil.rmtree(tmp_path / layout)


def test_a_list_that_cannot_be_written_harms_nothing(raw, opened):
    """An item that was stored is stored, although the list of items beside it could not be rewritten."""

    class Full(Disk):
        def replace(self, source, target):
            if target.endswith("index.json"):
                raise OSError(errno.ENOSPC, "no space left")
            super().replace(source, target)

    storage = opened(raw, disk=Full())
    storage.commit(Batch(("shop", "j"), (Delete(kinds.DEAD_LETTER, "it's"),)))
    assert "it's" not in {one.id for one in storage.documents(Query(kinds.DEAD_LETTER)).documents}
    assert not (raw / REAL).with_name("index.json").exists()
    assert not list(raw.rglob("*.tmp"))


def test_a_name_that_belongs_to_another_item_is_reported(raw, opened):
    """A file whose name does not lead to the item in it, and a second copy of an item, are named, not shown."""
    (raw / REAL / "strange.json").write_bytes(letter("it's"))
    copy = raw / "dlq/shop/j/items/it%27s.json"
    copy.parent.mkdir()
    copy.write_bytes(letter("it's"))
    page = opened(raw).documents(Query(kinds.DEAD_LETTER))
    assert sorted(one.place for one in page.documents if one.id == "it's") == [str(copy)]
    reasons = {Path(one.place).name: one.reason for one in page.damage}
    assert set(reasons) == {"strange.json", "it's.json"}
    assert "rename it" in reasons["strange.json"]
    assert "twice" in reasons["it's.json"]


@pytest.mark.parametrize("repo", ["c++", "site (copy)", ".dotfiles", "a%20b", "e\u0301", "big repo"])
def test_projects_with_unusual_names_are_found(tmp_path, repo):
    """A project directory that Prodigy used as it is, though we would encode it, is one project with what we add."""
    root = tmp_path / "root"
    shutil.copytree(CORPUS / "dlq/shop/mapreduce-20250308_120000", root / "dlq" / repo / "job")
    shutil.copytree(CORPUS / "events/shop/mapreduce-20250312_140000", root / "events" / repo / "job")
    shutil.copytree(CORPUS / "state/shop/mappings", root / "state" / repo / "mappings")
    with Store(FileStorage(root)) as store:
        store.dlq.add(repo, "job", store.dlq.get(repo, "job", "item_0"))
        store.storage.commit(Batch((repo, "job"), (Put(kinds.DEAD_LETTER, "new", letter("new"), Expect.ABSENT),)))
        assert {one.name: one.jobs for one in store.repos()} == {repo: ("job",)}
        assert sorted(one.item_id for one in store.dlq.list(repo).values) == sorted(
            [*(f"item_{n}" for n in (0, 3, 6, 9, 12)), "new"]
        )
        assert sum(1 for _ in store.events.query()) == 162
        assert len(store.mappings.find("mapreduce-20250303_064508")) == 1


@pytest.mark.parametrize("form", ["json", "gz", "zst", "lz4"])
def test_compressed_checkpoints_are_read_and_changed_in_their_form(corpus, opened, form):
    """The body of a checkpoint is plain in every form, its version is that of the body, and its form is kept."""
    days = {"json": 9, "gz": 10, "zst": 11, "lz4": 12}
    scope = ("api-gateway", f"mapreduce-202503{days[form]:02}_160000")
    storage = opened(corpus)
    document = storage.documents(Query(kinds.PRODIGY_CHECKPOINT, scope, limit=1)).documents[0]
    assert json.loads(document.body)["metadata"]["job_id"] == scope[1]
    changed = document.body.replace(b'"Interval"', b'"Manual"') + b"\n"
    receipt = storage.commit(Batch(scope, (Put(kinds.PRODIGY_CHECKPOINT, document.id, changed, document.version),)))
    (again,) = storage.fetch(scope, kinds.PRODIGY_CHECKPOINT, [document.id]).values()
    assert (again.body, again.place) == (changed, document.place)
    assert again.version == receipt.versions["prodigy_checkpoint", document.id]
    assert document.place.endswith(f".checkpoint.{form}")
    assert (
        Path(document.place)
        .read_bytes()
        .startswith({"json": b"{", "gz": b"\x1f\x8b", "zst": b"\x28\xb5"}.get(form, b""))
    )


def test_a_missing_reader_of_lz4_is_named(corpus, opened, monkeypatch):
    """Without the extra, each lz4 checkpoint is named with what reads it, and the others are there."""
    monkeypatch.setitem(__import__("sys").modules, "lz4", None)
    page = opened(corpus).documents(Query(kinds.PRODIGY_CHECKPOINT, limit=1000))
    assert len(page.documents) == 59 - 11
    assert len(page.damage) == 11
    assert all(one.place.endswith(".lz4") and "lz4" in one.reason for one in page.damage)


class TestProdigysLayout:
    """What is new goes to the places, and under the names, that Prodigy itself uses."""

    @pytest.fixture
    def storage(self, tmp_path, opened):
        return opened(tmp_path / "root", layout="prodigy-0.4")

    def files(self, storage):
        root = Path(storage.root)
        return {
            str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".store" not in path.parts
        }

    def test_items(self, storage):
        """Dead letters lie at the real place, where Prodigy looks for them, with the list of items beside."""
        for item in ["item_1", "a/b", "100%"]:
            storage.commit(Batch(("c++", "j"), (Put(kinds.DEAD_LETTER, item, letter(item), Expect.ABSENT),)))
        place = "dlq/c++/j/mapreduce/dlq/j"
        names = {f"{place}/items/{name}.json" for name in ("item_1", "a%2Fb", "100%")}
        assert self.files(storage) == {*names, f"{place}/index.json"}
        listing = json.loads((Path(storage.root) / place / "index.json").read_bytes())
        assert (listing["item_count"], listing["item_ids"], listing["job_id"]) == (3, ["100%", "a%2Fb", "item_1"], "j")

    @settings(max_examples=200, deadline=None)
    @given(st.lists(ids, min_size=1, max_size=8, unique=True))
    def test_every_item_is_a_direct_child(self, names):
        """Whatever the ids are, each item has a file of its own directly in the folder, as Prodigy looks no deeper."""
        layout = Layout("/root", prodigy=True)
        folder = "dlq/r/j/mapreduce/dlq/j/items"
        paths = [layout.paths("dead_letter", ("r", "j"), name)[0] for name in names]
        assert len(set(paths)) == len(names)
        for name, path in zip(names, paths, strict=True):
            head, _, file = path.rpartition("/")
            assert head == folder
            assert file.endswith(".json")
            assert file not in {".json", ""}
            assert (file == f"{name}.json") or file == encode(name, ".json")

    def test_states_and_checkpoints(self, storage):
        """Job states, checkpoints of each sort, worktrees and orphans lie where Prodigy looks for them."""
        body = {
            kinds.PRODIGY_JOB_STATE: b'{"updated_at": "2025-03-10T08:15:04Z", "is_complete": false}',
            kinds.PRODIGY_JOB_METADATA: b'{"created_at": "2025-03-10T08:15:04Z"}',
            kinds.PRODIGY_CHECKPOINT: b'{"timestamp": "2025-03-10T08:15:04Z"}',
            kinds.REDUCE_CHECKPOINT: b'{"timestamp": "2025-03-10T08:15:04Z"}',
            kinds.ORPHANED_WORKTREES: b"[]",
        }
        for scope, kind, id in [
            (("r", "j"), kinds.PRODIGY_JOB_STATE, "checkpoint-v3"),
            (("r", "j"), kinds.PRODIGY_JOB_METADATA, "metadata"),
            (("r", "j"), kinds.PRODIGY_CHECKPOINT, "cp-1"),
            (("r",), kinds.PRODIGY_CHECKPOINT, "cp-2"),
            (("workflow-1",), kinds.PRODIGY_CHECKPOINT, "workflow-2"),
            ((), kinds.REDUCE_CHECKPOINT, "j/reduce-checkpoint-v1-20250310_081504"),
            (("r",), kinds.ORPHANED_WORKTREES, "j"),
        ]:
            storage.commit(Batch(scope, (Put(kind, id, body[kind], Expect.ABSENT),)))
            assert storage.fetch(scope, kind, [id])[id].body == body[kind]
            assert id in {one.id for one in storage.documents(Query(kind, scope)).documents}
        assert self.files(storage) == {
            "state/r/mapreduce/jobs/j/checkpoint-v3.json",
            "state/r/mapreduce/jobs/j/metadata.json",
            "state/r/j/mapreduce/checkpoints/cp-1.checkpoint.gz",
            "state/r/checkpoints/cp-2.checkpoint.gz",
            "state/workflow-1/checkpoints/workflow-2.checkpoint.json",
            "state/reduce_checkpoints/j/reduce-checkpoint-v1-20250310_081504.json",
            "orphaned_worktrees/r/j.json",
        }
        packed = Path(storage.root) / "state/r/checkpoints/cp-2.checkpoint.gz"
        assert gzip.decompress(packed.read_bytes()) == body[kinds.PRODIGY_CHECKPOINT]

    def test_what_lies_elsewhere_is_changed_there(self, storage, tmp_path, opened):
        """An item of the documented layout stays where it is when it is changed."""
        opened(tmp_path / "root").commit(Batch(("r", "j"), (Put(kinds.DEAD_LETTER, "x", letter("x")),)))
        storage.commit(Batch(("r", "j"), (Put(kinds.DEAD_LETTER, "x", letter("x") + b" "),)))
        assert self.files(storage) == {"dlq/r/j/items/x.json"}

    def test_events_are_not_compressed(self, storage, tmp_path, opened):
        """Prodigy reads plain segments only, so upkeep leaves them plain."""
        lines = (CORPUS / "events/shop/mapreduce-20250312_140000/events-20250312_140000.jsonl").read_bytes()
        storage.commit(Batch(("r", "j"), (Append(EVENTS, lines),)))
        storage.close()
        opened(tmp_path / "root", layout="prodigy-0.4").maintain()
        assert [path.suffix for path in (tmp_path / "root/events/r/j").iterdir()] == [".jsonl"]

    def test_an_unknown_layout_is_refused(self, tmp_path):
        """A layout that does not exist is named, with those that do."""
        with pytest.raises(ConfigError, match=r"documented, prodigy-0\.4"):
            FileStorage(tmp_path, layout="prodigy")
