"""Copying from store to store: everything, once, unchanged, however often it is interrupted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.kinds import DATA_KINDS, DEAD_LETTER, LEASE, MAPPING, PASSING_KINDS, RESUME_LOCK, SESSION
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import Corrupt, StorageFull
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.ports.storage import Append, Batch, Chunk, Cursor, Index, Kind, Put, Stream
from prodigy_storage.store import Store
from prodigy_storage.transfer import Contents, copy, entries
from prodigy_storage.transfer.entries import Body

from .conftest import RUNTIME, begin, fill, held, lines_of

JOB = ("shop", "job")


class Failing(MemoryStorage):
    """A store in memory that takes a number of commits."""

    left = 0

    def commit(self, batch):
        if self.left == 0:
            raise StorageFull("no space is left")
        self.left -= 1
        return super().commit(batch)


def append(storage, *numbers, scope=JOB, stream=EVENTS):
    storage.commit(Batch(scope, [Append(stream, b"".join(b'{"n":%d}\n' % n for n in numbers))]))


def numbers(storage, scope=JOB, stream=EVENTS):
    return [json.loads(line)["n"] for line in lines_of(storage, scope, stream)]


def test_everything_arrives_unchanged_and_a_second_copy_finds_nothing_to_do(source, target):
    """All documents and records come over byte for byte; repeated, the copy writes nothing."""
    fill(source)
    fill(source, repo="other", items=3)
    first = copy(source, target)
    assert held(target) == held(source)
    assert (first.complete, first.changed, first.known, first.same) == (True, True, 0, 0)
    second = copy(source, target)
    assert (second.changed, second.same, second.known) == (False, first.copied, first.records)
    assert held(target) == held(source)


@pytest.mark.parametrize("scope", [("shop",), None])
def test_a_scope_takes_along_the_sessions_and_mappings_that_name_it(source, target, scope):
    """A project's or a job's copy has its sessions and mappings, though these lie above it, and nothing of others."""
    scope = scope or fill(source)
    fill(source, repo="other")
    if len(scope) == 1:
        fill(source)
    jobs = {key[1][1] for key in held(source, scope)[0] if len(key[1]) > 1}
    copy(source, target, scope=scope)
    assert held(target, scope)[0].items() <= held(source, scope)[0].items()
    assert held(target, scope)[1] == held(source, scope)[1]
    documents, records = held(target)
    assert {key[1][:1] for key in documents if key[1]} | {key[1][:1] for key in records} == {("shop",)}
    named = sorted(key[0] for key in documents if key[0] in {"session", "mapping"})
    assert named == ["mapping"] * 2 * len(jobs) + ["session"] * len(jobs)
    sessions = [json.loads(body) for key, body in documents.items() if key[0] == "session"]
    assert sessions
    assert {session["repo"] for session in sessions} == {"shop"}


def test_a_session_without_a_project_belongs_to_that_of_its_job(source):
    """Sessions that name no project, as Prodigy writes them, come along with the project that has their job."""
    repo, job = fill(source)
    (key, body) = next(item for item in held(source)[0].items() if item[0][0] == "session")
    session = {name: value for name, value in json.loads(body).items() if name not in {"repo", "_crc"}}
    source.commit(Batch((), [Put(SESSION, key[2], json.dumps(session).encode())]))
    for scope in ((repo,), (repo, job)):
        assert any(isinstance(one, Body) and one.kind == SESSION for one in entries(source, Contents(), scope))
    assert not any(isinstance(one, Body) for one in entries(source, Contents(), ("other",)))


def test_a_session_of_another_project_with_a_job_of_the_same_id_stays(source):
    """Job ids may come twice; a session that names another project is not taken along."""
    repo, job = fill(source)
    (body,) = [body for key, body in held(source)[0].items() if key[0] == "session"]
    session = {**json.loads(body), "id": "session-other", "repo": "other"}
    del session["_crc"]
    source.commit(Batch((), [Put(SESSION, "session-other", json.dumps(session).encode())]))
    for scope in ((repo,), (repo, job)):
        found = [one.id for one in entries(source, Contents(), scope) if isinstance(one, Body) and one.kind == SESSION]
        assert len(found) == 1
        assert "session-other" not in found


def test_what_names_something_comes_after_it(source):
    """Records come first, then the documents of jobs, then mappings, then sessions."""
    begin(source)
    names = [one.kind.name if isinstance(one, Body) else one.stream.name for one in entries(source, Contents())]
    order = list(dict.fromkeys(names))
    assert order.index("progress") < order.index("checkpoint") < order.index("mapping") < order.index("session")
    assert names[-1] == "session"


def test_leases_locks_and_heartbeats_stay(source, target):
    """What is true of one store's processes alone is not copied, so a copied job can be resumed at once."""
    run = begin(source)
    copy(source, target)
    assert [list(target.scopes(kind)) for kind in (LEASE, RESUME_LOCK)] == [[], []]
    other = Store(target, runtime=RUNTIME)
    with other.runs.resume(run.job_id) as resumed:
        done = []
        for attempt in resumed.attempts():
            with attempt:
                done.append(attempt.item)
    assert done == [2, 3]
    assert other.sessions.load(run.session_id).value.status is SessionStatus.COMPLETED


