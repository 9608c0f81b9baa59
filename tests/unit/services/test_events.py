"""Events: what the buffer promises, what queries and statistics give."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import timedelta

import attrs
import pytest

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.adapters.runtime import system_runtime
from prodigy_storage.codecs.records import Line
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import (
    Closed,
    DurabilityUnknown,
    InvalidName,
    InvalidValue,
    StorageError,
    StorageFull,
    TooLarge,
    Unavailable,
)
from prodigy_storage.model.event_filter import EventFilter
from prodigy_storage.model.events import (
    AgentFailed,
    AgentProgress,
    CheckpointLoaded,
    ClaudeTokenUsage,
    DLQItemRemoved,
    JobFailed,
    JobPaused,
    QueueDepthChanged,
    UnknownEvent,
)
from prodigy_storage.ports.storage import Append, Batch, Chunk, Damage, Durability
from prodigy_storage.services.events import EventLogger, Events
from prodigy_storage.services.events.buffer import Buffer
from prodigy_storage.services.events.reading import Recent
from prodigy_storage.testing.fakes import START, FakeBackground, FakeClock, fake_runtime


def tick(number: int) -> QueueDepthChanged:
    return QueueDepthChanged("job", number, 0, 0)


class Broken(MemoryStorage):
    """Raises the errors in `faults`, one for each commit; `late` ones after the commit was applied."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[StorageError] = []
        self.late = False
        self.commits: list[Batch] = []

    def commit(self, batch):
        self.commits.append(batch)
        if not self.faults:
            return super().commit(batch)
        if self.late:
            super().commit(batch)
        raise self.faults.pop(0)


@pytest.fixture
def storage() -> Broken:
    return Broken()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def background() -> FakeBackground:
    return FakeBackground()


@pytest.fixture
def events(storage, clock, background) -> Events:
    return Events(storage, fake_runtime(clock=clock, background=background))


@pytest.fixture
def logger(events) -> EventLogger:
    return events.logger("repo", "job", capacity=10)


def stored(storage) -> list[int]:
    """The numbers of the stored ticks, in the order of the stream, straight from the backend."""
    data = b"".join(storage.records(scope, EVENTS).data for scope in storage.scopes(EVENTS))
    return [json.loads(line)["event"]["pending"] for line in data.splitlines()]


# --- the way in


def test_a_logged_event_is_stored_by_flush_and_not_before(storage, logger, events) -> None:
    """`log` returns the id under which the record is found later."""
    name = logger.log(tick(1))
    assert storage.commits == []
    logger.flush()
    (record,) = events.query()
    assert (record.id, record.event, record.correlation_id) == (name, tick(1), logger.setup.correlation_id)


def test_a_record_says_where_it_comes_from(events, background) -> None:
    """Host, pid, thread, the logger's metadata and the record's own; the caller's keys win."""
    with events.logger("repo", "other", metadata={"team": "blue", "host": "box"}) as other:
        other.log(tick(1))
        background.thread = "worker-2"
        other.log(tick(2), metadata={"team": "red", "n": [1]})
    first, second = events.query()
    assert first.metadata == {"host": "box", "pid": 4242, "thread": "MainThread", "team": "blue"}
    assert second.metadata == {"host": "box", "pid": 4242, "thread": "worker-2", "team": "red", "n": [1]}


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"s": "é", "i": -1, "b": True, "n": None}, None),
        ({}, None),
        ({"pid": 7, "new": 1}, None),
        ({"f": 0.5, "list": (1, 2)}, {"f": 0.5, "list": [1, 2]}),
    ],
)
def test_a_records_metadata_is_the_same_whichever_way_it_is_encoded(logger, events, more, kept) -> None:
    """Simple values, none at all, names that the logger uses itself, and values that are copied."""
    logger.log(tick(1), metadata=more)
    logger.flush()
    (record,) = events.query()
    assert record.metadata == {"host": "fake-host", "pid": 4242, "thread": "MainThread"} | (kept or more)
    assert list(record.metadata)[:3] == ["host", "pid", "thread"]


