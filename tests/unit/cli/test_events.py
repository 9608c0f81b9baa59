"""`events`: every verb, in this process and through the installed program."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.model.events import AgentFailed, QueueDepthChanged
from prodigy_storage.opening import open as open_store
from prodigy_storage.ports.storage import Append, Batch

from .conftest import PROGRAM, call, environment


def fill(store, *numbers, repo="repo", job="job"):
    for number in numbers:
        store.events.log(repo, job, QueueDepthChanged(job, number, 0, 0))
    store.events.flush()


def pending(records):
    return [record["event"]["pending"] for record in records]


def found(answer):
    return pending(answer.json["data"]["events"])


@pytest.fixture
def filled(store):
    """Three jobs of two projects."""
    for repo, job in (("repo", "job"), ("repo", "other"), ("lib", "third")):
        fill(store, 1, 2, 3, repo=repo, job=job)
    store.events.log("repo", "job", AgentFailed("job", "agent-7", "it [broke] at 12", retry_eligible=True))
    store.events.flush()
    return store


@pytest.fixture
def root(tmp_path):
    """A store in files with two jobs, whose writer is gone."""
    with open_store(tmp_path / "root") as store:
        fill(store, *range(20))
        fill(store, *range(5), job="other")
    return tmp_path / "root"


# --- search and the filters that all share


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["broke"], 1),
        (["--fields", "error", r"\[broke\] at \d+$"], 1),
        (["--fields", "metadata.pid,job_id", "^job$"], 4),
        (["--fields", "error", "nothing"], 0),
        (["--job-id", "job", "--job-id", "third", "queue_depth"], 6),
        (["--all-jobs", "queue_depth"], 9),
        (["--limit", "2", "queue_depth"], 2),
        (["--repo", "lib", "."], 3),
    ],
)
def test_search_finds_lines_and_fields(ask, words, count):
    """A regular expression, in the whole line or in the named fields, with every filter."""
    answer = ask("events", "search", *words, "--json")
    assert len(answer.json["data"]["events"]) == count
    assert answer.json["data"]["pattern"] == words[-1]
    assert len(ask("events", "search", *words).out.splitlines()) == count


@pytest.mark.usefixtures("filled")
def test_a_search_without_result_says_so(ask):
    """On stderr, with exit code 0; a bad pattern is an error of usage."""
    assert (ask("events", "search", "nowhere").code, ask("events", "search", "nowhere").err) == (0, "No events fit.\n")
    answer = ask("events", "search", "(", "--json")
    assert (answer.code, answer.json["diagnostics"][0]["code"]) == (2, "invalid-value")
    assert ask("events", "search", "(a+)+$", "--fields", "error").code == 0


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("verb", [["ls"], ["stats"], ["search", "x"], ["export"]])
def test_all_jobs_and_one_job_do_not_go_together(ask, verb):
    """What contradicts itself is refused."""
    answer = ask("events", *verb, "--all-jobs", "--job-id", "job")
    assert (answer.code, "--all-jobs" in answer.err) == (2, True)


# --- from a file


@pytest.fixture
def archive(store, tmp_path):
    """A compressed file of records of two jobs."""
    fill(store, 1, 2)
    fill(store, 3, job="other")
    path = tmp_path / "some.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(record.raw + b"\n" for record in store.events.query())))
    return str(path)


def test_every_verb_reads_a_file(ask, archive):
    """A file of records in the place of the store, with the filters; jobs are those that the events name."""
    assert found(ask("events", "ls", "--file", archive, "--json")) == [1, 2, 3]
    assert found(ask("events", "ls", "--file", archive, "--job-id", "other", "--json")) == [3]
    assert found(ask("events", "ls", "--file", archive, "--limit", "1", "--json")) == [3]
    assert found(ask("events", "search", "other", "--file", archive, "--json")) == [3]
    counts = ask("events", "stats", "--group-by", "job_id", "--file", archive, "--json").json["data"]["counts"]
    assert counts == {"job": 2, "other": 1}
    assert len(ask("events", "export", "--format", "jsonl", "--file", archive).out.splitlines()) == 3


def test_a_file_that_is_missing_or_damaged(ask, archive, tmp_path):
    """Missing is exit code 3, damage is a finding with its place, a project is refused."""
    assert ask("events", "ls", "--file", str(tmp_path / "none")).code == 3
    assert ask("events", "ls", "--file", archive, "--repo", "repo").code == 2
    path = tmp_path / "bad.jsonl"
    path.write_bytes(gzip.decompress(Path(archive).read_bytes()) + b'{"torn')
    answer = ask("events", "ls", "--file", str(path), "--job-id", "job", "--json")
    assert (answer.code, found(answer)) == (1, [1, 2])
    assert answer.json["diagnostics"][0]["path"] == str(path)


# --- export


@pytest.mark.usefixtures("filled")
def test_export_prints_each_format(ask):
    """To stdout unless a file is named; the count is told on stderr."""
    whole = ask("events", "export", "--job-id", "third")
    assert pending(json.loads(whole.out)) == [1, 2, 3]
    assert whole.err == "3 events written.\n"
    header, *rows = csv.reader(io.StringIO(ask("events", "export", "--format", "csv").out, newline=""))
    assert header == ["timestamp", "event_type", "job_id", "agent_id", "details"]
    assert len(rows) == 10
    assert len(ask("events", "export", "--format", "markdown", "--limit", "2").out.splitlines()) == 4


@pytest.mark.usefixtures("filled")
def test_an_export_file_is_whole_and_never_overwritten_unasked(ask, tmp_path):
    """An existing file needs --yes; after an error there is none, and nothing is left beside it."""
    path = tmp_path / "out.json"
    answer = ask("events", "export", "--output", str(path), "--json")
    assert answer.json["data"] == {"file": str(path), "format": "json", "count": 10}
    assert len(json.loads(path.read_text())) == 10
    again = ask("events", "export", "--output", str(path), "--limit", "1")
    assert (again.code, "--yes" in again.err, len(json.loads(path.read_text()))) == (2, True, 10)
    assert ask("events", "export", "--output", str(path), "--limit", "1", "--yes").code == 0
    assert len(json.loads(path.read_text())) == 1
    assert ask("events", "export", "--output", str(tmp_path / "no" / "dir.json")).code == 7
    assert ask("events", "export", "--json").code == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("filled")
def test_parquet_has_typed_columns(ask, tmp_path):
    """The columns of the CSV, the time as a time; stdout is no place for it."""
    from pyarrow import parquet  # noqa: PLC0415

    path = tmp_path / "out.parquet"
    assert ask("events", "export", "--format", "parquet", "--output", str(path)).code == 0
    table = parquet.read_table(path)
    assert table.column_names == ["timestamp", "event_type", "job_id", "agent_id", "details"]
    assert table.num_rows == 10
    assert str(table.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert json.loads(table.column("details")[0].as_py())["pending"] == 1
    empty = tmp_path / "empty.parquet"
    assert ask("events", "export", "--format", "parquet", "--output", str(empty), "--job-id", "none").code == 0
    assert parquet.read_table(empty).num_rows == 0
    assert ask("events", "export", "--format", "parquet").code == 2


@pytest.mark.usefixtures("filled")
def test_parquet_without_its_extra_says_how_to_get_it(ask, tmp_path, monkeypatch):
    """And leaves no file."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = ask("events", "export", "--format", "parquet", "--output", str(tmp_path / "x.parquet"))
    assert (answer.code, "pip install 'prodigy-storage[parquet]'" in answer.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


# --- clean


@pytest.mark.usefixtures("filled")
def test_clean_wants_a_limit(ask):
    """Without one nothing is removed, and the choices are named."""
    answer = ask("events", "clean", "--yes")
    assert answer.code == 2
    assert all(name in answer.err for name in ("--older-than", "--max-events", "--max-size"))


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("words", ["--older-than -5m", "--older-than 5", "--max-size 1M", "--max-events -1"])
def test_limits_are_read_strictly(ask, words):
    """What could mean two things means none."""
    assert ask("events", "clean", *words.split(), "--yes").code == 2


def test_clean_says_what_goes_and_asks(ask, filled):
    """A dry run only tells; without a terminal and an answer it refuses; --yes does it."""
    dry = ask("events", "clean", "--max-events", "1", "--dry-run", "--json")
    assert dry.code == 0
    assert (dry.json["data"]["dry_run"], dry.json["data"]["events_cleaned"]) == (True, 7)
    refused = ask("events", "clean", "--max-events", "1")
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert "repo/job: 3 go, 1 stay" in refused.err
    assert filled.events.stats().total == 10
    done = ask("events", "clean", "--max-events", "1", "--yes", "--json").json["data"]
    assert (done["dry_run"], done["events_cleaned"], done["events_archived"]) == (False, 7, 0)
    assert filled.events.stats().total == 3
    assert ask("events", "clean", "--max-events", "1", "--yes").err == "Nothing to remove.\n"


def test_automation_is_an_answer(ask, filled, monkeypatch):
    """As Prodigy has it; only the named jobs are touched."""
    monkeypatch.setenv("PRODIGY_AUTOMATION", "true")
    assert ask("events", "clean", "--max-size", "0", "--job-id", "other", "--job-id", "third").code == 0
    assert filled.events.stats(by="job_id").counts == {"job": 4}
    unknown = ask("events", "clean", "--max-events", "0", "--job-id", "jib")
    assert (unknown.code, "Did you mean job?" in unknown.err) == (3, False)


@pytest.mark.usefixtures("filled")
def test_what_is_cleaned_can_be_read_in_its_archive(ask, tmp_path):
    """The path is told; `events ls --file` shows what went."""
    answer = ask("events", "clean", "--max-events", "1", "--archive-path", str(tmp_path / "old"), "--yes", "--json")
    assert answer.json["data"]["events_archived"] == 7
    paths = [path for job in answer.json["data"]["jobs"] for path in job["archives"]]
    assert len(paths) == 3
    assert [found(ask("events", "ls", "--file", path, "--json")) for path in paths] == [[1, 2], [1, 2, 3], [1, 2]]


def test_a_job_that_is_being_cleaned_does_not_stop_the_others(ask, filled):
    """It is an item of a partial result, with its own exit code."""
    from zlib import crc32  # noqa: PLC0415

    filled.locks.acquire(("repo", "job"), f"clean-events-{crc32(b'repo/job'):08x}", purpose="cleaning")
    answer = ask("events", "clean", "--max-events", "0", "--yes", "--json")
    assert (answer.code, answer.json["status"]) == (6, "partial")
    assert [one["code"] for one in answer.json["diagnostics"]] == ["locked"]
    assert filled.events.stats(by="job_id").counts == {"job": 4}


def test_clean_in_a_terminal_asks(root):
    """The answer no changes nothing, the answer yes removes; archives lie below the root."""
    for key, left in ((b"n\n", 25), (b"y\n", 2)):
        main, other = pty.openpty()
        done = subprocess.Popen(
            [PROGRAM, "events", "clean", "--max-events", "1", "--archive", "--root", root],
            stdin=other,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        os.write(main, key)
        err = done.communicate(timeout=60)[1].decode()
        os.close(main)
        os.close(other)
        assert "Go on?" in err
        assert call("events", "stats", "--root", root, "--json").json["data"]["total"] == left
    archives = sorted((root / "events/archive").rglob("events_archive_*.jsonl.gz"))
    assert [path.parent for path in archives] == [root / "events/archive/repo" / job for job in ("job", "other")]
    assert found(call("events", "ls", "--file", archives[0], "--root", root, "--json")) == list(range(19))
    assert archives[0].parent.stat().st_mode & 0o777 == 0o700


# --- follow


class Lazy(SystemClock):
    """Does something each time somebody waits; then nobody waits any more."""

    works: list = []  # noqa: RUF012

    def sleep(self, seconds):
        if not self.works:
            raise KeyboardInterrupt
        self.works.pop(0)()


@pytest.fixture
def lazy(store, monkeypatch):
    clock = Lazy()
    monkeypatch.setattr(store.events, "_clock", clock)
    clock.works = []
    return clock


def test_follow_prints_each_event_once_as_a_line(ask, filled, lazy):
    """The newest ten that exist, then what comes; Ctrl-C ends it with 130."""
    fill(filled, *range(10, 20))
    lazy.works = [lambda: fill(filled, 99, job="new")]
    answer = ask("events", "follow")
    assert answer.code == 130
    assert len(answer.out.splitlines()) == 11
    assert all(len(line) <= 80 for line in answer.out.splitlines())
    assert "pending=99" in answer.out.splitlines()[-1]
    assert answer.err == ""


def test_follow_dates_what_is_not_of_today(ask, store, lazy):
    """A time alone means today."""
    old = b'{"id":"x","timestamp":"2025-03-04T12:00:00Z","correlation_id":"c","event":{"event_type":"odd","n":1}}\n'
    store.storage.commit(Batch(("repo", "job"), [Append(EVENTS, old)]))
    lazy.works = [lambda: fill(store, 1)]
    first, second = ask("events", "follow").out.splitlines()
    assert first.startswith("03-0")
    assert (second[2], second[5], second[8]) == (":", ":", ".")
    assert first.index("odd") == second.index("queue_depth_changed")


def test_follow_json_is_one_record_per_line(ask, filled, lazy):
    """As it is stored, without an object around; damage is told on stderr."""
    bad = Batch(("repo", "job"), [Append(EVENTS, b'{"no":"event"}\n')])
    lazy.works = [lambda: fill(filled, 7), lambda: filled.storage.commit(bad)]
    answer = ask("events", "follow", "--json", "--limit", "0", "--job-id", "job")
    assert pending(map(json.loads, answer.out.splitlines())) == [7]
    assert answer.err.startswith("corrupt: events/repo/job: ")
    assert answer.code == 130


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize(
    ("words", "count"), [("", 10), ("--limit 3", 3), ("--since 1h", 14), ("--since 1h --limit 2", 2)]
)
def test_follow_begins_with_what_exists(ask, filled, words, count):
    """The newest ten, or as many as --limit says; with --since all of that time."""
    fill(filled, *range(4))
    assert len(ask("events", "follow", *words.split()).out.splitlines()) == count


def test_follow_a_file_that_grows(ask, tmp_path, monkeypatch, store):
    """Whole lines only, as soon as they are whole."""
    fill(store, 1, 2)
    first, second = (record.raw + b"\n" for record in store.events.query())
    path = tmp_path / "events.jsonl"
    path.write_bytes(first + second[:20])
    clock = Lazy()
    clock.works = [lambda: None, lambda: path.write_bytes(first + second)]
    monkeypatch.setattr("prodigy_storage.cli.events_options.SystemClock", lambda: clock)
    answer = ask("events", "follow", "--file", str(path), "--json")
    assert pending(map(json.loads, answer.out.splitlines())) == [1, 2]
    assert answer.err == ""


def test_follow_in_a_process_of_its_own(root):
    """Events of another process appear; SIGINT ends it quietly."""
    process = subprocess.Popen(
        [PROGRAM, "events", "follow", "--json", "--limit", "1", "--poll", "0.02", "--root", root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    first = process.stdout.readline()
    with open_store(root) as store:
        fill(store, 77)
        assert pending([json.loads(first), json.loads(process.stdout.readline())])[1] == 77
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, rest, err) == (130, b"", b"")


def test_follow_ends_quietly_when_nobody_reads(root):
    """A closed pipe ends the program with the next event."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [PROGRAM, "events", "follow", "--root", root],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("verb", ["search", "follow", "export", "clean"])
def test_help_has_examples(ask, verb):
    """As for every verb."""
    answer = ask("events", verb, "--help")
    assert (answer.code, f"  prodigy-storage events {verb}" in answer.out) == (0, True)
    assert max(map(len, answer.out.splitlines())) <= 80
