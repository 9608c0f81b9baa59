"""What the verbs show of a store, asked in this process."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from prodigy_storage.adapters.runtime import SystemClock
from prodigy_storage.cli.diagnostics import Diagnostic, exit_code
from prodigy_storage.codecs.kinds import DEAD_LETTER, SESSION
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.errors import (
    Ambiguous,
    ConfigError,
    Corrupt,
    Fenced,
    InvalidName,
    InvalidTransition,
    Locked,
    NotFound,
    ReadOnly,
    StorageFull,
    Unavailable,
)
from prodigy_storage.model.dead_letters import DeadLetter, ErrorType, Failure
from prodigy_storage.model.events import AgentFailed, AgentStarted, ClaudeTokenUsage, DLQItemAdded, UnknownEvent
from prodigy_storage.model.sessions import Session, SessionStatus, SessionType, WorkflowData
from prodigy_storage.ports.storage import Append, Batch, Put

LETTER = "a/long/way/to/an/item/that/does/not/fit/into/a/table.py"


def letter(item, *, minutes=2, **more):
    """A dead letter with two failures."""
    at = SystemClock().now() - timedelta(minutes=minutes, seconds=5)
    failures = [
        Failure(
            attempt_number=number,
            timestamp=at,
            error_type=ErrorType("CommandFailed", 3),
            error_message="it failed\nfor a \x1b[31mreason",
            stack_trace="Traceback:\n  line 7",
        )
        for number in (1, 2)
    ]
    return attrs.evolve(DeadLetter.of(item, {"path": item}, failures), **more)


def session(id, **more):
    now = SystemClock().now() - timedelta(minutes=2, seconds=5)
    fields = {
        "session_type": SessionType.WORKFLOW,
        "status": SessionStatus.RUNNING,
        "started_at": now,
        "updated_at": now,
    }
    return Session(id=id, **{**fields, **more})


def spoil(store, kind, scope, id, member):
    """Let a document lack a member that it needs, though its index can be read."""
    document = store.storage.fetch(scope, kind, [id])[id]
    body = document.body.replace(member, b'"elsewhere"')
    store.storage.commit(Batch(scope, (Put(kind, id, body[: body.rindex(b',\n  "_crc"')] + b"\n}"),)))


class TestEmpty:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("sessions list", "No sessions yet. Start one: prodigy-storage demo"),
            ("events ls", "No events yet."),
            ("events stats", "No events yet."),
            ("dlq list", "No dead letters."),
            ("dlq stats", "No dead letters."),
            ("locks list", "Nothing is held"),
            ("repos", "No projects yet."),
        ],
    )
    def test_an_empty_store_is_said_kindly(self, ask, words, said):
        """Nothing to list is no error: stdout is empty, stderr says what to do."""
        answer = ask(*words.split())

        assert (answer.code, answer.out) == (0, "")
        assert said in answer.err

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            ("sessions list", "sessions"),
            ("events ls", "events"),
            ("dlq list", "items"),
            ("locks list", "locks"),
            ("repos", "repos"),
        ],
    )
    def test_an_empty_list_is_an_empty_list_in_json(self, ask, words, name):
        """Lists stand under their plural names, also when they are empty."""
        answer = ask(*words.split(), "--json")

        assert answer.json["status"] == "ok"
        assert answer.json["data"][name] == []
        assert answer.err == ""


class TestEvents:
    @pytest.fixture(autouse=True)
    def events(self, store):
        """Two jobs with a few events."""
        for event in (
            AgentStarted("job", "agent-item", "item", "", 1),
            AgentFailed("job", "agent-item", "it broke", retry_eligible=False),
            DLQItemAdded("job", "item", "broke", 3),
            ClaudeTokenUsage("agent-item", 10, 20, 30),
        ):
            store.events.log("repo", "job", event)
        store.events.log("repo", "other", UnknownEvent("my_own", {"answer": 42}))
        store.events.flush()

    def test_each_event_is_a_line(self, ask):
        """A line says when, what, of what, and the detail that matters."""
        lines = ask("events", "ls").out.splitlines()

        assert len(lines) == 5
        assert [line.split(maxsplit=3)[1:] for line in lines[:2]] == [
            ["agent_started", "item", "attempt 1"],
            ["agent_failed", "item", "it broke"],
        ]
        assert "output_tokens=20" in lines[3]
        assert "answer=42" in lines[4]

    def test_json_has_the_stored_records(self, ask, store):
        """Each record in JSON is the stored line, member for member."""
        found = ask("events", "list", "--json").json["data"]["events"]

        assert [record["event"]["event_type"] for record in found][:2] == ["agent_started", "agent_failed"]
        assert set(found[0]) == {"id", "timestamp", "correlation_id", "event", "metadata"}

    @pytest.mark.parametrize("name", ["dlq_item_added", "d_l_q_item_added"])
    def test_both_spellings_of_a_type_find_it(self, ask, name):
        """Prodigy's two spellings of the dead-letter events are one."""
        found = ask("events", "ls", "--event-type", name, "--json").json["data"]["events"]

        assert [record["event"]["event_type"] for record in found] == ["d_l_q_item_added"]

    @pytest.mark.parametrize(
        ("words", "count"),
        [
            ("--event-type agent_started --event-type agent_failed", 2),
            ("--agent-id agent-item", 3),
            ("--job-id other", 1),
            ("--repo elsewhere", 0),
            ("--since 5", 5),
            ("--since 2999-01-01", 0),
            ("--limit 2", 2),
            ("--limit 0", 0),
            ("--correlation-id nobody", 0),
        ],
    )
    def test_filters_choose(self, ask, words, count):
        """Every filter narrows the list as it says."""
        assert len(ask("events", "ls", "--json", *words.split()).json["data"]["events"]) == count

    def test_a_mistyped_type_is_noticed(self, ask):
        """A type that is not known and finds nothing suggests the near one."""
        assert "did you mean agent_failed?" in ask("events", "ls", "--event-type", "agent_fail").err

    def test_statistics_count_by_type(self, ask):
        """The most frequent value comes first, with its share and a bar; the sums stand below."""
        answer = ask("events", "stats", "--group-by", "job_id")
        first, *_, last = answer.out.splitlines()

        assert first.split()[:3] == ["job", "4", "80.0%"]
        assert "█" in first
        assert last.startswith("5 events, 2 jobs, ")

    def test_damage_is_a_finding(self, ask, store):
        """A line that is no event is reported with its place; the rest is shown; the exit code is 1."""
        store.storage.commit(Batch(("repo", "job"), (Append(EVENTS, b'{"no":"event"}\n'),)))

        answer = ask("events", "ls", "--json")

        assert answer.code == 1
        assert answer.json["status"] == "findings"
        assert len(answer.json["data"]["events"]) == 5
        (found,) = answer.json["diagnostics"]
        assert found["code"] == "corrupt"
        assert found["offset"] > 0
        assert "events/repo/job" in found["path"]

    def test_damage_is_on_stderr_for_people(self, ask, store):
        """Without --json the damage is told on stderr, beside the list on stdout."""
        store.storage.commit(Batch(("repo", "job"), (Append(EVENTS, b'{"no":"event"}\n'),)))

        answer = ask("events", "ls")

        assert (answer.code, len(answer.out.splitlines())) == (1, 5)
        assert answer.err.splitlines()[-1].startswith("corrupt: events/repo/job: byte ")