@pytest.mark.parametrize("more", [{"a": "\ud800"}, {"\ud800": 1}, {1: 2}, {"n": float("nan")}])
def test_metadata_that_is_no_json_is_refused_at_once(logger, more) -> None:
    """Lone surrogates, keys that are no text, numbers that are not finite."""
    with pytest.raises(InvalidValue):
        logger.log(tick(1), metadata=more)
    assert logger.pending == 0


def test_flushing_asks_for_the_durability_of_the_logger(storage, events) -> None:
    """The default is `group`."""
    for logger in (events.logger("r", "a"), events.logger("r", "b", durability=Durability.FULL)):
        logger.log(tick(1))
    events.flush()
    assert [batch.durability for batch in storage.commits] == [Durability.GROUP, Durability.FULL]


def test_a_full_buffer_asks_the_background_once(logger, background) -> None:
    """The flush happens in the background's thread, not in that of the caller."""
    for number in range(15):
        logger.log(tick(number))
    assert [handle.wakes for handle in background.handles] == [1]
    assert logger.pending == 15
    background.tick()
    assert logger.pending == 0


@pytest.mark.parametrize("event", [JobPaused("job", 1), CheckpointLoaded("job", 1), JobFailed("job", "e", 0)])
def test_lifecycle_events_ask_for_a_flush_at_once(logger, background, event) -> None:
    """They are what somebody waits for."""
    logger.log(event)
    assert background.handles[0].wakes == 1


def test_one_thread_serves_all_loggers(events, background) -> None:
    """A shorter interval replaces the thread; none runs before the first event."""
    long, short = events.logger("r", "a", interval=5.0), events.logger("r", "b", interval=0.5)
    assert background.handles == []
    for logger in (long, short, long):
        logger.log(tick(1))
    assert [(handle.seconds, handle.stopped) for handle in background.handles] == [(5.0, True), (0.5, False)]


def test_what_is_buffered_is_flushed_at_exit(storage, logger, events, background) -> None:
    """An orderly end loses nothing."""
    logger.log(tick(1))
    events.log("repo", "job", tick(2))
    background.exit()
    assert sorted(stored(storage)) == [1, 2]


@pytest.mark.parametrize("fault", [StorageFull("no space"), Unavailable("down"), DurabilityUnknown("sync failed")])
def test_a_failed_flush_loses_nothing_and_keeps_the_order(storage, logger, fault) -> None:
    """The error is raised each time; later events come behind the earlier ones."""
    storage.faults = [fault, fault, fault]
    for number in range(25):
        logger.log(tick(number))
        if number in (5, 12, 20):
            with pytest.raises(type(fault)):
                logger.flush()
            assert logger.error is fault
    assert (logger.pending, stored(storage)) == (25, [])
    logger.flush()
    assert (logger.pending, logger.error) == (0, None)
    assert stored(storage) == list(range(25))


def test_a_part_that_was_stored_is_not_sent_again(storage, logger) -> None:
    """The second part fails, the first one stays stored once."""
    for number in range(25):
        logger.log(tick(number))
    commit, storage.commit = storage.commit, lambda batch: fail(batch) if len(storage.commits) == 1 else commit(batch)

    def fail(batch: Batch) -> None:
        storage.commits.append(batch)
        raise StorageFull("no space")

    with pytest.raises(StorageFull):
        logger.flush()
    assert (stored(storage), logger.pending) == (list(range(10)), 15)
    logger.flush()
    assert stored(storage) == list(range(25))


def test_a_full_buffer_refuses_further_events_while_the_disk_is_full(storage, logger, background) -> None:
    """Ten times the capacity is kept; then `log` raises the error of the store, and nothing is lost or doubled."""
    storage.faults = [StorageFull("no space")] * 1000
    for number in range(100):
        logger.log(tick(number))
        background.tick()
    with pytest.raises(StorageFull):
        logger.log(tick(100))
    assert logger.pending == 100
    storage.faults.clear()
    logger.log(tick(101))
    logger.flush()
    assert stored(storage) == [*range(100), 101]


