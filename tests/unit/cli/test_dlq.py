"""`dlq`: looking, retrying, exporting, removing."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import attrs
import pytest

import prodigy_storage
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import error_type_of
from prodigy_storage.model.redrives import RedriveStatus

from .conftest import PROGRAM, call, environment
from .test_program import on_terminal


def letter(item, *, message="ValueError: no", data=None, days=0, **more):
    failure = Failure(
        attempt_number=1,
        timestamp=datetime.now(UTC) - timedelta(days=days),
        error_type=error_type_of(message),
        error_message=message,
        session_id="session-1",
    )
    return attrs.evolve(DeadLetter.of(item, data, [failure]), **more)


def fill(store, count=4, job="job-1"):
    for number in range(count):
        message = f"TimeoutError: no answer in {number} s" if number % 2 else f"KeyError: 'a' in /tmp/{number}.py"
        store.dlq.add("repo", job, letter(f"item_{number}", message=message, data={"n": number}, days=count - number))


@pytest.fixture
def filled(store):
    fill(store)
    return store


@pytest.fixture
def root(tmp_path):
    with prodigy_storage.open(str(tmp_path / "root")) as store:
        fill(store)
    return tmp_path / "root"


@pytest.mark.usefixtures("filled")
def test_a_filter_and_a_limit_choose_what_is_listed(ask):
    """The newest of what matches is shown; the footer names what to do next."""
    answer = ask("dlq", "list", "--filter", "error_type == 'Timeout'", "--limit", "1")
    assert "item_3" in answer.out
    assert "item_1" not in answer.out
    assert "1 of 2 shown" in answer.err
    assert "dlq analyze" in answer.err
    assert [one["item_id"] for one in ask("dlq", "list", "--filter", "item.n > 1", "--json").json["data"]["items"]] == [
        "item_3",
        "item_2",
    ]


@pytest.mark.parametrize("verb", [("list",), ("export", "-"), ("retry", "--dry-run"), ("retry", "--exec", "touch ran")])
def test_a_wrong_filter_is_wrong_usage_and_chooses_nothing(filled, ask, verb, tmp_path, monkeypatch):
    """Exit code 2 with the reason, and nothing is shown or run."""
    monkeypatch.chdir(tmp_path)
    answer = ask("dlq", *verb, "--filter", "item.n == '1'")
    assert (answer.code, answer.out) == (2, "")
    assert "invalid-filter" in answer.err
    assert not (tmp_path / "ran").exists()
    assert filled.redrives.list().values == []


@pytest.mark.usefixtures("filled")
def test_an_analysis_shows_patterns_kinds_and_hours(ask):
    """The largest patterns first, with samples, a verdict and what is new; every line fits."""
    answer = ask("dlq", "analyze", "--since", "36h")
    assert "4 dead letters, 2 patterns" in answer.out
    assert "TimeoutError: no answer in <n> s" in answer.out
    assert "not retried yet" in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines())
    tree = ask("dlq", "analyze", "--json", "--since", "100d").json["data"]["analysis"]
    assert (tree["total_items"], [one["new"] for one in tree["pattern_groups"]]) == (4, [True, True])


def test_an_analysis_is_written_to_a_file_and_told(filled, ask, tmp_path):
    """The file has the documented members; an event says that an analysis was made."""
    answer = ask("dlq", "analyze", "--export", str(tmp_path / "a.json"))
    assert answer.code == 0
    assert json.loads((tmp_path / "a.json").read_text())["total_items"] == 4
    assert filled.events.stats().counts["d_l_q_analysis_generated"] == 1
    assert ask("dlq", "analyze", "--since", "sometime").code == 2


@pytest.mark.usefixtures("filled")
def test_letters_are_exported(ask, tmp_path):
    """As JSON or CSV, to a file or to stdout."""
    assert ask("dlq", "export", str(tmp_path / "a.json"), "--eligible").code == 0
    assert len(json.loads((tmp_path / "a.json").read_text())) == 4
    answer = ask("dlq", "export", "-", "--format", "csv")
    assert [row[2] for row in csv.reader(answer.out.splitlines())] == [
        "item_id",
        "item_0",
        "item_1",
        "item_2",
        "item_3",
    ]
    assert ask("dlq", "export", str(tmp_path / "b.json"), "--json").json["data"]["count"] == 4
    assert ask("dlq", "export", "-", "--json").code == 2


def test_purging_says_what_goes_and_asks(filled, ask, monkeypatch):
    """Nothing goes in a dry run or where nobody can be asked; with --yes the old ones go."""
    monkeypatch.delenv("PRODIGY_AUTOMATION", raising=False)
    words = ("dlq", "purge", "--older-than-days", "2")
    dry = ask(*words, "--dry-run", "--json")
    assert [one["item_id"] for one in dry.json["data"]["items"]] == ["item_0", "item_1", "item_2"]
    assert ask(*words).code == 2
    assert len(filled.dlq.list().values) == 4
    assert ask(*words, "--yes", "--json").json["data"]["removed"] == 3
    assert [one.item_id for one in filled.dlq.list().values] == ["item_3"]
    assert ask(*words, "--yes").code == 0
    assert ask("dlq", "purge").code == 2


def test_clearing_takes_one_job(filled, ask):
    """Other jobs keep theirs; a mistyped job is not found and the near one suggested."""
    fill(filled, 1, job="job-2")
    missing = ask("dlq", "clear", "job-12", "--yes")
    assert (missing.code, "Did you mean job-" in missing.err) == (3, True)
    assert ask("dlq", "clear", "job-1", "--yes").code == 0
    assert [one.document.scope for one in filled.dlq.list().loaded] == [("repo", "job-2")]


def test_what_is_being_retried_stays(filled, ask):
    """Exit code 6 says that not everything was removed."""
    with filled.redrives.start("repo", "job-1") as running:
        trial = running.claim()
        answer = ask("dlq", "clear", "job-1", "--yes", "--json")
        assert (answer.code, answer.json["status"], answer.json["data"]["removed"]) == (6, "partial", 3)
        assert trial.item_id in answer.json["diagnostics"][0]["message"]
        assert "claimed" in ask("dlq", "inspect", trial.item_id).out
        running.give_back(trial)


def test_a_retry_runs_a_command_for_each_item(filled, ask, tmp_path):
    """The whole letter is on stdin; success removes it; exit code 0 when all succeeded or nothing is left."""
    out = tmp_path / "out"
    answer = ask("dlq", "retry", "--exec", f"cat >> {out}", "--parallel", "1", "--json", "--reason", "fixed")
    assert answer.code == 0
    assert answer.json["data"]["counts"] == {"done": 4, "failed": 0, "skipped": 0, "pending": 0}
    seen = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["item_data"]["n"] for one in seen] == [0, 1, 2, 3]
    assert seen[0]["failure_history"][0]["error_message"].startswith("KeyError")
    assert filled.dlq.list().values == []
    assert ask("dlq", "retry", "job-1", "--exec", "true").code == 0
    assert "fixed" in ask("dlq", "redrives", "list").out


def test_a_command_that_fails_leaves_its_traces(filled, ask):
    """Exit code and the end of the output go into the history; the program ends with 6."""
    answer = ask(
        "dlq", "retry", "--filter", "item.n < 2", "--exec", "echo first; echo broken >&2; exit 3", "--max-retries", "2",
        "--backoff", "none",
    )  # fmt: skip
    assert answer.code == 6
    assert "exit code 3: broken" in answer.out
    assert "2 failed" in answer.err
    found = filled.dlq.get("repo", "job-1", "item_0")
    assert [one.error_context for one in found.failure_history[1:]] == [("first", "broken")] * 2
    assert str(found.error_type) == "CommandFailed(3)"


def test_long_output_is_cut_and_strange_bytes_are_kept_readable(filled, ask):
    """A command may print without end: only the last lines are kept, whatever they are made of."""
    command = "yes 0123456789 | head -c 3000000; printf '\\n\\377\\n'; exit 1"
    assert ask("dlq", "retry", "--item", "item_0", "--exec", command, "--max-retries", "1").code == 6
    context = filled.dlq.get("repo", "job-1", "item_0").failure_history[-1].error_context
    assert (len(context), context[-1]) == (20, "\ufffd")


def test_a_command_that_takes_too_long_is_ended(filled, ask):
    """With all that it has started; the failure is a timeout."""
    answer = ask(
        "dlq", "retry", "--item", "item_0", "--exec", "sleep 60 | sleep 60", "--timeout", "200ms", "--max-retries", "1"
    )
    assert answer.code == 6
    last = filled.dlq.get("repo", "job-1", "item_0").failure_history[-1]
    assert (last.error_type.name, last.error_message) == ("Timeout", "timed out after 200ms")


@pytest.mark.usefixtures("filled")
def test_a_command_may_leave_something_running_behind(ask):
    """A child that keeps the output open is not waited for."""
    answer = ask("dlq", "retry", "--item", "item_0", "--exec", "sleep 5 & echo $!", "--json")
    assert answer.code == 0
    pid = int(answer.json["data"]["items"][0]["result"]["output"][0])
    os.kill(pid, signal.SIGKILL)  # it was still there


def test_a_dry_run_runs_nothing(filled, ask):
    """It lists what would be tried, and what only with --force."""
    filled.dlq.add("repo", "job-1", letter("review", manual_review_required=True))
    answer = ask("dlq", "retry", "--dry-run", "--filter", "!has(item.n) || item.n > 2")
    assert (answer.code, answer.out.split()) == (2, [])
    answer = ask("dlq", "retry", "--dry-run")
    assert answer.out.split() == ["item_0", "item_1", "item_2", "item_3"]
    assert "1 more only with --force" in answer.err
    assert filled.redrives.list().values == []
    assert ask("dlq", "retry", "--dry-run", "--force", "--json").json["data"]["items"][-1]["item_id"] == "review"
    named = ask("dlq", "retry", "--dry-run", "--item", "review", "--json").json["data"]
    assert (named["items"], named["refused"]) == ([], ["review"])


@pytest.mark.usefixtures("filled")
def test_a_canary_stops_and_the_rest_can_be_resumed(ask):
    """The note says how many failed, and the command to go on works."""
    words = ("--exec", "exit 1", "--max-retries", "1")
    answer = ask("dlq", "retry", *words, "--canary", "2", "--stop-above", "50%", "--json")
    assert (answer.code, answer.json["data"]["redrive"]["status"]) == (6, "Stopped")
    assert answer.json["data"]["counts"] == {"done": 0, "failed": 2, "skipped": 0, "pending": 2}
    id = answer.json["data"]["redrive"]["id"]
    assert "canary failed: 2 of 2, allowed are 50%" in ask("dlq", "redrives", "show", id).out
    again = ask("dlq", "retry", "--resume", id, "--exec", "true", "--json")
    assert (again.code, again.json["data"]["counts"]["done"]) == (6, 2)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--exec", "true", "--stop-above", "20%"),
        ("--exec", "true", "--canary", "5", "--stop-above", "120%"),
        ("--exec", "true", "--rate", "0"),
        ("--exec", "true", "--rate", "fast"),
        ("--exec", "true", "--backoff", "later"),
        ("--exec", "true", "--backoff", "-1s"),
        ("--exec", "true", "--timeout", "3"),
        ("--exec", "true", "--resume", "x", "--filter", "true"),
        ("--exec", "true", "--max-retries", "0"),
        ("--exec", "true", "--parallel", "0"),
    ],
)
def test_options_that_make_no_sense_are_refused(filled, ask, words):
    """Exit code 2, and nothing was begun."""
    assert ask("dlq", "retry", *words).code == 2
    assert filled.redrives.list().values == []


@pytest.mark.parametrize(
    "words", [("--backoff", "fixed:10ms"), ("--backoff", "10ms"), ("--rate", "600/m", "--backoff", "none")]
)
@pytest.mark.usefixtures("filled")
def test_waiting_is_said_as_people_say_it(ask, words):
    """A fixed or growing wait, and a rate by second, minute or hour."""
    answer = ask("dlq", "retry", "--item", "item_0", "--exec", "exit 1", "--max-retries", "2", *words, "--json")
    assert (answer.code, answer.json["data"]["items"][0]["attempt"]) == (6, 2)


def test_several_jobs_need_a_name(filled, ask):
    """Without one the candidates are listed; a missing item, redrive or job is not found."""
    fill(filled, 1, job="job-2")
    several = ask("dlq", "retry", "--dry-run")
    assert (several.code, "repo/job-2" in several.err) == (2, True)
    assert ask("dlq", "retry", "job-2", "--dry-run").out.split() == ["item_0"]
    assert ask("dlq", "retry", "job-1", "--dry-run", "--item", "item_9").code == 3
    assert ask("dlq", "retry", "--resume", "redrive-1", "--exec", "true").code == 3
    assert ask("dlq", "redrives", "show", "redrive-1").code == 3


@pytest.mark.usefixtures("filled")
def test_redrives_are_looked_at(ask):
    """Listed with state and reason, shown with the outcome of each item, also by a cut id."""
    assert ask("dlq", "redrives", "list").code == 0
    ask("dlq", "retry", "--exec", "test $(cat | wc -c) -gt 0 && exit 1", "--max-retries", "1", "--reason", "why not")
    listed = ask("dlq", "redrives", "list")
    assert "completed" in listed.out
    assert "why not" in listed.out
    cut = next(word for word in listed.out.split() if word.startswith("redrive-"))
    shown = ask("dlq", "redrives", "show", cut)
    assert shown.out.count("failed") >= 4
    assert ask("dlq", "redrives", "list", "--json").json["data"]["redrives"][0]["reason"] == "why not"


@pytest.mark.parametrize("verb", ["retry", "analyze", "export", "purge", "clear", "redrives"])
def test_every_verb_explains_itself(ask, verb):
    """The help has an example."""
    assert f"prodigy-storage dlq {verb}" in ask("dlq", verb, "--help").out


def test_the_program_retries_in_a_real_process(root):
    """The installed program over files: retry, look, and nothing is left."""
    done = call("dlq", "retry", "--root", root, "--exec", "grep -q item_", "--canary", 1, "--json")
    assert done.json["data"]["counts"]["done"] == 4
    assert call("dlq", "list", "--root", root, "--json").json["data"]["total"] == 0
    assert call("dlq", "analyze", "--root", root).out == ""
    assert "d_l_q_items_reprocessed" in call("events", "stats", "--root", root).out


def test_ctrl_c_gives_claims_back(root, tmp_path):
    """Exit code 130, the command to go on is printed, and no item is claimed any more."""
    words = [PROGRAM, "dlq", "retry", "--root", root, "--exec", f"touch {tmp_path}/began; sleep 60", "--parallel", "2"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "began").exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume redrive-" in errors
    with prodigy_storage.open(str(root)) as store:
        assert [one.claim for one in store.dlq.list().values] == [None] * 4
        assert store.redrives.list().values[0].status is RedriveStatus.INTERRUPTED


def test_a_terminal_shows_progress(root):
    """On a terminal a retry has a bar with its count, and a removal says what it did."""
    code, printed = on_terminal(
        "dlq", "retry", "--root", root, "--exec", "true", "--item", "item_0", "--item", "item_1"
    )
    assert code == 0
    assert "2/2" in printed
    assert "Done: 2 done." in printed
    code, printed = on_terminal("dlq", "clear", "job-1", "--root", root, "--yes")
    assert (code, "2 removed" in printed) == (0, True)
