"""The real program, built by `nox -s prodigy`, reads what we write in its dialect, and we read what it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.prodigy.documents import PRODIGY_CHECKPOINTS
from prodigy_storage.codecs.prodigy.events import prepare
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import EVENT_TYPES

from .checker import kind_of, manager_offence, offence, unpacked
from .checker_documents import REFUSED, TAKEN, VALUES
from .checker_samples import SAMPLES
from .judging import ABSENT, JUDGE, ask
from .made import difference, instances, json_values, keys
from .speaking import REPO, WAYS, numbered, opened
from .verdicts import judged, recorded

pytestmark = pytest.mark.skipif(not JUDGE, reason=ABSENT)

CORPUS = Path(__file__).parent / "corpus"
IN_ORDER = ["dlq-item", "mapping", "worktree-state", "orphan-registry", "job-metadata"]
"""The kinds without maps, which the program writes in an order that changes."""


def parsed(root, kind, documents):
    """What the program's reader says to each of these documents; one that is no text it never sees."""
    texts = [document.decode() for document in documents]
    return ask(root, [{"do": "parse", "kind": kind, "text": text} for text in texts])


def test_the_recorded_verdicts_are_those_of_the_program():
    """To each change of each sample the program still says what was recorded, and what the checker knows."""
    found = {}
    for sample in SAMPLES:
        found |= judged(sample)
    assert found == recorded()


def test_the_program_and_the_checker_agree_about_strange_documents(tmp_path):
    """What is taken although it looks strange, and what is refused for one reason, is so by the program, too."""
    documents = [*TAKEN.values(), *(document for document, _ in REFUSED.values() if b"\xff" not in document)]
    answers = parsed(tmp_path, "event-record", documents)
    assert [answer["ok"] for answer in answers] == [True] * len(TAKEN) + [False] * (len(answers) - len(TAKEN))


@pytest.mark.parametrize("form", VALUES)
def test_the_program_and_the_checker_agree_about_times_and_durations(tmp_path, form):
    """Each spelling is taken or refused by the program as the checker says."""
    kind, made, taken, refused = VALUES[form]
    answers = parsed(tmp_path, kind, [made(text) for text in (*taken, *refused)])
    accepted = {text for text, answer in zip((*taken, *refused), answers, strict=True) if answer["ok"]}
    assert accepted == set(taken)


def test_the_program_and_the_checker_agree_about_the_corpus(tmp_path):
    """Every file is taken by both, but for the lock that was left behind empty."""
    files = {path.relative_to(CORPUS).as_posix(): path for path in sorted(CORPUS.rglob("*")) if path.is_file()}
    kinds = {name: kind for name in files if (kind := kind_of(name))}
    documents = {name: unpacked(name, files[name].read_bytes()) for name in kinds}
    asked = [{"do": "parse", "kind": kinds[name], "text": documents[name].decode()} for name in kinds]
    verdicts = {name: answer["ok"] for name, answer in zip(kinds, ask(tmp_path, asked), strict=True)}
    assert verdicts == {name: offence(kinds[name], documents[name]) is None for name in kinds}
    assert [name for name, ok in verdicts.items() if not ok] == ["resume_locks/mapreduce-20250325_222222.lock"]


def test_the_program_and_the_checker_agree_about_integrity(tmp_path):
    """The manager takes those checkpoints of the corpus whose hash is its own, in whatever form they are stored."""
    root = tmp_path / ".prodigy"
    shutil.copytree(CORPUS / "state", root / "state")
    paths = sorted((root / "state").rglob("cp-*"))
    asked = [
        {
            "do": "load",
            "kind": "mr-checkpoint",
            "repo": path.parent.parent.relative_to(root / "state").as_posix(),
            "job": "any",
            "id": path.name.partition(".")[0],
            "compression": path.suffix[1:],
        }
        for path in paths
    ]
    verdicts = [manager_offence(unpacked(path.name, path.read_bytes())) is None for path in paths]
    assert [answer["ok"] for answer in ask(root, asked)] == verdicts
    assert set(verdicts) == {True, False}