def test_every_kind_is_data_or_passing():
    """A kind that is added to the library is either carried by transfers or said to be of one store alone."""
    known = {value for value in vars(kinds).values() if isinstance(value, Kind)}
    assert known == {*DATA_KINDS, *PASSING_KINDS}
    assert len(known) == len(DATA_KINDS) + len(PASSING_KINDS)


def test_a_document_that_differs_is_reported_and_kept(source, target):
    """A body that the target has otherwise stays, and is named; told to overwrite, the copy takes the source's."""
    repo, job = fill(source)
    copy(source, target)
    ((id, body),) = [(key[2], body) for key, body in held(source)[0].items() if key[0] == "dead_letter"]
    changed = json.dumps({**json.loads(body), "failure_count": 7, "_crc": None}).replace(', "_crc": null', "").encode()
    target.commit(Batch((repo, job), [Put(DEAD_LETTER, id, changed)]))
    report = copy(source, target)
    assert [(one.kind, one.scope, one.id) for one in report.differing] == [("dead_letter", (repo, job), id)]
    assert not report.complete
    assert held(target)[0]["dead_letter", (repo, job), id] == changed
    assert copy(source, target, overwrite=True, dry_run=True).replaced == 1
    assert held(target)[0]["dead_letter", (repo, job), id] == changed
    assert copy(source, target, overwrite=True).replaced == 1
    assert held(target) == held(source)


def test_a_dry_run_writes_nothing_and_counts_the_same(source, target):
    """What a dry run reports is what the copy then does."""
    fill(source)
    told = copy(source, target, dry_run=True)
    assert held(target) == ({}, {})
    assert copy(source, target) == told


def test_a_copy_that_broke_off_goes_on(source):
    """Wherever the target fails, repeating the copy ends with exactly what the source has, and nothing twice."""
    fill(source)
    wanted = held(source)
    commits = copy(source, MemoryStorage()).copied + 1
    for stop in range(commits):
        target = Failing()
        target.left = stop
        with pytest.raises(StorageFull):
            copy(source, target)
        mappings = [key for key in held(target)[0] if key[0] in {MAPPING.name, SESSION.name}]
        assert not mappings or held(target)[1] == wanted[1]
        target.left = 1000
        assert copy(source, target).complete
        assert held(target) == wanted


RECORDS = st.lists(st.integers(0, 5), max_size=12)


@given(source=RECORDS, target=RECORDS)
def test_a_stream_is_joined_like_a_bag(source, target):
    """Each record is in the target as often as in the richer of the two; what is appended keeps its order."""
    one, other = MemoryStorage(), MemoryStorage()
    if source:
        append(one, *source)
    if target:
        append(other, *target)
    report = copy(one, other)
    found = numbers(other)
    assert found[: len(target)] == target
    assert all(found.count(n) == max(source.count(n), target.count(n)) for n in range(6))
    rest = iter(source)
    assert all(n in rest for n in found[len(target) :])
    assert (report.records, report.known) == (len(found) - len(target), len(source) - len(found) + len(target))


