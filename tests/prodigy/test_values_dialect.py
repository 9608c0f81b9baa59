"""A store that speaks Prodigy's dialect: whatever is written through it, the program's readers take."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import prodigy_storage
from prodigy_storage import FileStorage, MemoryStorage, Store
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.converter import CONVERTER
from prodigy_storage.codecs.dialects import Dialect
from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, SESSIONS
from prodigy_storage.codecs.patches import same
from prodigy_storage.codecs.prodigy.documents import PRODIGY_JOB_METADATA, PRODIGY_JOB_STATES, WORKTREES
from prodigy_storage.errors import ConfigError, InvalidValue
from prodigy_storage.model.checkpoints import CheckpointTrigger
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.model.prodigy.values import Tagged
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType
from prodigy_storage.ports.storage import Batch, Document, Expect, Put, Version

from .checker import kind_of, offence
from .made import instances

CORPUS = Path(__file__).parent / "corpus"
START = datetime(2025, 3, 10, 8, 15, 4, tzinfo=UTC)
KINDS = {
    "session": (kinds.SESSION, SESSIONS),
    "dlq-item": (kinds.DEAD_LETTER, DEAD_LETTERS),
    "mapping": (kinds.MAPPING, MAPPINGS),
    "worktree-state": (kinds.WORKTREE, WORKTREES),
}


def written(storage, kind, body: bytes) -> bytes:
    """What is stored when this body is put into a store in the dialect."""
    with Store(storage, dialect="prodigy-0.4") as store:
        store.storage.commit(Batch(("r", "j"), (Put(kind, "i", body, Expect.ABSENT),)))
        return storage.fetch(("r", "j"), kind, ["i"])["i"].body


def stored(kind, body: bytes) -> Document:
    return Document(("r", "j"), kind.name, "i", body, Version("v"), "place")


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_value_that_is_written_is_acceptable_and_read_equal(name: str, data: st.DataObject) -> None:
    """Every field, edge values too; nothing but what the program writes, so no checksum either."""
    kind, codec = KINDS[name]
    value = data.draw(instances(codec.type))
    body = written(MemoryStorage(), kind, codec.encode(value))
    assert offence(name, body) is None
    assert same(CONVERTER.unstructure(codec.decode(stored(kind, body))), CONVERTER.unstructure(value))
    assert b'"_crc"' not in body


def letter(**changes) -> DeadLetter:
    value = DeadLetter(
        item_id="i",
        item_data={"b": [1e-5, 1e16], "a": "é\u2028\x7f"},
        first_attempt=START,
        last_attempt=START,
        failure_count=1,
        failure_history=(),
        error_signature="s",
    )
    return attrs.evolve(value, **changes)


def test_a_document_has_the_text_that_the_program_writes() -> None:
    """Two blanks, sorted keys in free-form values, floats in Rust's spelling, short times, no newline at the end."""
    body = written(MemoryStorage(), kinds.DEAD_LETTER, DEAD_LETTERS.encode(letter()))
    assert body.decode() == (
        '{\n  "item_id": "i",\n  "item_data": {\n    "a": "é\u2028\x7f",\n    "b": [\n      0.00001,\n      1e+16\n    ]\n'
        '  },\n  "first_attempt": "2025-03-10T08:15:04Z",\n  "last_attempt": "2025-03-10T08:15:04Z",\n'
        '  "failure_count": 1,\n  "failure_history": [],\n  "error_signature": "s",\n  "worktree_artifacts": null,\n'
        '  "reprocess_eligible": true,\n  "manual_review_required": false\n}'
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"failure_count": 2**32}, "failure_count: 4294967296 is not between"),
        ({"item_data": [{"x": 2**64}]}, r"dead_letter i.item_data\[0\].x: .* more than 64 bits"),
        ({"item_data": -(2**63) - 1}, "dead_letter i.item_data"),
        ({"item_data": json.loads("[" * 127 + "]" * 127)}, "nested more than 127"),
    ],
)
def test_what_the_program_could_not_read_back_is_refused_by_name(changes, reason: str) -> None:
    """Through the service that users call; nothing is stored."""
    with Store(MemoryStorage(), dialect="prodigy-0.4") as store:
        with pytest.raises(InvalidValue, match=reason):
            store.dlq.add("r", "j", letter(**changes))
        assert not store.dlq.list().values


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("path", sorted((CORPUS / "sessions").glob("*.json"))[::4], ids=lambda path: path.stem[:16])
def test_a_session_of_the_program_changes_in_its_own_spelling(dialect: Dialect, path: Path) -> None:
    """Whatever the dialect: what was not changed keeps its text, nanoseconds too, and no checksum is added."""
    body = path.read_bytes()
    storage = MemoryStorage()
    storage.commit(Batch((), (Put(kinds.SESSION, path.stem, body),)))
    with Store(storage, dialect=dialect) as store:
        store.sessions.update(path.stem, lambda known: attrs.evolve(known, error="changed"))
        after = storage.fetch((), kinds.SESSION, [path.stem])[path.stem].body
    assert offence("session", after) is None
    gone = set(body.split(b"\n")) - set(after.split(b"\n"))
    assert len(gone) == 2, "the error and the time of the change"
    assert b'"_crc"' not in after