def collected(strategy, count):
    """So many values of a strategy, edge values included."""
    found = []

    @settings(max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def each(value):
        found.append(value)

    each()
    return found


def plain(kind, text):
    """The values of a document; the order of what the program keeps as a set does not count, nor our additions."""
    tree = json.loads(text)
    if isinstance(tree, dict):
        tree = {name: value for name, value in tree.items() if not name.startswith("_")}
    if kind == "job-state":
        tree["completed_agents"] = sorted(set(tree["completed_agents"]))
    if kind == "workflow-checkpoint" and tree["mapreduce_state"]:
        tree["mapreduce_state"]["completed_items"] = sorted(set(tree["mapreduce_state"]["completed_items"]))
    return tree


def differences(kind, ours, theirs):
    """What the program refused, and where the values that it gave back are others."""
    return [
        answer["error"] or found
        for text, answer in zip(ours, theirs, strict=True)
        if not answer["ok"] or (found := difference(plain(kind, text), plain(kind, answer["written"])))
    ]


def without_zeros(line):
    """An event line without zeros at the end of its time, which the program does not write."""
    members = json.loads(line)
    seconds, point, fraction = members["timestamp"][:-1].partition(".")
    thousands = 3 * -(-len(fraction.rstrip("0")) // 3)
    members["timestamp"] = f"{seconds}{point}{fraction[:thousands]}Z" if thousands else f"{seconds}Z"
    return json.dumps(members)


@pytest.fixture(scope="module")
def written(request, tmp_path_factory):
    """A kind, the root of a store of ours with many documents of it, and these."""
    kind, root = request.param, tmp_path_factory.mktemp("written")
    with opened(root) as store:
        values = collected(WAYS[kind].values, 60)
        paths = [WAYS[kind].write(store, number, value) for number, value in enumerate(values)]
    if kind == "job-state":
        for path in paths:
            point_at(root / path)
    return kind, root, [unpacked(path, (root / path).read_bytes()).decode() for path in paths]


def point_at(path):
    """Make `path` the newest state of its job."""
    newest = {"path": str(path), "version": 3, "created_at": "2025-03-10T08:15:04Z", "size_bytes": path.stat().st_size}
    path.with_name("metadata.json").write_text(json.dumps(newest), "utf-8")


@pytest.mark.parametrize("written", WAYS, indirect=True)
def test_the_program_reads_what_we_write(written):
    """Each document that we write is read with the program's type, and its values come back as they were."""
    kind, root, texts = written
    assert differences(kind, texts, ask(root, [{"do": "parse", "kind": kind, "text": text} for text in texts])) == []


@pytest.mark.parametrize("written", IN_ORDER, indirect=True)
def test_our_text_is_that_of_the_program(written):
    """Where the program has no map in random order, it writes what it read from us byte for byte as we did."""
    kind, root, texts = written
    answers = ask(root, [{"do": "parse", "kind": kind, "text": text} for text in texts])
    assert [answer["written"] for answer in answers] == texts


@pytest.mark.parametrize("written", [kind for kind in WAYS if WAYS[kind].asked], indirect=True)
def test_the_program_finds_what_we_write(written):
    """At the path where its own store looks, the program finds each document, whole."""
    kind, root, texts = written
    numbers = range(len(texts))
    asked = [{"do": "load", "kind": kind, **numbered(WAYS[kind].asked, number)} for number in numbers]
    answers = ask(root, asked)
    for number, answer in enumerate(answers):
        if kind == "dlq-item" and answer["ok"]:
            answer["written"] = answer["written"][f"item_{number}"]
        if kind == "mapping" and answer["ok"]:
            answer["written"], other = answer["written"]
            assert answer["written"] == other
    assert differences(kind, texts, answers) == []


@pytest.mark.parametrize("kind", [kind for kind in WAYS if WAYS[kind].saved is not None])
def test_we_read_what_the_program_writes(tmp_path, kind):
    """What the program's own store saves, ours reads with every value, and gives back the same bytes."""
    way = WAYS[kind]
    values = [way.named(value, number) for number, value in enumerate(collected(way.values, 40))]
    texts = [way.codec.encode(value).decode() for value in values]
    saves = [
        {"do": "save", "kind": kind, "text": text, **numbered(way.saved, number)} for number, text in enumerate(texts)
    ]
    assert [answer["error"] for answer in ask(tmp_path, saves) if not answer["ok"]] == []
    with opened(tmp_path) as store:
        found = [way.read(store, number) for number in range(len(values))]
    kept = [document.body for document in (loaded.document for loaded in found)]
    assert [way.codec.encode(loaded.value, loaded.document) for loaded in found] == kept
    assert [
        difference(plain(kind, text), plain(kind, way.codec.encode(loaded.value)))
        for text, loaded in zip(texts, found, strict=True)
    ] == [None] * len(values)


@pytest.mark.parametrize("compression", ["json", "gz", "zst", "lz4"])
def test_we_read_the_checkpoints_that_the_program_makes(tmp_path, compression):
    """Its manager gives a checkpoint an id, a time and a hash; all else we read as it was, in every compression."""
    values = collected(WAYS["mr-checkpoint"].values, 20)
    texts = [PRODIGY_CHECKPOINTS.encode(value).decode() for value in values]
    save = {"do": "save", "kind": "mr-checkpoint", "repo": REPO, "compression": compression}
    answers = ask(tmp_path, [{**save, "text": text} for text in texts])
    with opened(tmp_path) as store:
        ids = [answer["written"] for answer in answers]
        documents = store.storage.fetch((REPO,), kinds.PRODIGY_CHECKPOINT, ids)
    for text, id in zip(texts, ids, strict=True):
        ours, theirs = json.loads(text), json.loads(documents[id].body)
        read = json.loads(PRODIGY_CHECKPOINTS.encode(PRODIGY_CHECKPOINTS.decode(documents[id])))
        assert manager_offence(documents[id].body) is None
        assert (read["metadata"]["checkpoint_id"], read["metadata"]["checkpoint_reason"]) == (id, "Manual")
        for name in ("checkpoint_id", "created_at", "checkpoint_reason"):
            ours["metadata"][name] = read["metadata"][name] = theirs["metadata"][name]
        assert difference(ours, theirs) is None
        assert difference(read, theirs) is None


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_the_program_reads_the_events_that_we_write(tmp_path, cls):
    """Each line is read with the program's type, and its values come back as they were."""
    with opened(tmp_path) as store, store.events.logger(REPO, "job-0") as logger:
        for event, metadata in collected(st.tuples(instances(cls), st.dictionaries(keys, json_values, max_size=2)), 30):
            logger.log(event, metadata=metadata)
    (file,) = (tmp_path / "events" / REPO / "job-0").glob("events-*.jsonl")
    (answer,) = ask(tmp_path, [{"do": "parse", "kind": "event-lines", "path": str(file)}])
    assert answer["error"] is None
    lines = [without_zeros(line) for line in file.read_text("utf-8").split("\n")[:-1]]
    written = [{"ok": True, "error": None, "written": line} for line in answer["written"]]
    assert differences("event-record", lines, written) == []


def test_we_read_the_events_that_the_program_logs(tmp_path):
    """Events of every type, logged by the program's own logger, come back as the same values."""
    events = [event for cls in EVENT_TYPES.values() for event in collected(instances(cls), 10)]
    texts = [bytes(prepare(event)).decode() for event in events]
    save = {"do": "save", "kind": "event-record", "repo": REPO, "job": "job-0"}
    answers = ask(tmp_path, [{**save, "text": text} for text in texts])
    assert [answer["error"] for answer in answers if not answer["ok"]] == []
    with opened(tmp_path) as store:
        found = list(store.events.query(EventFilter(repo=REPO, job="job-0")))
    assert [bytes(prepare(record.event)).decode() for record in found] == texts