def test_an_unknown_outcome_is_retried_under_the_same_ids(storage, logger, events) -> None:
    """The records were there already: the stream has them twice, a query shows them once."""
    storage.faults, storage.late = [DurabilityUnknown("sync failed")], True
    names = [logger.log(tick(number)) for number in range(3)]
    with pytest.raises(DurabilityUnknown):
        logger.flush()
    logger.flush()
    assert storage.commits[0].operations[0].data == storage.commits[1].operations[0].data
    assert stored(storage) == [0, 1, 2, 0, 1, 2]
    assert [record.id for record in events.query()] == names
    assert events.stats().total == 6


def test_an_error_in_the_background_is_not_lost(storage, logger, background) -> None:
    """The logger shows it, the events stay, and the next flush meets the same fault or stores them."""
    storage.faults = [StorageFull("no space")] * 2
    logger.log(tick(1))
    background.tick()
    assert isinstance(logger.error, StorageFull)
    with pytest.raises(StorageFull):
        logger.flush()
    background.tick()
    assert (stored(storage), logger.error) == ([1], None)


def test_an_event_that_cannot_be_encoded_is_reported_by_the_next_flush(storage, logger, background) -> None:
    """All others are stored, also when the background came first."""
    logger.log(tick(1))
    logger.log(JobFailed("job", "lone \ud800", 0))
    logger.log(JobFailed("job", "lone \udfff", 0))
    logger.log(tick(2))
    background.tick()
    assert stored(storage) == [1, 2]
    with pytest.raises(InvalidValue, match=r"event\.error has a lone surrogate") as caught:
        logger.flush()
    assert "2 events" in caught.value.hint
    logger.flush()


def test_an_event_that_no_store_takes_does_not_block_the_others(storage, logger) -> None:
    """The part is divided until the one that is too large stands alone."""
    commit = storage.commit

    def small_only(batch: Batch):
        if b'"pending":3,' in batch.operations[0].data:
            raise TooLarge("a record is above the limit")
        return commit(batch)

    storage.commit = small_only
    for number in range(7):
        logger.log(tick(number))
    with pytest.raises(TooLarge):
        logger.flush()
    assert stored(storage) == [0, 1, 2, 4, 5, 6]
    assert (logger.pending, logger.flush()) == (0, None)


def test_a_value_that_is_no_json_is_refused_when_it_is_logged(logger) -> None:
    """The event is not buffered."""
    for event, metadata in ((AgentProgress("j", "a", "s", float("nan")), None), (tick(1), {"x": {1}})):
        with pytest.raises(InvalidValue):
            logger.log(event, metadata=metadata)
    assert logger.pending == 0


def test_a_logger_is_checked_when_it_is_made(events) -> None:
    """Names, numbers and metadata."""
    with pytest.raises(InvalidName):
        events.logger("repo", "")
    with pytest.raises(InvalidValue):
        events.logger("repo", "job", metadata={"x": float("inf")})
    with pytest.raises(InvalidValue):
        events.logger("repo", "job", capacity=0)


def test_a_discarded_logger_stores_nothing_more(storage, logger, events) -> None:
    """Neither what waits, nor what a failed flush left behind, nor by flushing or closing later."""
    storage.faults = [Unavailable("down")]
    logger.log(tick(1))
    with pytest.raises(Unavailable):
        logger.flush()
    logger.log(tick(2))
    logger.discard()
    assert (logger.pending, logger.error, len(storage.commits)) == (0, None, 1)
    with pytest.raises(Closed):
        logger.log(tick(3))
    logger.flush()
    logger.discard()
    logger.close()
    events.close()
    assert len(storage.commits) == 1