@pytest.mark.parametrize("dialect", Dialect)
def test_an_integer_beyond_64_bits_that_is_there_stays(dialect: Dialect) -> None:
    """In a dead letter of another writer that is changed; in the dialect another one is refused."""
    body = written(MemoryStorage(), kinds.DEAD_LETTER, DEAD_LETTERS.encode(letter()))
    foreign = body.replace(b'"a": ', b'"big": 1180591620717411303424, "z": 1.50, "a": ')
    storage = MemoryStorage()
    storage.commit(Batch(("r", "j"), (Put(kinds.DEAD_LETTER, "i", foreign),)))
    with Store(storage, dialect=dialect) as store:
        data = store.dlq.get("r", "j", "i").item_data
        store.dlq.add("r", "j", letter(item_data=data, failure_history=(failure(),)))
        after = storage.fetch(("r", "j"), kinds.DEAD_LETTER, ["i"])["i"]
        assert json.loads(after.body)["failure_count"] == 2
        assert b"1180591620717411303424" in after.body
        assert b"1.50" in after.body
        more = after.body.replace(b'"a"', b'"c": 1180591620717411303424, "a"')
        put = Batch(("r", "j"), (Put(kinds.DEAD_LETTER, "i", more, after.version),))
        if dialect is Dialect.PRODIGY_0_4:
            with pytest.raises(InvalidValue, match=r"item_data\.c"):
                store.storage.commit(put)


def failure():
    return DEAD_LETTERS.decode(
        stored(kinds.DEAD_LETTER, next((CORPUS / "dlq").rglob("item_0.json")).read_bytes())
    ).failure_history[0]


def test_files_of_the_program_are_copied_as_they_are() -> None:
    """Also what an early version wrote and 0.4 cannot read: a copy is no place to refuse it."""
    for body in (b'{"session_id": "s",\n"job_id": "j"}', b"{"):
        assert written(MemoryStorage(), attrs.evolve(kinds.WORKTREE, index=kinds.PROBE.index), body) == body


# --- runs


def test_a_run_leaves_files_that_the_program_takes(tmp_path: Path) -> None:
    """Events, dead letters, sessions, mappings, job state and its metadata, each by the checker."""
    with Store(FileStorage(tmp_path), dialect="prodigy-0.4") as store:
        items = {"größe": {"z": 1, "a": 1e-7}, "b": "boom", "c": None}
        with store.runs.start("shop", items=items, max_retries=1) as run:
            for attempt in run.attempts():
                with attempt:
                    if attempt.item == "boom":
                        raise ValueError("no")
                    attempt.result = attempt.item
    seen = set()
    for path in tmp_path.rglob("*"):
        name = path.relative_to(tmp_path).as_posix()
        kind = kind_of(name)
        if path.is_file() and kind and not name.startswith(".store") and "/progress-" not in name:
            seen.add(kind)
            assert offence(kind, path.read_bytes()) is None, name
    assert seen == {"event-lines", "dlq-item", "session", "mapping", "job-state", "job-metadata"}


