"""Prodigy's documents: read, changed and written without a loss, in the form that its own readers take."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodigy_storage.codecs.converter import CONVERTER
from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, SESSIONS
from prodigy_storage.codecs.patches import patched, same
from prodigy_storage.codecs.prodigy.documents import (
    MAPREDUCE_CHECKPOINTS,
    ORPHANED_WORKTREES,
    PRODIGY_CHECKPOINTS,
    PRODIGY_JOB_METADATA,
    PRODIGY_JOB_STATES,
    REDUCE_CHECKPOINTS,
    WORKFLOW_CHECKPOINTS,
    WORKTREES,
)
from prodigy_storage.errors import Corrupt, InvalidValue
from prodigy_storage.model.prodigy.integrity import Integrity, integrity, preparation_hash, signed
from prodigy_storage.model.prodigy.values import Tagged
from prodigy_storage.model.prodigy.worktrees import OrphanedWorktree
from prodigy_storage.model.sessions import Timing
from prodigy_storage.ports.storage import Document, Version

from .checker import kind_of, manager_offence, offence, unpacked
from .made import instances

CORPUS = Path(__file__).parent / "corpus"
CODECS = {
    "dlq-item": DEAD_LETTERS,
    "session": SESSIONS,
    "mapping": MAPPINGS,
    "worktree-state": WORKTREES,
    "orphan-registry": ORPHANED_WORKTREES,
    "job-state": PRODIGY_JOB_STATES,
    "job-metadata": PRODIGY_JOB_METADATA,
    "mr-checkpoint": PRODIGY_CHECKPOINTS,
    "workflow-checkpoint": PRODIGY_CHECKPOINTS,
    "reduce-checkpoint": REDUCE_CHECKPOINTS,
}
CHANGES = {
    "dlq-item": lambda value: attrs.evolve(
        value,
        failure_count=9,
        failure_history=(attrs.evolve(value.failure_history[0], error_message="é"), *value.failure_history[1:]),
    ),
    "session": lambda value: attrs.evolve(value, error="é", metadata={**value.metadata, "new": 1}),
    "mapping": lambda value: attrs.evolve(value, workflow_name="é"),
    "worktree-state": lambda value: attrs.evolve(value, stats=attrs.evolve(value.stats, commits=77)),
    "orphan-registry": lambda value: (attrs.evolve(value[0], error="é"), *value[1:]),
    "job-state": lambda value: attrs.evolve(value, failed_count=99, config=attrs.evolve(value.config, offset=5)),
    "job-metadata": lambda value: attrs.evolve(value, size_bytes=7),
    "mr-checkpoint": lambda value: attrs.evolve(value, error_state=attrs.evolve(value.error_state, error_count=77)),
    "workflow-checkpoint": lambda value: attrs.evolve(
        value, workflow_hash="é", execution_state=attrs.evolve(value.execution_state, current_iteration=5)
    ),
    "reduce-checkpoint": lambda value: attrs.evolve(value, completed_steps=9, map_results=(*value.map_results, 1)),
}
PLANTED = r'{"n":1e3,"z":1.50,"b":1.0E+2,"i":123456789012345678901234567890,"s":"\u00e9\/","i":2,"t":-0}'
STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|\{')


@lru_cache
def files(kind: str) -> list[tuple[str, bytes]]:
    """The documents of a kind in the corpus, unpacked."""
    found = [(path.relative_to(CORPUS).as_posix(), path) for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    return [(name, unpacked(name, path.read_bytes())) for name, path in found if kind_of(name) == kind]


def document(body: bytes) -> Document:
    return Document((), "kind", "id", body, Version("v"), "place")


def decodes(codec, body: bytes) -> bool:
    try:
        codec.decode(document(body))
    except Corrupt:
        return False
    return True


@pytest.mark.parametrize("kind", CODECS)
def test_reading_and_writing_without_a_change_gives_the_same_bytes(kind: str) -> None:
    """For every document of the corpus."""
    found = files(kind)
    assert found
    for name, body in found:
        read = CODECS[kind].load(document(body))
        assert CODECS[kind].encode(read.value, read.document) == body, name


def plant(body: bytes, numbers: set[int] | None = None) -> bytes:
    """The document with a strange member at the front of each of its objects, or of some."""
    text, pieces, last, count = body.decode(), [], 0, -1
    for match in STRUCTURE.finditer(text):
        if match[0] == "{":
            count += 1
            if numbers is None or count in numbers:
                empty = text[match.end() :].lstrip().startswith("}")
                pieces += [text[last : match.end()], f'"x-new": {PLANTED}' + ("" if empty else ",")]
                last = match.end()
    return "".join([*pieces, text[last:]]).encode()


@pytest.mark.parametrize("kind", CODECS)
def test_what_nobody_knows_survives_a_change(kind: str) -> None:
    """Members in every object that may have more, with their spelling, repeated keys and integers of any size."""
    codec = CODECS[kind]
    name, body = min(files(kind), key=lambda one: abs(len(one[1]) - 2500))
    objects = sum(match[0] == "{" for match in STRUCTURE.finditer(body.decode()))
    plantable = {number for number in range(objects) if decodes(codec, plant(body, {number}))}
    assert 0 in plantable or kind == "orphan-registry", name
    stored = document(plant(body, plantable))
    assert codec.encode(codec.decode(stored), stored) == stored.body
    before = codec.decode(stored)
    after = codec.encode(CHANGES[kind](before), stored)
    assert after.count(PLANTED.encode()) == len(plantable)
    assert codec.decode(document(after)) == CHANGES[kind](before) or kind == "mr-checkpoint"
    gone = set(stored.body.split(b"\n")) - set(after.split(b"\n"))
    assert len(gone) <= 4, "only what was changed was written anew"


@pytest.mark.parametrize("kind", CODECS)
def test_the_text_of_everything_else_is_the_same_after_a_change(kind: str) -> None:
    """Whoever wrote it: nanoseconds, blanks and the order of keys stay, in every document of the corpus."""
    codec = CODECS[kind]
    for _, body in files(kind):
        stored = document(body)
        before = codec.decode(stored)
        if before:
            after = codec.encode(CHANGES[kind](before), stored)
            assert len(set(body.split(b"\n")) - set(after.split(b"\n"))) <= 4


EXACT = [
    ("job-state", PRODIGY_JOB_STATES),
    ("job-metadata", PRODIGY_JOB_METADATA),
    ("mr-checkpoint", MAPREDUCE_CHECKPOINTS),
    ("workflow-checkpoint", WORKFLOW_CHECKPOINTS),
    ("reduce-checkpoint", REDUCE_CHECKPOINTS),
]


@pytest.mark.parametrize(("kind", "codec"), EXACT)
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_value_makes_the_round_trip_and_is_acceptable(kind: str, codec, data: st.DataObject) -> None:
    """Every field, edge values too: what is written is read equal, and the program's reader takes it."""
    value = data.draw(instances(codec.type))
    body = codec.encode(value)
    assert same(CONVERTER.unstructure(codec.decode(document(body))), CONVERTER.unstructure(value))
    assert offence(kind, body) is None
    assert codec.encode(value, document(body)) == body


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.lists(instances(OrphanedWorktree), max_size=3).map(tuple))
def test_registries_of_orphans_make_the_round_trip(value) -> None:
    """A list at the top, without a checksum."""
    body = ORPHANED_WORKTREES.encode(value)
    assert ORPHANED_WORKTREES.decode(document(body)) == value
    assert offence("orphan-registry", body) is None