class TestDeadLetters:
    @pytest.fixture(autouse=True)
    def letters(self, store):
        """Three dead letters in two jobs."""
        store.dlq.add("repo", "job", letter(LETTER))
        store.dlq.add("repo", "job", letter("twin", minutes=70, manual_review_required=True))
        store.dlq.add("repo", "other", letter("twin", minutes=3000, reprocess_eligible=False))

    def test_the_list_has_the_latest_failure_first(self, ask):
        """A line says the item, how often, how long ago, why, and whether a retry makes sense."""
        answer = ask("dlq", "list")
        lines = answer.out.splitlines()

        assert lines[0].split() == ["item", "fails", "last", "error", "retry"]
        assert "…" in lines[1].split()[0]
        assert [line.split()[-1] for line in lines[1:]] == ["yes", "review", "no"]
        assert [" ".join(line.split()[2:4]) for line in lines[1:]] == ["2 min", "1 h", "2 d"]
        assert all(len(line) <= 80 for line in lines)
        assert answer.err.startswith("3 of 3 shown.")

    def test_a_limit_says_so(self, ask):
        """A list that is cut says how much there is."""
        answer = ask("dlq", "list", "--limit", "1")

        assert len(answer.out.splitlines()) == 2
        assert answer.err.startswith("1 of 3 shown (--limit 1).")

    def test_eligible_ones_only(self, ask):
        """`--eligible` leaves out what must not be retried without a look."""
        answer = ask("dlq", "list", "--eligible", "--json")

        assert LETTER in [item["item_id"] for item in answer.json["data"]["items"]]
        assert {"repo": "repo", "job_id": "other"} not in answer.json["data"]["places"]

    def test_json_has_the_documents(self, ask):
        """Items in JSON have the documented members, and the checksum is not among them."""
        item = ask("dlq", "list", "--json", "--limit", "1").json["data"]["items"][0]

        assert item["failure_history"][0]["error_type"] == {"CommandFailed": {"exit_code": 3}}
        assert "_crc" not in item

    def test_one_is_shown_whole(self, ask):
        """`inspect` has the item, the whole history and the stack, and no control characters."""
        out = ask("dlq", "inspect", LETTER).out

        assert LETTER in out
        assert "exit code 3" in out
        assert out.count("line 7") == 2
        assert "\x1b" not in out

    def test_an_id_copied_from_a_table_is_enough(self, ask):
        """A cut id, as tables show it, names its item."""
        assert LETTER in ask("dlq", "inspect", f"{LETTER[:8]}…{LETTER[-8:]}").out

    def test_an_ambiguous_item_lists_its_places(self, ask):
        """An item of two jobs is an error that names both, until one is chosen."""
        answer = ask("dlq", "inspect", "twin")

        assert answer.code == 2
        assert "repo/job" in answer.err
        assert "repo/other" in answer.err
        assert ask("dlq", "inspect", "twin", "--job-id", "other").code == 0

    def test_a_mistyped_item_suggests_the_near_one(self, ask):
        """What is not found is compared with what is there."""
        answer = ask("dlq", "inspect", "twins", "--json")

        assert answer.code == 3
        assert answer.json["diagnostics"][0]["hint"] == "Did you mean twin?"

    def test_statistics(self, ask):
        """Sums, kinds and patterns."""
        answer = ask("dlq", "stats")
        numbers = ask("dlq", "stats", "--json").json["data"]

        assert answer.out.startswith("3 dead letters from 6 failures")
        assert (numbers["total"], numbers["failures"], numbers["by_type"]) == (3, 6, {"CommandFailed": 3})
        assert numbers["newest"].endswith("Z")

    def test_a_damaged_one_is_a_finding_and_the_rest_is_listed(self, ask, store):
        """Damage in one document hides no other one."""
        spoil(store, DEAD_LETTER, ("repo", "job"), "twin", b'"first_attempt"')

        answer = ask("dlq", "list", "--json")

        assert (answer.code, answer.json["status"]) == (1, "findings")
        assert len(answer.json["data"]["items"]) == 2
        assert "first_attempt" in answer.json["diagnostics"][0]["message"]
        assert ask("dlq", "inspect", "twin", "--job-id", "job").code == 5