def test_a_source_that_was_trimmed_or_a_target_that_went_on_does_no_harm(source, target):
    """Records that only the target has stay, and those that it lacks are appended."""
    append(source, *range(5))
    copy(source, target)
    append(target, 100)
    append(source, 5, 6)
    copy(source, target)
    assert numbers(target) == [0, 1, 2, 3, 4, 100, 5, 6]


def test_writers_who_append_in_between_do_not_disturb_the_verification(source):
    """Records of others in the target, met while reading back, are passed over."""

    class Busy(MemoryStorage):
        def commit(self, batch):
            super().commit(Batch(batch.scope, [Append(EVENTS, b'{"n":-1}\n')]))
            return super().commit(batch)

    busy = Busy()
    append(source, 1, 2)
    copy(source, busy, contents=Contents(kinds=()))
    assert numbers(busy) == [-1, 1, 2]


def test_what_does_not_come_back_is_corrupt(source):
    """A target that loses a record or changes a body is found out at once."""

    class Losing(MemoryStorage):
        def records(self, scope, stream, after=None, *, verify=True):
            return Chunk(b"", super().records(scope, stream, after).cursor)

    class Changing(MemoryStorage):
        def fetch(self, *args, **more):
            found = super().fetch(*args, **more)
            return {id: type(one)(one.scope, one.kind, id, b"{}", one.version) for id, one in found.items()}

    append(source, 1)
    with pytest.raises(Corrupt, match="do not come back"):
        copy(source, Losing())
    fill(source)
    with pytest.raises(Corrupt, match="does not come back"):
        copy(source, Changing(), contents=Contents(streams=()))


def test_lines_that_cannot_be_stored_are_reported(target):
    """What another program left between records is named with its stream; the records beside it come over."""

    class Foreign(MemoryStorage):
        def records(self, scope, stream, after=None, *, verify=True):
            data = b'{"n":1}\r\nnot json\n\n{"n":2}\n{"n":3,\t"_seq":1,"_crc":2}\n'
            return Chunk(b"" if after else data, Cursor("end"))

    foreign = Foreign()
    append(foreign, 9)
    report = copy(foreign, target)
    assert numbers(target) == [1, 2]
    assert [damage.place for damage in report.damage] == ["events/shop/job"] * 2
    assert not report.complete


def test_damage_of_the_source_is_reported(tmp_path, target):
    """A document that cannot be read is named in the report; everything else arrives."""
    storage = FileStorage(tmp_path / "source")
    repo, job = fill(storage)
    (letter,) = (tmp_path / "source" / "dlq" / repo / job / "items").iterdir()
    letter.write_bytes(letter.read_bytes()[:-20])
    report = copy(storage, target)
    assert [damage.place for damage in report.damage] == [str(letter)]
    assert not report.complete
    assert held(target)[1] == held(storage)[1]
    storage.close()


def test_kinds_and_streams_of_ones_own(source, target):
    """What the caller adds is carried too, a kind of the same name in place of the library's."""
    note, log = Kind("note", lambda _: Index(0)), Stream("log", lambda _: 0)
    source.commit(Batch(("shop",), [Put(note, "a", b"{}"), Append(log, b'{"n":1}\n')]))
    assert not copy(source, target).changed
    copy(source, target, contents=Contents().and_also(note, log))
    assert target.fetch(("shop",), note, ["a"])["a"].body == b"{}"
    assert numbers(target, ("shop",), log) == [1]
    mine = Kind("session", lambda _: Index(0))
    assert next(kind for kind in Contents().and_also(mine).kinds if kind.name == "session") is mine
    assert len(Contents().and_also(mine).kinds) == len(DATA_KINDS)


def test_large_streams_come_in_pieces(source, target):
    """A stream of several megabytes is copied piece by piece, with the progress told after each one."""
    text = "x" * 1000
    for first in range(0, 3000, 500):
        data = b"".join(b'{"n":%d,"t":"%s"}\n' % (n, text.encode()) for n in range(first, first + 500))
        source.commit(Batch(JOB, [Append(PROGRESS, data)]))
    seen = []
    report = copy(source, target, progress=lambda report: seen.append(report.records))
    assert (seen[-1], report.records) == (3000, 3000)
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert numbers(target, JOB, PROGRESS) == list(range(3000))