@pytest.mark.parametrize(
    ("form", "count"), [(Integrity.MANAGER, 18), (Integrity.PREPARATION, 30), (Integrity.MISMATCH, 1)]
)
def test_both_forms_of_the_integrity_hash_are_told_apart(form: Integrity, count: int) -> None:
    """In the corpus, with the exported one; one checkpoint was imported, which breaks its hash."""
    checkpoints = [PRODIGY_CHECKPOINTS.decode(document(body)) for name, body in files("mr-checkpoint")]
    assert sum(integrity(checkpoint) is form for checkpoint in checkpoints) == count


def test_a_changed_checkpoint_has_the_hash_that_the_manager_asks_for() -> None:
    """Whichever form it had; the preparation's own form stays where nothing changes."""
    for _, body in files("mr-checkpoint"):
        value = PRODIGY_CHECKPOINTS.decode(document(body))
        changed = PRODIGY_CHECKPOINTS.encode(CHANGES["mr-checkpoint"](value), document(body))
        assert manager_offence(changed) is None
        prepared = attrs.evolve(value, metadata=attrs.evolve(value.metadata, integrity_hash=preparation_hash(value)))
        assert integrity(prepared) is Integrity.PREPARATION
        assert integrity(signed(prepared)) is Integrity.MANAGER