def job_states(storage, scope) -> dict[str, Document]:
    ids = [f"checkpoint-v{number}" for number in range(200)]
    return storage.fetch(scope, kinds.PRODIGY_JOB_STATE, ids)


def test_the_last_three_states_stay_and_the_metadata_names_the_newest(tmp_path: Path) -> None:
    """As the program itself does it; items have the names of their places."""
    storage = FileStorage(tmp_path)
    with Store(storage, dialect="prodigy-0.4") as store:
        with store.runs.start("shop", items={"x": 1, "y": 2}, trigger=CheckpointTrigger(items=1)) as run:
            for attempt in run.attempts():
                with attempt:
                    attempt.result = [attempt.item, 1.5]
            scope = ("shop", run.job_id)
            for _ in range(3):
                run.checkpoint()
        states = job_states(storage, scope)
        newest = max(states, key=lambda id: int(id[12:]))
        assert len(states) == 3
        state = PRODIGY_JOB_STATES.decode(states[newest])
        metadata = PRODIGY_JOB_METADATA.decode(
            storage.fetch(scope, kinds.PRODIGY_JOB_METADATA, ["metadata"])["metadata"]
        )
        assert Path(metadata.path).read_bytes() == states[newest].body
        assert (metadata.version, metadata.size_bytes) == (int(newest[12:]), len(states[newest].body))
    assert state.is_complete
    assert sorted(state.completed_agents) == ["item_0", "item_1"]
    assert state.agent_results["item_1"].output == "[2,1.5]"
    assert (state.pending_items, state.successful_count) == ((), 2)


def test_an_item_that_the_program_could_not_read_stops_the_job_before_it_begins() -> None:
    """Nothing of it is stored."""
    storage = MemoryStorage()
    with Store(storage, dialect="prodigy-0.4") as store:
        with pytest.raises(InvalidValue, match=r"work_items\[1\].n"):
            store.runs.start("shop", items=[1, {"n": 2**64}])
        assert not storage.scopes(kinds.CHECKPOINT)
        assert not store.sessions.list().values


def test_in_the_documented_forms_no_job_state_is_written() -> None:
    """It is the dialect's alone."""
    storage = MemoryStorage()
    with Store(storage) as store, store.runs.start("shop", items=[1]) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = 1
        run.checkpoint()
        assert not job_states(storage, ("shop", run.job_id))


# --- opening


def test_a_store_is_opened_in_a_dialect_by_its_name(tmp_path: Path) -> None:
    """The value or the name; an unknown one is refused with those that there are."""
    with prodigy_storage.open(tmp_path, dialect="prodigy-0.4") as store:
        assert store.dialect is Dialect.PRODIGY_0_4
        now = datetime(2025, 1, 1, tzinfo=UTC)
        session = Session(
            id="s", session_type=SessionType.WORKFLOW, status=SessionStatus.RUNNING, started_at=now, updated_at=now
        )
        store.sessions.create(session)
    assert offence("session", (tmp_path / "sessions/s.json").read_bytes()) is None
    with pytest.raises(ConfigError, match=r"documented, prodigy-0\.4"):
        prodigy_storage.open(tmp_path, dialect="prodigy-9")