def test_a_discard_stops_a_flush_between_two_parts() -> None:
    """The commit that is under way ends, the next part is not stored."""
    waits, stored, threads = threading.Event(), [], []

    class Mutex:
        lock = threading.Lock()

        def __enter__(self) -> None:
            if self.lock.locked():
                waits.set()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    def commit(data: bytes) -> None:
        stored.append(data)
        threads.append(threading.Thread(target=buffer.discard))
        threads[0].start()
        assert waits.wait(10)

    buffer = Buffer(commit, Mutex(), 1)
    buffer.waiting.extend([Line("1", "t", "c", {}), Line("2", "t", "c", {})])
    buffer.send()
    threads[0].join(10)
    assert (len(stored), buffer.size) == (1, 0)


def test_a_closed_logger_takes_nothing_more(storage, logger, events) -> None:
    """Closing flushes, may be repeated, and leaves other loggers alone."""
    logger.log(tick(1))
    logger.close()
    logger.close()
    assert stored(storage) == [1]
    with pytest.raises(Closed):
        logger.log(tick(2))
    events.log("repo", "job", tick(3))
    events.close()
    events.close()
    assert stored(storage) == [1, 3]
    for call in (lambda: events.log("repo", "job", tick(4)), lambda: events.logger("repo", "new")):
        with pytest.raises(Closed):
            call()


def test_closing_with_a_full_disk_keeps_the_events(storage, logger, events) -> None:
    """`close` raises and can be called again."""
    storage.faults = [StorageFull("no space")] * 2
    logger.log(tick(1))
    with pytest.raises(StorageFull):
        logger.close()
    with pytest.raises(StorageFull):
        events.close()
    events.close()
    assert stored(storage) == [1]


def test_closing_ends_the_thread_and_the_hooks(logger, events, background) -> None:
    """Nothing of a closed event log runs any more."""
    logger.log(tick(1))
    events.close()
    assert [handle.stopped for handle in background.handles] == [True]
    assert (background._exits, background._forks) == ([], [])


def test_one_failing_logger_does_not_keep_the_others_from_flushing(storage, events) -> None:
    """All are tried, the first error is raised."""
    for number in range(3):
        events.log("repo", f"job-{number}", tick(number))
    storage.faults = [StorageFull("no space")]
    with pytest.raises(StorageFull):
        events.flush()
    assert stored(storage) == [1, 2]


def test_events_of_a_job_share_a_logger(storage, events) -> None:
    """One correlation id for each job; idle loggers are let go when there are many."""
    for number in range(600):
        events.log("repo", f"job-{number}", tick(number))
        if number % 2:
            events.flush()
    events.log("repo", "job-599", tick(599))
    events.flush()
    last = [record.correlation_id for record in events.query(EventFilter(job="job-599"))]
    assert len(last) == 2
    assert len(set(last)) == 1
    assert len(stored(storage)) == 601
    assert len(events._loggers) <= 257


def test_the_child_of_a_fork_leaves_the_buffer_to_its_parent(storage, logger, background) -> None:
    """It starts with an empty buffer, its own pid and its own thread; the parent's buffer was copied away."""
    logger.log(tick(1))
    background.fork(attrs.evolve(background.token, pid=4343))
    assert logger.pending == 0
    logger.log(tick(2))
    logger.flush()
    assert stored(storage) == [2]
    assert b'"pid":4343' in storage.commits[0].operations[0].data
    assert len(background.handles) == 2


def test_threads_keep_their_order() -> None:
    """Four threads log and flush at once, with a real background: each one's events are in its order, none twice."""
    storage = MemoryStorage()
    events = Events(storage, system_runtime())
    logger = events.logger("repo", "job", capacity=20, interval=0.001)

    def work(thread: int) -> None:
        for number in range(500):
            logger.log(QueueDepthChanged("job", number, thread, 0))
            if number % 50 == 0:
                logger.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.close()
    found = [record.event for record in events.query()]
    for thread in range(4):
        assert [event.pending for event in found if event.active == thread] == list(range(500))