def job_state(**changes):
    return attrs.evolve(PRODIGY_JOB_STATES.decode(document(files("job-state")[0][1])), **changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"checkpoint_version": 2**32}, "ProdigyJobState.checkpoint_version"),
        ({"total_items": -1}, "ProdigyJobState.total_items"),
        ({"variables": {"a": [1, {"b": float("nan")}]}}, r"ProdigyJobState.variables.a\[1\].b"),
        ({"variables": {"a": float("-inf")}}, "ProdigyJobState.variables.a"),
        ({"work_items": [2**64]}, r"ProdigyJobState.work_items\[0\]"),
        ({"setup_output": "\ud800"}, "ProdigyJobState.setup_output"),
        ({"is_complete": 1}, "ProdigyJobState.is_complete"),
        ({"item_retry_counts": {"i": 1.0}}, "ProdigyJobState.item_retry_counts.i"),
    ],
)
def test_what_could_not_be_read_back_is_refused_by_the_name_of_its_field(changes, field: str) -> None:
    """New or as a change: nothing is written that the program cannot read."""
    _, body = files("job-state")[0]
    with pytest.raises(InvalidValue, match=f"^{field}"):
        PRODIGY_JOB_STATES.encode(job_state(**changes))
    with pytest.raises(InvalidValue, match=f"^{field}"):
        PRODIGY_JOB_STATES.encode(job_state(**changes), document(body))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(Tagged("Fine"), "none of"), (Tagged("Success", "x"), "carries nothing"), (Tagged("Failed"), "has to carry")],
)
def test_cases_carry_what_they_have_to(status: Tagged, reason: str) -> None:
    """A case that there is not, one that carries too much, one that carries too little."""
    state = job_state()
    name, result = next(iter(state.agent_results.items()))
    with pytest.raises(InvalidValue, match=f"agent_results.{name}.status: .*{reason}"):
        PRODIGY_JOB_STATES.encode(attrs.evolve(state, agent_results={name: attrs.evolve(result, status=status)}))


def test_a_value_that_is_too_large_stays_where_it_was_stored() -> None:
    """An integer beyond 64 bits in a file that somebody else wrote is no reason to refuse a change beside it."""
    _, body = files("job-state")[0]
    tree = json.loads(body)
    tree["variables"]["huge"] = 2**70
    stored = document(json.dumps(tree, indent=2).encode())
    value = PRODIGY_JOB_STATES.decode(stored)
    assert value.variables["huge"] == 2**70
    changed = json.loads(PRODIGY_JOB_STATES.encode(attrs.evolve(value, failed_count=5), stored))
    assert changed == {**tree, "failed_count": 5}


