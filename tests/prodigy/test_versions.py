"""What version 0.1.9 wrote otherwise than 0.4.4, and the table in the documentation that names the proofs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.codecs.documents import DEAD_LETTERS
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_STATES
from prodigy_storage.codecs.records import EventCodec
from prodigy_storage.ports.storage import Document, Version
from prodigy_storage.store import Store

from .checker import offence
from .conftest import CORPUS

JOB = "mapreduce-20250311_060000"
TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs" / "reference" / "prodigy.md"


@pytest.fixture
def old():
    """A dead letter as 0.1.9 wrote it: no context, no place of a log, a signature for people."""
    path = min((CORPUS / "dlq/api-gateway" / JOB).rglob("items/*.json"))
    tree = json.loads(path.read_bytes())
    for failure in tree["failure_history"]:
        failure.pop("error_context", None)
        failure.pop("json_log_location", None)
    tree["error_signature"] = "Timeout::agent took too long after the"
    return json.dumps(tree, indent=2).encode()


def test_a_dead_letter_of_early_versions_is_read_and_keeps_its_form(old):
    """What later versions added is absent; a change adds none of it, and Prodigy 0.4 still accepts the document."""
    document = Document((), "dead_letter", "id", old, Version(""), "place")
    letter = DEAD_LETTERS.decode(document)
    assert {(one.error_context, one.json_log_location) for one in letter.failure_history} == {(None, None)}
    assert letter.error_signature == "Timeout::agent took too long after the"
    assert DEAD_LETTERS.encode(letter, document) == old
    changed = DEAD_LETTERS.encode(attrs.evolve(letter, failure_count=9), document)
    assert json.loads(changed) == {**json.loads(old), "failure_count": 9}
    assert offence("dlq-item", changed) is None


@pytest.mark.parametrize(
    "folder",
    ["dlq/r/j/items", "dlq/r/mapreduce/dlq/j/items", "state/r/mapreduce/dlq/j/items", "dlq/r/j/mapreduce/dlq/j/items"],
)
def test_a_dead_letter_of_early_versions_is_found_in_every_place(tmp_path, old, folder):
    """Each folder in which a version kept dead letters is listed under the same project and job."""
    id = json.loads(old)["item_id"]
    path = tmp_path / folder / f"{id}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(old)
    with Store(FileStorage(tmp_path)) as store:
        assert [one.item_id for one in store.dlq.list("r", "j").values] == [id]


def test_a_job_state_of_early_versions_is_read_and_keeps_its_form():
    """It has no counts of tries, and its results no logs and no cleanup; a change adds none of them."""
    path = min(CORPUS.glob("state/shop/mapreduce/jobs/*/checkpoint-v8.json"))
    tree = json.loads(path.read_bytes())
    del tree["item_retry_counts"]
    for result in tree["agent_results"].values():
        result.pop("json_log_location", None)
        result.pop("cleanup_status", None)
    document = Document((), "prodigy_job_state", "checkpoint-v8", json.dumps(tree, indent=2).encode(), Version(""), "")
    state = PRODIGY_JOB_STATES.decode(document)
    assert state.item_retry_counts == {}
    assert {(one.json_log_location, one.cleanup_status) for one in state.agent_results.values()} == {(None, None)}
    assert PRODIGY_JOB_STATES.encode(state, document) == document.body
    changed = json.loads(PRODIGY_JOB_STATES.encode(attrs.evolve(state, setup_output="new"), document))
    assert changed == {**tree, "setup_output": "new"}


@pytest.mark.parametrize("event_type", ["agent_completed", "claude_message"])
def test_an_event_without_the_place_of_a_log_is_read(event_type):
    """In early versions neither the end of an agent nor a message of Claude named the file of the log."""
    lines = (line for path in sorted(CORPUS.rglob("events-*.jsonl")) for line in path.read_text("utf-8").splitlines())
    record = next(one for line in lines if (one := json.loads(line))["event"]["event_type"] == event_type)
    record["event"].pop("json_log_location", None)
    line = json.dumps(record).encode()
    found = EventCodec().decode(line)
    assert found.event.json_log_location is None
    assert found.event.agent_id == record["event"]["agent_id"]


def rows():
    """The rows of the tables of proofs: the file names and the test names that each mentions."""
    for line in PAGE.read_text("utf-8").splitlines():
        files, names = re.findall(r"`(test_\w+\.py)`", line), re.findall(r"`(test_\w+)(…?)`", line)
        if line.startswith("|") and (files or names):
            yield line, files, names


def test_every_proof_in_the_documentation_exists():
    """Each file of tests that a table names is there, and each test is in one of the files of its row."""
    found = list(rows())
    assert len(found) > 20
    for line, files, names in found:
        assert files, line
        texts = [(TESTS / file).read_text("utf-8") for file in files]
        for name, more in names:
            wanted = f"def {name}" if more else f"def {name}("
            assert any(wanted in text for text in texts), f"{name}: {line}"


KINDS = [
    *("event record", "dead letter", "session", "mapping", "job state", "metadata of a job state"),
    *("MapReduce checkpoint", "reduce checkpoint", "workflow checkpoint", "resume lock", "worktree state"),
    *("orphan registry", "storage configuration", "retention policy", "list of dead letters", "index of events"),
    *("export of dead letters", "export of a checkpoint", "analysis of retention"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_tells_of_every_kind_in_every_version(kind):
    """Each kind has its rows for 0.1.9 and 0.4.4, or one for both; each row says that nothing is lost, and why."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {kind} |")]
    versions = " ".join(line.split("|")[2] for line in lines)
    assert "0.1.9" in versions
    assert "0.4.4" in versions
    for line in lines:
        *_, lost, proof, _ = [cell.strip() for cell in line.split("|")]
        assert lost.startswith("nothing"), line
        assert ".py`" in proof, line