SCRIPT = """
    import os, signal, sys
    from prodigy_storage.adapters.files import FileStorage
    from prodigy_storage.adapters.runtime import system_runtime
    from prodigy_storage.model.events import QueueDepthChanged
    from prodigy_storage.services.events import Events

    events = Events(FileStorage(sys.argv[1]), system_runtime())
    logger = events.logger("repo", "job", interval=3600.0)
    def log(numbers):
        for number in numbers:
            logger.log(QueueDepthChanged("job", number, 0, 0))
"""


def run_script(root, body: str) -> tuple[int, list[int]]:
    """How a program ended, and what a new process finds then."""
    from prodigy_storage.adapters.files import FileStorage  # noqa: PLC0415 - only these tests need files

    program = textwrap.dedent(SCRIPT) + textwrap.dedent(body)
    ended = subprocess.run([sys.executable, "-c", program, str(root)], check=False, timeout=60)
    storage = FileStorage(root)
    found = Events(storage, fake_runtime()).query()
    numbers = [record.event.pending for record in found]
    storage.close()
    assert found.damage == []
    return ended.returncode, numbers


def test_a_program_that_ends_has_stored_its_events(tmp_path) -> None:
    """Nobody flushed or closed anything."""
    assert run_script(tmp_path, "log(range(700))") == (0, list(range(700)))


def test_a_killed_program_loses_only_what_was_not_flushed(tmp_path) -> None:
    """After `kill -9` the acknowledged events are there, all and once."""
    body = "log(range(300)); logger.flush(); log(range(300, 400)); os.kill(os.getpid(), signal.SIGKILL)"
    code, numbers = run_script(tmp_path, body)
    assert code == -signal.SIGKILL
    assert numbers == list(range(300))


def test_parent_and_child_of_a_real_fork_store_their_own_events(tmp_path) -> None:
    """What was buffered before is stored once, by the parent."""
    body = """
        log(range(100))
        if os.fork() == 0:
            log(range(1000, 1100))
            sys.exit()
        os.wait()
        log(range(100, 200))
    """
    code, numbers = run_script(tmp_path, body)
    assert code == 0
    assert sorted(numbers) == [*range(200), *range(1000, 1100)]


def test_a_fork_in_the_middle_of_logging_and_flushing_blocks_nobody() -> None:
    """Children can log and flush, whatever the threads of the parent were doing."""
    events = Events(MemoryStorage(), system_runtime())
    logger = events.logger("repo", "job", capacity=5, interval=0.001)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            logger.log(tick(0))
            logger.flush()

    thread = threading.Thread(target=work)
    thread.start()
    codes = []
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            os._exit(_child(events))
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    thread.join()
    events.close()
    assert codes == [0] * 10


def _child(events: Events) -> int:
    signal.alarm(20)
    sent: list[Batch] = []
    logger = events._loggers[0]
    logger._storage = type("Sink", (), {"commit": sent.append})()
    logger.log(tick(1))
    logger.log(tick(2))
    logger.flush()
    lines = b"".join(batch.operations[0].data for batch in sent).splitlines()
    return 0 if [json.loads(line)["event"]["pending"] for line in lines] == [1, 2] else 1


# --- the way out


@pytest.fixture
def filled(events, clock) -> Events:
    """Two repositories, three jobs, a minute between events."""
    with events.logger("repo", "a", correlation_id="c-1") as a, events.logger("repo", "b", correlation_id="c-2") as b:
        for number in range(3):
            clock.advance(60)
            a.log(AgentFailed("a", f"agent-{number}", "e", retry_eligible=False))
            clock.advance(60)
            b.log(ClaudeTokenUsage("agent-1", number, 0, 0))
    clock.advance(60)
    events.log("other", "a", DLQItemRemoved("a", "item"))
    events.flush()
    return events


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (EventFilter(), 7),
        (EventFilter(repo="repo"), 6),
        (EventFilter(job="a"), 4),
        (EventFilter(repo="repo", job="a"), 3),
        (EventFilter(repo="repo", job="none"), 0),
        (EventFilter(agent_id="agent-1"), 4),
        (EventFilter(correlation_id="c-2"), 3),
        (EventFilter(types={"agent_failed"}), 3),
        (EventFilter(types={"agent_failed", "dlq_item_removed"}), 4),
        (EventFilter(types={"dlq_item_removed"}), 1),
        (EventFilter(types={"d_l_q_item_removed"}), 1),
        (EventFilter(since=START + timedelta(seconds=120)), 6),
        (EventFilter(until=START + timedelta(seconds=120)), 1),
        (EventFilter(agent_id="lone \ud800"), 0),
    ],
)
def test_a_filter_chooses_records_and_counts_alike(filled, wanted, count) -> None:
    """Queries and statistics agree; the range of times is half-open."""
    found = list(filled.query(wanted))
    assert len(found) == count
    assert all(wanted.matches(record) for record in found)
    assert filled.stats(wanted).total == count


