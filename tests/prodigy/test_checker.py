from __future__ import annotations

import json
from pathlib import Path

import pytest

from .checker import kind_of, manager_offence, offence, unpacked
from .checker_documents import REFUSED, TAKEN, VALUES, record
from .checker_samples import SAMPLES, damages
from .verdicts import recorded

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file() and kind_of(path.relative_to(CORPUS).as_posix()))
EMPTY_LOCK = "resume_locks/mapreduce-20250325_222222.lock"
BY_MANAGER = 17
VERDICTS = recorded()


def test_every_file_of_the_corpus_but_the_empty_lock_is_acceptable():
    """What the program wrote, its reader takes; the lock that it left behind empty, it does not."""
    found = {path: path.relative_to(CORPUS).as_posix() for path in FILES}
    refused = {
        name: reason
        for path, name in found.items()
        if (reason := offence(kind_of(name), unpacked(name, path.read_bytes())))
    }
    assert refused == {EMPTY_LOCK: "document: no JSON at character 0"}


def test_the_manager_takes_checkpoints_with_its_own_hash_only():
    """Of the checkpoints in the corpus, those that the manager wrote have its hash; the others have another one."""
    documents = [unpacked(path.name, path.read_bytes()) for path in FILES if path.name.startswith("cp-")]
    reasons = [manager_offence(document) for document in documents]
    assert reasons.count(None) == BY_MANAGER
    assert set(reasons) == {None, "metadata.integrity_hash: does not fit"}


def test_the_manager_wants_assigned_agents_to_be_active():
    """An agent with an assignment that is not among the active ones makes a checkpoint useless."""
    sample = json.loads(json.dumps(SAMPLES["mr-checkpoint/agent_state"]))
    sample["agent_state"]["active_agents"] = {}
    assert manager_offence(json.dumps(sample).encode()) == "agent_state.agent_assignments.a: not an active agent"


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_checker_says_what_the_program_said(sample):
    """To each change of each value, in each kind, the checker's verdict is the recorded one of the program."""
    kind = sample.partition("/")[0]
    assert offence(kind, json.dumps(SAMPLES[sample]).encode()) is None
    accepted = {}
    for path, change, text in damages(sample):
        changes = accepted.setdefault((sample, path), set())
        if offence(kind, text.encode()) is None:
            changes.add(change)
    assert accepted == {place: changes for place, changes in VERDICTS.items() if place[0] == sample}


@pytest.mark.parametrize("document", TAKEN.values(), ids=TAKEN)
def test_what_looks_strange_and_is_accepted(document):
    """The program's reader is wider than one would think."""
    assert offence("event-record", document) is None


@pytest.mark.parametrize(("document", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_document_that_breaks_one_rule_is_refused(document, reason):
    """Each rule about the text of a document has one that breaks it alone, and the verdict says where."""
    assert reason in offence("event-record", document)


SPELLINGS = [
    pytest.param(kind, make(text), accepted, id=f"{name}-{text}")
    for name, (kind, make, taken, refused) in VALUES.items()
    for texts, accepted in ((taken, True), (refused, False))
    for text in texts
]


@pytest.mark.parametrize(("kind", "document", "accepted"), SPELLINGS)
def test_times_and_durations(kind, document, accepted):
    """Each spelling of a time and of the three forms of durations is taken, or refused, as the program does."""
    assert (offence(kind, document) is None) == accepted


@pytest.mark.parametrize("text", ["a: [", "max_age_days: 1.5\n", "backend: null\n"])
def test_configuration_in_yaml_is_checked_like_any_other(text):
    """What is no YAML, and YAML that does not fit, is refused."""
    assert offence("retention-policy", text.encode())


def test_a_line_of_events_is_named_by_its_number():
    """In a file of events the offence says in which line it is; the last line need not end."""
    assert offence("event-lines", record() + b"\r\n" + record()) is None
    assert offence("event-lines", record() + b"\n" + b"{}\n").startswith("line 2: id: missing")
    assert offence("event-lines", record() + b"\n\n").startswith("line 2: document: no JSON")


def test_times_of_the_samples_have_nanoseconds():
    """The samples hold what a float or a microsecond would lose."""
    assert SAMPLES["event-record"]["timestamp"].endswith(".814814591Z")