class TestSessions:
    def test_the_list_has_the_newest_first(self, ask, store):
        """A line says id, status, workflow, progress and age."""
        data = WorkflowData(workflow_id="w", workflow_name="release", total_steps=5, completed_steps=(0, 1))
        store.sessions.create(session("session-old", workflow_data=data))
        store.sessions.create(session("session-new", started_at=SystemClock().now(), status=SessionStatus.FAILED))

        lines = ask("sessions", "list").out.splitlines()

        assert [line.split()[:2] for line in lines[1:]] == [["session-new", "Failed"], ["session-old", "Running"]]
        assert lines[2].split()[2:4] == ["release", "2/5"]
        assert lines[2].endswith("2 min")

    def test_filters_and_limits(self, ask, store):
        """Status in any case, type and limit choose; --all lifts the limit."""
        for number in range(3):
            store.sessions.create(session(f"session-{number}"))
        store.sessions.create(session("failed", status=SessionStatus.FAILED))

        def count(*words):
            return len(ask("sessions", "list", "--json", *words).json["data"]["sessions"])

        assert count("--status", "failed") == 1
        assert count("--type", "MapReduce") == 0
        assert count("--limit", "2") == 2
        assert count("--limit", "2", "--all") == 4
        assert "2 of 4 shown (--all shows the rest)" in ask("sessions", "list", "--limit", "2").err

    def test_a_session_without_a_job_is_shown(self, ask, store):
        """`show` knows workflow sessions too."""
        data = WorkflowData(workflow_id="w", workflow_name="release", total_steps=5, current_step=2)
        store.sessions.create(session("session-flow", workflow_data=data, error="out of luck"))

        out = ask("sessions", "show", "session-flow").out

        assert "step 2 of 5" in out
        assert "out of luck" in out
        assert ask("sessions", "show", "session-flow", "--json").json["data"]["session"]["id"] == "session-flow"

    def test_a_run_of_somebody_elses_says_how_it_goes_on(self, ask, store):
        """A paused run that is no demo is resumed in Python; its job id names it too."""
        with store.runs.start("repo", items=[1, 2, 3]) as run, run.claim() as attempt:
            attempt.result = 1

        out = ask("sessions", "show", run.job_id).out

        assert "1 of 3 completed, 0 dead letters, 2 to do" in out
        assert f'store.runs.resume("{run.session_id}")' in out

    def test_a_running_one_is_held(self, ask, store):
        """While somebody runs it, `show` and `locks` say who, and no way to go on is offered."""
        with store.runs.start("repo", items=[1]) as run:
            out = ask("sessions", "show", run.session_id).out
            (lock,) = ask("locks", "list", "--json").json["data"]["locks"]
            listed = ask("locks", "list").out

        assert "Running, by pid" in out
        assert "Go on with" not in out
        assert (lock["job_id"], lock["session_id"]) == (run.job_id, run.session_id)
        assert lock["acquired_at"].endswith("Z")
        assert str(lock["process_id"]) in listed

    def test_damage_is_a_finding(self, ask, store):
        """A session that cannot be read is reported by its id; the others are listed."""
        store.sessions.create(session("session-good"))
        store.sessions.create(session("session-bad"))
        spoil(store, SESSION, (), "session-bad", b'"updated_at"')

        answer = ask("sessions", "list", "--json")

        assert answer.code == 1
        assert [one["id"] for one in answer.json["data"]["sessions"]] == ["session-good"]
        assert answer.json["diagnostics"][0]["path"].endswith("session-bad")