def test_a_limit_gives_the_newest_in_the_order_of_time(filled) -> None:
    """Across jobs; the oldest of them first."""
    found = list(filled.query(EventFilter(limit=3)))
    assert [record.event_type for record in found] == ["agent_failed", "claude_token_usage", "d_l_q_item_removed"]
    assert [record.timestamp for record in found] == sorted(record.timestamp for record in found)
    assert list(filled.query(EventFilter(limit=0))) == []


def test_a_query_reads_while_it_is_asked(storage, events) -> None:
    """The first record comes from the first chunk alone."""
    for _ in range(30):
        with events.logger("repo", "job", capacity=1000) as logger:
            for number in range(1000):
                logger.log(tick(number), metadata={"pad": "x" * 100})
    reads: list[object] = []
    records = storage.records
    storage.records = lambda *args, **kwargs: reads.append(args) or records(*args, **kwargs)
    found = events.query()
    assert next(found).event == tick(0)
    assert len(reads) == 1
    assert sum(1 for _ in found) == 29_999
    assert len(reads) > 3


def test_a_record_comes_with_its_stored_line(filled, storage) -> None:
    """`raw` is what lies in the store."""
    raw = b"".join(record.raw + b"\n" for record in filled.query(EventFilter(repo="repo", job="a")))
    assert raw == storage.records(("repo", "a"), EVENTS).data


def test_an_escaped_spelling_is_found(storage, events) -> None:
    """A filter looks at values, not at bytes."""
    head = b'{"id":"1","timestamp":"2025-01-01T00:00:00Z","correlation_id":"c/\\u0031","event":'
    odd = head.replace(b"c/", b"c\\/") + b'{"agent_id":"\\u0061","event_type":"agent\\u005ffailed"}}\n'
    storage.commit(Batch(("r", "j"), (Append(EVENTS, odd),)))
    for wanted in (
        EventFilter(agent_id="a"),
        EventFilter(correlation_id="c/1"),
        EventFilter(types={"agent_failed"}),
    ):
        assert [record.id for record in events.query(wanted)] == ["1"]
        assert events.stats(wanted).counts == {"agent_failed": 1}


def test_an_id_that_comes_back_soon_is_one_record() -> None:
    """The memory of ids has a bound: one that comes back much later is shown again."""
    recent = Recent(window=3)
    assert [recent.repeats(name) for name in "abcabc"] == [False] * 3 + [True] * 3
    for name in "defg":
        assert not recent.repeats(name)
    assert not recent.repeats("a")


# --- damage


def damaged(storage) -> int:
    """One good record, one damaged line, one good record, and a report of the backend; where the bad line is."""
    line = b'{"id":"%d","timestamp":"2025-01-01T00:00:00.000000Z","correlation_id":"c","event":{"event_type":"x"}}\n'
    data = line % 1 + b'{"id":"gone"}\n' + line % 2
    storage.commit(Batch(("r", "j"), (Append(EVENTS, data),)))
    records = storage.records

    def reporting(scope, stream, after=None, *, verify=True):
        chunk = records(scope, stream, after, verify=verify)
        return Chunk(chunk.data, chunk.cursor, () if after else (Damage("file", 7, "torn"),))

    storage.records = reporting
    return len(line % 1)


