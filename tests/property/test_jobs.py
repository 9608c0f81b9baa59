"""The fold of progress records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.codecs.checkpoints import decode_map, encode_map
from prodigy_storage.codecs.progress import decode_progress, encode_progress
from prodigy_storage.codecs.values import moment
from prodigy_storage.model.checkpoints import CheckpointReason, MapCheckpoint
from prodigy_storage.model.jobs import JobState, Outcome, Progress
from prodigy_storage.ports.storage import Document, Version
from prodigy_storage.runs.queue import Queue

TIMES = st.integers(0, 2**52)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.builds(
    Progress,
    item=st.sampled_from(["a", "b", "c", "d"]),
    outcome=st.sampled_from(Outcome),
    attempt=st.integers(1, 4),
    at=TIMES,
    ms=st.integers(0, 10**6),
    result=st.sampled_from([None, b"null", b"1", b'{"a":[1,2.5,"x"]}']),
    error=st.none() | TEXT,
    not_before=TIMES,
)


def folded(records: list[Progress]) -> JobState:
    state = JobState()
    for record in records:
        state.fold(record)
    return state


@given(st.lists(RECORDS))
def test_folding_again_changes_nothing(records: list[Progress]) -> None:
    """A record that is read twice counts once, wherever the second reading starts."""
    state = folded(records)
    for start in range(len(records)):
        again = state.copy()
        assert not any(again.fold(record) for record in records[start:])
        assert again == state


@given(st.lists(RECORDS))
def test_an_item_is_done_or_dead_or_pending(records: list[Progress]) -> None:
    """No item is in two states, and its first settlement stays."""
    state = folded(records)
    assert not state.done.keys() & state.dead.keys()
    assert not state.failed.keys() & (state.done.keys() | state.dead.keys())
    for item in "abcd":
        settling = [r for r in records if r.item == item and r.outcome is not Outcome.FAILED]
        if settling:
            assert {**state.done, **state.dead}[item] == settling[0]


@given(st.lists(RECORDS))
def test_records_survive_the_stream(records: list[Progress]) -> None:
    """Every field comes back, for any text in the errors."""
    data = b"".join(encode_progress(record) for record in records)
    damage: list[object] = []
    assert list(decode_progress(data, damage.append)) == records
    assert not damage


@given(st.lists(RECORDS), st.dictionaries(TEXT, st.integers(1, 9)), TIMES)
def test_a_map_checkpoint_survives_its_document(records: list[Progress], flying: dict[str, int], at: int) -> None:
    """The fold that a checkpoint holds is the fold that went in."""
    checkpoint = MapCheckpoint(
        job_id="j",
        session_id="s",
        number=3,
        epoch=2**60,
        created_at=moment(at),
        reason=CheckpointReason.MANUAL,
        state=folded(records),
        progress="cursor",
        in_progress=flying,
    )
    document = Document(("r", "j"), "checkpoint", "x", encode_map(checkpoint), Version("v"))
    assert decode_map(document) == checkpoint


@given(st.lists(st.tuples(st.sampled_from(["take", "put", "back", "done"]), st.integers(0, 9), TIMES)))
def test_a_queue_gives_each_item_to_one_taker_and_none_too_early(steps: list[tuple[str, int, int]]) -> None:
    """Against a naive model: an item is taken only when it is due, and is lost or doubled by nothing."""
    queue = Queue.of((f"item_{number}", 0) for number in range(3))
    waiting = {f"item_{number}": 0 for number in range(3)}
    active: list[str] = []
    for step, _, at in steps:
        if step == "take":
            item = queue.take(at)
            assert (item is None) == all(due > at for due in waiting.values())
            if item is not None:
                assert waiting.pop(item) <= at
                queue.active[item] = 1
                active.append(item)
        elif active and step == "back":
            item = active.pop()
            queue.give_back(item)
            waiting[item] = 0
        elif active and step == "put":
            item = active.pop()
            queue.active.pop(item)
            queue.put(item, at)
            waiting[item] = at
        elif active:
            queue.active.pop(active.pop())
        assert len(queue) == len(waiting) + len(active)
