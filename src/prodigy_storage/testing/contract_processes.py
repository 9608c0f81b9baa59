"""Clauses C1, C4, C5, C11 and C12 with real processes, which are started anew and import the backend themselves."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import attrs
import pytest

from prodigy_storage.errors import Conflict
from prodigy_storage.ports.presence import Presence
from prodigy_storage.ports.storage import Append, Batch, Capability, Durability, Expect, Operation, Put, Storage
from prodigy_storage.testing.base import Contract, need
from prodigy_storage.testing.samples import BLOB, LOG, PAGES, TRAIL, body_of, line, numbers

Opener = Callable[[Path], Storage]
Work = Callable[[Storage, int, Connection], None]

_SPAWN = multiprocessing.get_context("spawn")
JOB = ("shop", "job")


class ProcessContract(Contract):
    """What holds between processes, and when one of them is killed."""

    def test_c01_a_killed_process_leaves_whole_batches(self, storage: Storage, place: Path) -> None:
        """After a kill, two documents and a stream agree on the last batch, which is one that was acknowledged
        or the next one.
        """
        need(storage, Capability.DURABLE)
        storage.close()
        acknowledged = 0
        for kill in range(3):
            acknowledged = _kill_after(self.opener(), place, start=acknowledged + 1, count=20 + kill * 15)
            with closing(self.open(place)) as again:
                found = numbers(again, JOB)[0]
                last = int(body_of(again, JOB, BLOB, "one") or b"0")
                assert found == list(range(1, last + 1))
                assert body_of(again, JOB, BLOB, "two") == b"%d" % last
                assert last in (acknowledged, acknowledged + 1), "an acknowledged batch is lost"
                acknowledged = last

    def test_c04_processes_create_once_and_lose_no_update(self, storage: Storage, place: Path) -> None:
        """Of two processes that create the same documents one wins each, and counting together they reach the sum."""
        need(storage, Capability.MULTI_PROCESS)
        storage.commit(Batch(JOB, [Put(BLOB, "count", b"0")]))
        with _children(self.opener(), place, [_create_and_count] * 2) as children:
            won = [cast("list[int]", child.pipe.recv()) for child in children]
        assert sorted(won[0] + won[1]) == list(range(10))
        for child, those in enumerate(won):
            assert all(body_of(storage, JOB, BLOB, f"d{n}") == b"%d" % child for n in those)
        assert body_of(storage, JOB, BLOB, "count") == b"30"

    def test_c12_processes_write_and_this_one_follows(self, storage: Storage, place: Path) -> None:
        """Records that two processes append are seen once each, in the order of each, by a cursor held meanwhile."""
        need(storage, Capability.MULTI_PROCESS)
        cursor = numbers(storage, JOB)[1]
        found: list[int] = []
        with _children(self.opener(), place, [_append_many] * 2) as children:
            waiting = [child.pipe for child in children]
            while waiting:
                waiting = [pipe for pipe in waiting if not pipe.poll(0.001)]
                more, cursor = numbers(storage, JOB, LOG, cursor)
                found += more
        found += numbers(storage, JOB, LOG, cursor)[0]
        for child in range(2):
            assert [n for n in found if n // 1000 == child] == [child * 1000 + n for n in range(50)]
        assert len(found) == 100

    def test_c12_two_openings_in_one_process_see_each_other(self, storage: Storage, place: Path) -> None:
        """Two openings of the same place in one process write and follow side by side."""
        need(storage, Capability.MULTI_PROCESS)
        with closing(self.open(place)) as other:
            cursor = None
            for n in range(6):
                writer, reader = (storage, other) if n % 2 else (other, storage)
                writer.commit(Batch(JOB, [Append(LOG, line(n)), Put(BLOB, "a", b"%d" % n)]))
                more, cursor = numbers(reader, JOB, LOG, cursor)
                assert (more, body_of(reader, JOB, BLOB, "a")) == ([n], b"%d" % n)
            seen = storage.fetch(JOB, BLOB, ["a"], fresh=True)["a"].version
            other.commit(Batch(JOB, [Put(BLOB, "a", b"new", seen)]))
            with pytest.raises(Conflict):
                storage.commit(Batch(JOB, [Put(BLOB, "a", b"newer", seen)]))
        storage.commit(Batch(JOB, [Append(LOG, line(6))]))
        assert numbers(storage, JOB, LOG, cursor)[0] == [6]

    def test_presence_a_process_lives_until_it_is_killed(self, storage: Storage, place: Path) -> None:
        """The token of another process is alive while that process is, and dead right after it was killed."""
        need(storage, Capability.PRESENCE)
        need(storage, Capability.MULTI_PROCESS)
        presence = cast("Presence", storage)
        with _children(self.opener(), place, [_be_present]) as (child,):
            token = child.pipe.recv()
            assert token != presence.me()
            assert presence.alive(token) is True
        assert presence.alive(token) is False
        assert presence.alive(presence.me()) is True


@attrs.frozen
class _Child:
    process: BaseProcess
    pipe: Connection


@contextmanager
def _children(opener: Opener, place: Path, works: Sequence[Work]) -> Iterator[Sequence[_Child]]:
    """Start a process for each piece of work, each with a pipe to this one; kill them in the end."""
    children: list[_Child] = []
    try:
        for number, work in enumerate(works):
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_child, args=(opener, place, work, number, theirs), daemon=True)
            process.start()
            theirs.close()
            children.append(_Child(process, ours))
        for child in children:
            child.pipe.recv()
        for child in children:
            child.pipe.send("go")
        yield children
    finally:
        for child in children:
            child.process.kill()
            child.process.join(60)
            child.pipe.close()


def _child(opener: Opener, place: Path, work: Work, number: int, pipe: Connection) -> None:
    with closing(opener(place)) as storage:
        pipe.send("ready")
        pipe.recv()
        work(storage, number, pipe)
        pipe.poll(None)


def _kill_after(opener: Opener, place: Path, *, start: int, count: int) -> int:
    """Let a process commit batches numbered from `start`, kill it after `count`; the last one acknowledged."""
    acknowledged = start - 1
    with _children(opener, place, [_commit_batches]) as (child,):
        child.pipe.send(start)
        for _ in range(count):
            acknowledged = child.pipe.recv()
        child.process.kill()
        try:
            while True:
                acknowledged = child.pipe.recv()
        except EOFError:
            return acknowledged


def _commit_batches(storage: Storage, _number: int, pipe: Connection) -> None:
    n = pipe.recv()
    while True:
        body = b"%d" % n
        operations: list[Operation] = [
            Put(BLOB, "one", body),
            Append(LOG, line(n)),
            Put(BLOB, "two", body),
            Append(TRAIL, line(n)),
        ]
        storage.commit(Batch(JOB, operations, Durability.OS))
        pipe.send(n)
        n += 1


def _create_and_count(storage: Storage, number: int, pipe: Connection) -> None:
    won = [n for n in range(10) if _won(storage, Put(BLOB, f"d{n}", b"%d" % number, Expect.ABSENT))]
    done = 0
    for _ in range(PAGES):
        seen = storage.fetch(JOB, BLOB, ["count"], fresh=True)["count"]
        done += _won(storage, Put(BLOB, "count", b"%d" % (int(seen.body) + 1), seen.version))
        if done == 15:
            break
    pipe.send(won)


def _append_many(storage: Storage, number: int, pipe: Connection) -> None:
    for n in range(50):
        storage.commit(Batch(JOB, [Append(LOG, line(number * 1000 + n))], Durability.OS))
    pipe.send("done")


def _be_present(storage: Storage, _number: int, pipe: Connection) -> None:
    pipe.send(cast("Presence", storage).me())


def _won(storage: Storage, put: Put) -> bool:
    try:
        storage.commit(Batch(JOB, [put], Durability.OS))
    except Conflict:
        return False
    return True