class TestCheckpoints:
    @pytest.fixture
    def run(self, store):
        """A finished run."""
        with store.runs.start("repo", items=[1, 2]) as run:
            for attempt in run.attempts():
                with attempt:
                    attempt.result = attempt.item
            run.reduce(lambda results: sum(result for _, result in results))
        return run

    def test_they_are_listed_in_their_order(self, ask, run):
        """Setup, reduce result and map checkpoints with their numbers; the final one is marked."""
        by_session = ask("checkpoints", "list", run.session_id)
        by_job = ask("checkpoints", "list", "--job-id", run.job_id, "--json")

        assert "final" in by_session.out
        assert [one["phase"] for one in by_job.json["data"]["checkpoints"]] == ["Setup", "Map", "Reduce", "Map"]
        assert all(one["created_at"].endswith("Z") for one in by_job.json["data"]["checkpoints"])

    def test_the_newest_is_shown_if_none_is_named(self, ask, run):
        """`show` of a job alone takes its newest sound checkpoint."""
        newest = ask("checkpoints", "show", run.job_id, "--json").json["data"]
        setup = ask("checkpoints", "show", run.session_id, "setup-checkpoint", "--json").json["data"]

        assert newest["checkpoint"]["final"] is True
        assert [item["data"] for item in setup["checkpoint"]["items"]] == [1, 2]
        assert "2 entries" in ask("checkpoints", "show", run.job_id, "setup-checkpoint").out

    def test_a_mistyped_one_suggests_the_near_one(self, ask, run):
        """What is not found is compared with what is there."""
        answer = ask("checkpoints", "show", run.job_id, "setup-checkpiont")

        assert answer.code == 3
        assert "Did you mean setup-checkpoint?" in answer.err

    def test_one_id_is_needed(self, ask, run):
        """Neither none nor two."""
        assert ask("checkpoints", "list").code == 2
        assert ask("checkpoints", "list", "one", "--job-id", "two").code == 2