def test_a_job_of_the_program_goes_on_and_keeps_what_only_the_program_knows(tmp_path: Path) -> None:
    """Resumed and finished here: the next state is one that it reads, with its settings, steps and unknown members."""
    job = "mapreduce-1742281689101"
    jobs = tmp_path / "state/shop/mapreduce/jobs" / job
    shutil.copytree(CORPUS / "state/shop/mapreduce/jobs" / job, jobs)
    newest = jobs / "checkpoint-v8.json"
    newest.write_text(newest.read_text().replace('"job_id"', '"x-new": {"n": 1e3},\n  "job_id"', 1))
    before = json.loads(newest.read_text())
    with Store(FileStorage(tmp_path), dialect="prodigy-0.4") as store, store.runs.resume(job) as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = "fine"
    states = sorted(jobs.glob("checkpoint-v*.json"), key=lambda path: int(path.stem[12:]))
    after = json.loads(states[-1].read_text())
    assert len(states) == 3
    assert int(states[-1].stem[12:]) > 8
    assert offence("job-state", states[-1].read_bytes()) is None
    assert offence("job-metadata", (jobs / "metadata.json").read_bytes()) is None
    assert json.loads((jobs / "metadata.json").read_text())["path"] == str(states[-1])
    assert '"x-new": {"n": 1e3}' in states[-1].read_text()
    assert all(after[name] == before[name] for name in ("config", "work_items", "agent_template", "variables"))
    done = [name for name, result in before["agent_results"].items() if result["status"] == "Success"]
    assert done
    assert all(after["agent_results"][name] == before["agent_results"][name] for name in done)
    assert (after["pending_items"], after["is_complete"]) == ([], True)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_state_tells_of_every_item_what_became_of_it(retries: int) -> None:
    """Done; failed for good, or to be tried again; not tried: as the program's own state says it."""
    storage = MemoryStorage()
    with (
        Store(storage, dialect="prodigy-0.4") as store,
        store.runs.start("shop", items=["a", "b", "c"], max_retries=retries, backoff=Backoff(initial=3600)) as run,
    ):
        run.complete(run.claim(), "fine")
        run.fail(run.claim(), "exit code 3")
        run.checkpoint()
        states = job_states(storage, ("shop", run.job_id))
        state = PRODIGY_JOB_STATES.decode(states[max(states)])
    failed = {name: (one.attempts, one.last_error) for name, one in state.failed_agents.items()}
    counts = (state.total_items, state.successful_count, state.failed_count, state.is_complete)
    assert state.agent_results["item_0"].output == "fine"
    if retries:
        assert (state.pending_items, failed) == (("item_1", "item_2"), {})
        assert (state.completed_agents, state.item_retry_counts) == (("item_0",), {"item_1": 1})
        assert counts == (3, 1, 0, False)
    else:
        assert (state.pending_items, failed) == (("item_2",), {"item_1": (1, "exit code 3")})
        assert (state.completed_agents, state.item_retry_counts) == (("item_0", "item_1"), {})
        assert state.agent_results["item_1"].status == Tagged("Failed", "exit code 3")
        assert counts == (3, 1, 1, False)


def test_a_copy_into_a_store_takes_its_dialect_once() -> None:
    """Copied again nothing changes; what the program could not read is refused, the rest is there."""
    with Store(MemoryStorage()) as ours, Store(MemoryStorage(), dialect="prodigy-0.4") as theirs:
        ours.dlq.add("r", "j", letter())
        assert ours.transfers.copy_to(theirs.storage).copied == 1
        again = ours.transfers.copy_to(theirs.storage)
        assert (again.copied, again.same, again.differing) == (0, 1, [])
        stored = theirs.storage.fetch(("r", "j"), kinds.DEAD_LETTER, ["i"])["i"].body
        assert offence("dlq-item", stored) is None
        assert b'"_crc"' not in stored
        assert theirs.dlq.get("r", "j", "i") == ours.dlq.get("r", "j", "i")
        ours.dlq.add("r", "k", letter(item_data=2**64))
        with pytest.raises(InvalidValue, match="item_data"):
            ours.transfers.copy_to(theirs.storage)
        assert len(theirs.dlq.list().values) == 1