def test_damage_is_reported_and_the_rest_is_read(storage, events) -> None:
    """In the result, or to a callback: what the backend found and what is no record."""
    expected = [("file", 7), ("events/r/j", damaged(storage))]
    found = events.query()
    assert [record.id for record in found] == ["1", "2"]
    assert [(damage.place, damage.offset) for damage in found.damage] == expected
    reported: list[Damage] = []
    found = events.query(on_damage=reported.append)
    assert [record.id for record in found] == ["1", "2"]
    assert (len(reported), list(found.damage)) == (2, [])


def test_statistics_count_damage(storage, events) -> None:
    """What is damaged is not counted among the records."""
    damaged(storage)
    reported: list[Damage] = []
    stats = events.stats(on_damage=reported.append)
    assert (stats.total, stats.damage, len(reported)) == (2, 2, 2)
    assert events.stats(EventFilter(types={"x", "y"})).damage == 2


# --- statistics


def test_statistics_by_type_job_and_agent(filled) -> None:
    """The most frequent first; no agent counts under the empty text, no job under the storing one."""
    stats = filled.stats()
    assert list(stats.counts.items()) == [("agent_failed", 3), ("claude_token_usage", 3), ("d_l_q_item_removed", 1)]
    assert (stats.total, stats.jobs, stats.damage) == (7, 3, 0)
    assert stats.size == sum(len(record.raw) + 1 for record in filled.query())
    assert filled.stats(by="job_id").counts == {"a": 4, "b": 3}
    assert filled.stats(by="agent_id").counts == {"agent-1": 4, "": 1, "agent-0": 1, "agent-2": 1}


def test_statistics_have_the_first_and_the_last_time(filled) -> None:
    """In UTC; without times if they are not asked for, or there is nothing."""
    stats = filled.stats()
    assert (stats.first, stats.last) == (START + timedelta(seconds=60), START + timedelta(seconds=420))
    assert filled.stats(times=False).first is None
    assert filled.stats(EventFilter(repo="none")).last is None


def test_times_of_others_are_compared_as_times(storage, events) -> None:
    """Text in another form sorts differently."""
    texts = (
        "2025-01-01T00:00:00.5Z",
        "2025-01-01T00:00:00.25Z",
        "2025-01-01T03:00:00+04:00",
        "2025-01-01T00:00:00.000000Z",
    )
    line = '{{"id":"{}","timestamp":"{}","correlation_id":"c","event":{{"event_type":"x"}}}}\n'
    data = "".join(line.format(number, text) for number, text in enumerate(texts)).encode()
    storage.commit(Batch(("r", "j"), (Append(EVENTS, data),)))
    stats = events.stats()
    assert (stats.first, stats.last) == (START - timedelta(hours=1), START + timedelta(seconds=0.5))
    assert [record.id for record in events.query(EventFilter(limit=4))] == ["2", "3", "1", "0"]


def test_both_spellings_of_a_tag_are_counted_together(events) -> None:
    """Under the tag that is written."""
    events.log("r", "j", UnknownEvent("dlq_item_removed", {"job_id": "j", "item_id": "i"}))
    events.log("r", "j", DLQItemRemoved("j", "i"))
    events.flush()
    assert events.stats().counts == {"d_l_q_item_removed": 2}
    assert [record.event for record in events.query()] == [DLQItemRemoved("j", "i")] * 2


def test_the_jobs_that_have_events(filled) -> None:
    """Sorted; the names of a filter choose."""
    assert filled.jobs() == [("other", "a"), ("repo", "a"), ("repo", "b")]
    assert filled.jobs(EventFilter(job="a")) == [("other", "a"), ("repo", "a")]


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"since": START.replace(tzinfo=None)}, {"types": "agent_failed"}])
def test_a_filter_is_checked_when_it_is_made(wrong) -> None:
    """A negative limit, a time without a zone, a text in the place of a set."""
    with pytest.raises(InvalidValue):
        EventFilter(**wrong)