def test_projects_are_listed(ask, store):
    """Projects with their jobs, in JSON by name."""
    with store.runs.start("repo", items=[]) as run:
        pass

    assert ask("repos", "--json").json["data"]["repos"] == [{"name": "repo", "jobs": [run.job_id], "paths": []}]
    assert run.job_id in ask("repos").out


def test_health_names_what_was_tried(ask):
    """`health` says what worked, and how long it took."""
    answer = ask("health")

    assert answer.code == 0
    assert "wrote and synced" in answer.out
    assert "locked against a second taker" in answer.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Ambiguous("x"), 2),
        (ConfigError("x"), 2),
        (InvalidName("x"), 2),
        (InvalidTransition("x"), 2),
        (NotFound("x"), 3),
        (Fenced("x"), 4),
        (Locked("x"), 4),
        (Corrupt("x"), 5),
        (ReadOnly("x"), 7),
        (StorageFull("x"), 7),
        (Unavailable("x"), 7),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    """Scripts can tell the errors of the library apart."""
    assert exit_code(error) == code


def test_an_error_is_a_few_lines():
    """People see the code, the place, the message, the candidates and the hint, each once."""
    error = Corrupt("a.json: byte 7: it is no JSON", place="a.json", offset=7, hint="Look at it.")
    ambiguous = Ambiguous("two jobs", candidates=("a/1", "b/1"))

    assert Diagnostic.of_error(error).line() == "corrupt: a.json: byte 7: it is no JSON\n  Look at it."
    assert Diagnostic.of_error(ambiguous).line() == "ambiguous: two jobs\n  a/1\n  b/1"
    assert Diagnostic.of_error(error).json()["offset"] == 7


VERBS = ["demo", "repos", "health", "locks list", "events ls", "events stats", "dlq list", "dlq inspect", "dlq stats"]
VERBS += ["sessions list", "sessions show", "checkpoints list", "checkpoints show"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(ask, verb):
    """`--help` of each verb shows how it is typed, and the options that all verbs have."""
    out = ask(*verb.split(), "--help").out

    assert f"  prodigy-storage {verb}" in out
    assert "--json" in out
    assert "--root" in out
    assert "--debug" in out


def test_the_program_alone_shows_its_verbs(ask):
    """Without a verb the help is shown."""
    answer = ask()

    assert answer.code == 0
    assert all(verb.split()[0] in answer.out for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("events lst", "did you mean"),
        ("events", "events needs a verb: ls or search or stats"),
        ("frobnicate", "there are: demo, events"),
        ("sessions list --limt 3", "--limit"),
        ("sessions list --status asleep", "completed"),
        ("events ls --since 1x", "1h30m"),
        ("events ls --limit -1", "-1"),
        ("demo --workers 0", "0"),
        ("demo --input /nowhere/at/all", "/nowhere/at/all"),
        ("demo --force", "--resume"),
        ("demo surplus", "surplus"),
    ],
)
def test_wrong_usage_says_what_is_right(ask, words, said):
    """Errors of usage end with 2, on stderr for people and as the one object for programs."""
    people = ask(*words.split())
    machine = ask(*words.split(), "--json")

    assert (people.code, people.out, machine.code, machine.err) == (2, "", 2, "")
    assert said in people.err
    assert said in machine.out
    assert machine.json["diagnostics"][0]["code"] == "usage"


def test_a_defect_shows_no_traceback(ask, store, monkeypatch):
    """An exception that nobody expected is one line and a way to see more."""
    monkeypatch.setattr(store, "repos", lambda: 1 / 0)

    answer = ask("repos")

    assert answer.code == 1
    assert answer.err.startswith("internal: ZeroDivisionError: division by zero\n")
    assert "--debug" in answer.err
    assert "Traceback" in ask("repos", "--debug").err