def test_old_configurations_are_read_with_the_defaults_of_later_versions() -> None:
    """Version 0.1.9 had neither `continue_on_failure` nor `enable_checkpoints`; reading adds nothing to the file."""
    tree = json.loads(files("job-state")[0][1])
    tree["config"] = {"input": "items.json", "json_path": "$", "max_parallel": 3}
    stored = document(json.dumps(tree).encode())
    value = PRODIGY_JOB_STATES.decode(stored)
    assert (value.config.continue_on_failure, value.config.enable_checkpoints) == (False, True)
    assert PRODIGY_JOB_STATES.encode(value, stored) == stored.body


PATCHES = [
    ('{"i":1,"i":2}', {"i": 2}, {"i": 3}, '{"i":1,"i":3}'),
    ('{"i":1,"k":0,"i":2}', {"i": 2, "k": 0}, {"k": 0}, '{"k":0}'),
    ('[{"a":1,"x":1.50}, {"a":2,"x":2.50}]', [{"a": 1}, {"a": 2}], [{"a": 2}], '[ {"a":2,"x":2.50}]'),
    (
        '[{"a":1,"x":1.50},{"a":2}]',
        [{"a": 1}, {"a": 2}],
        [{"a": 1}, {"a": 3}, {"a": 2}],
        '[{"a":1,"x":1.50},{"a":3},{"a":2}]',
    ),
    (
        '{\n  "a": {},\n  "b": []\n}',
        {"a": {}, "b": []},
        {"a": {"k": 1}, "b": [2]},
        '{\n  "a": {\n    "k": 1\n  },\n  "b": [\n    2\n  ]\n}',
    ),
    (
        '{\n  "a": 1,\n  "b": 2\n}',
        {"a": 1, "b": 2},
        {"a": 1, "c": {"d": 1e-5}},
        '{\n  "a": 1,\n  "c": {\n    "d": 0.00001\n  }\n}',
    ),
    ('{"a":null,"u":1}', {}, {"a": 5}, '{"a":5,"u":1}'),
    ('{"a":1}', {"a": 1, "b": 0}, {"a": 1, "b": 0}, '{"a":1}'),
    ('{"a":1}', {"a": 1, "b": 0}, {"a": 1, "b": 2}, '{"a":1,"b":2}'),
    ("[1.0, 2]", [1.0, 2], [1, 2], "[1, 2]"),
    ('{"d": [1,0]}', {"d": {"secs": 1}}, {"d": {"secs": 2}}, '{"d": {"secs":2}}'),
]


@pytest.mark.parametrize(("text", "before", "after", "expected"), PATCHES)
def test_a_patch_writes_what_differs_into_the_text(text: str, before, after, expected: str) -> None:
    """Repeated keys, elements that were removed or put between others, empty containers, members that were missing."""
    assert patched(text, before, after) == expected


@pytest.mark.parametrize(
    "duration", [Timing(secs=1, nanos=10**9), Timing(secs=2**64, nanos=0), Timing(secs=-1, nanos=0)]
)
def test_durations_that_do_not_fit_are_refused(duration: Timing) -> None:
    """The program would carry nanoseconds over, or refuse the document."""
    state = job_state()
    name, result = next(iter(state.agent_results.items()))
    with pytest.raises(InvalidValue, match=f"agent_results.{name}.duration"):
        PRODIGY_JOB_STATES.encode(attrs.evolve(state, agent_results={name: attrs.evolve(result, duration=duration)}))


@pytest.mark.parametrize("kind", ["session", "mr-checkpoint"])
def test_durations_are_read_as_pairs_too(kind: str) -> None:
    """The program reads both and writes objects; what is not changed stays a pair."""
    for _, body in files(kind):
        pairs = re.sub(rb'\{\s*"secs": (\d+),\s*"nanos": (\d+)\s*\}', rb"[\1, \2]", body)
        read = CODECS[kind].load(document(pairs))
        assert read.value == CODECS[kind].decode(document(body))
        assert CODECS[kind].encode(read.value, read.document) == pairs
