"""The installed program, in processes of its own: exit codes, streams, signals, pipes, terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import prodigy_storage

from .conftest import PROGRAM, call, environment, make_input

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DEAD = ["bad/encoding.py", "bad/null.py", "bad/syntax.py"]


@pytest.fixture
def project(tmp_path):
    return make_input(tmp_path / "proj")


@pytest.fixture
def many(tmp_path):
    """An input that takes a while: slow to parse, and enough of it."""
    place = tmp_path / "many"
    place.mkdir()
    source = "\n".join(f"def f{number}(a, b=[1, 2, 3]): return {{a: b, 'x': [a for a in b]}}" for number in range(900))
    for number in range(24):
        (place / f"m{number:02}.py").write_text(source)
    return place


def first_line(process):
    """Wait until the program has said which session it is."""
    return process.stderr.readline().strip()


def started(*words, **more):
    return subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
        start_new_session=True,
    )


def settled(root, session):
    """Wait until the store has a settled item."""
    with prodigy_storage.open(root) as store:
        for _ in range(3000):
            if store.sessions.find(session) and store.runs.look(store.runs.find(session)).state.done:
                return
            time.sleep(0.01)
    pytest.fail("the demo does not get on")


class TestDemo:
    def test_the_answer_in_json(self, parsed):
        """The last line on stdout is one object that says everything; links and site-packages are left out."""
        _, answer = parsed
        data = answer.json["data"]

        assert answer.json["status"] == "ok"
        assert (data["items"], data["completed"], data["dead_letters"]) == (7, 4, DEAD)
        assert data["totals"]["pkg"] == {"files": 3, "lines": 12, "functions": 4, "classes": 2}
        assert data["totals"]["top"] == {"files": 1, "lines": 6, "functions": 2, "classes": 1}
        assert answer.json["diagnostics"] == []
        assert data["seconds"] > 0

    def test_the_session_is_the_first_line_on_stderr(self, parsed):
        """Whoever starts the program learns at once what to resume."""
        _, answer = parsed
        first, second, third = answer.err.splitlines()

        assert first == answer.json["data"]["session_id"]
        assert second.startswith("Parsing 7 Python files below ")
        assert third.startswith("Everything is kept in ")

    def test_every_printed_command_shows_something(self, project, tmp_path):
        """The commands at the end run as they are printed, and each has an answer."""
        answer = call("demo", "--input", project, "--root", tmp_path / "root")
        commands = [line.strip() for line in answer.out.splitlines() if line.startswith("  prodigy-storage ")]

        assert len(commands) == 3
        for command in commands:
            shown = call(*shlex.split(command)[1:])
            assert shown.out.strip(), command

    def test_the_totals_are_shown_largest_first(self, project, tmp_path):
        """The table has the packages by their lines, and their sum."""
        lines = call("demo", "--input", project, "--root", tmp_path / "root").out.splitlines()

        assert [line.split()[:3] for line in lines[1:5]] == [
            ["package", "files", "lines"],
            ["pkg", "3", "12"],
            ["top", "1", "6"],
            ["all", "4", "18"],
        ]
        assert lines[6].startswith("Done: 4 parsed, 3 dead letters, ")

    def test_an_input_without_python_is_done_at_once(self, tmp_path):
        """Nothing to parse is a complete job with no items."""
        (tmp_path / "none").mkdir()
        answer = call("demo", "--input", tmp_path / "none", "--root", tmp_path / "root", "--json")

        assert answer.json["data"]["items"] == 0
        assert answer.json["data"]["totals"] == {}

    def test_the_root_may_stand_before_the_verb(self, parsed):
        """Common options count before and after the verb, and for groups."""
        root, _ = parsed
        places = [
            ("--root", root, "sessions", "list"),
            ("sessions", "--root", root, "list"),
            ("sessions", "list", "--root", root),
        ]
        answers = [call(*words, "--json").out for words in places]

        assert answers[0] == answers[1] == answers[2]
        assert call("--json", "--root", root, "sessions", "list").out == answers[0]

    def test_the_home_variable_moves_everything(self, parsed):
        """Without --root, PRODIGY_HOME says where; printed commands then need no --root."""
        root, answer = parsed
        shown = call("sessions", "show", answer.json["data"]["session_id"], PRODIGY_HOME=str(root))

        assert "\n  prodigy-storage dlq list --job-id mapreduce-" in shown.out


class TestResume:
    def test_a_completed_run_says_the_same_and_writes_nothing(self, parsed):
        """Resuming what is done prints its result again, by session id and by job id."""
        root, answer = parsed
        data = answer.json["data"]
        before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}

        again = [call("demo", "--resume", data[id], "--root", root, "--json") for id in ("session_id", "job_id")]

        for one in again:
            seconds = one.json["data"].pop("seconds")
            assert 0 < seconds < 100
            assert {**one.json["data"], "seconds": data["seconds"]} == data
            assert (one.json["status"], one.json["diagnostics"]) == ("ok", [])
        assert {path for path in before if path.stat().st_mtime_ns != before[path]} == set()

    def test_nothing_to_resume(self, parsed):
        """Without an unfinished run, and for an unknown id, the exit code is 3; an empty id is none."""
        root, _ = parsed

        assert "there is no unfinished demo run" in call("demo", "--resume", "--root", root, code=3).err
        assert "invalid-name" in call("demo", "--resume", "", "--root", root, code=2).err
        assert "there is no session or job nope" in call("demo", "--resume", "nope", "--root", root, code=3).err

    @pytest.mark.kill
    def test_a_killed_run_is_found_and_finished(self, many, tmp_path):
        """After kill -9, a new demo names the unfinished run, and --resume brings it to the whole result."""
        root = tmp_path / "root"
        crashed = call("demo", "--input", many, "--root", root, "--crash-after", 12, code=-signal.SIGKILL)
        session = crashed.err.splitlines()[0]

        other = call("demo", "--input", make_input(tmp_path / "small"), "--root", root)
        listed = call("sessions", "list", "--root", root)
        resumed = call("demo", "--resume", "--root", root, "--json")

        notice = other.err.splitlines()
        assert notice[0] != session
        assert notice[1] == f"An unfinished run was found: {session}"
        assert notice[2].startswith("  12 of 24 done, stopped ")
        assert notice[2].endswith("(killed). Go on with:")
        assert notice[3] == f"  prodigy-storage --root {root} demo --resume {session}"
        assert "killed" in listed.out
        assert resumed.json["data"]["session_id"] == session
        assert resumed.json["data"]["completed"] == 24
        assert resumed.err.splitlines()[1].startswith("Going on with 12 of 24 Python files")

    def test_a_held_run_is_locked_until_it_is_forced(self, many, tmp_path):
        """A frozen holder is named to whoever resumes; --force fences it, and thawed it writes no more and ends with 4."""
        root = tmp_path / "root"
        holder = started("demo", "--input", many, "--root", root, "--workers", 1)
        session = first_line(holder)
        settled(root, session)
        holder.send_signal(signal.SIGSTOP)
        try:
            refused = call("demo", "--resume", session, "--root", root, "--json", code=4)
            forced = call("demo", "--resume", session, "--root", root, "--force", "--json")
        finally:
            holder.send_signal(signal.SIGCONT)
        _, told = holder.communicate(timeout=60)

        (why,) = refused.json["diagnostics"]
        assert why["code"] == "locked"
        assert f"pid {holder.pid} on " in why["message"]
        assert "--force" in why["hint"]
        assert forced.json["data"]["completed"] == 24
        assert holder.returncode == 4
        assert "fenced: " in told

    def test_the_input_is_that_of_the_run(self, parsed, tmp_path):
        """Another input than the stored one is refused; the same one is not."""
        root, answer = parsed
        session = answer.json["data"]["session_id"]

        assert call("demo", "--resume", session, "--input", tmp_path, "--root", root, code=2).out == ""
        assert call("demo", "--resume", session, "--input", root.parent / "proj", "--root", root).out


class TestInterrupts:
    def test_ctrl_c_pauses_the_run(self, many, tmp_path):
        """The first Ctrl-C, sent to all processes as a terminal does, gives back what is in flight and says how on."""
        root = tmp_path / "root"
        process = started("demo", "--input", many, "--root", root)
        session = first_line(process)
        settled(root, session)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)

        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert f"  prodigy-storage --root {root} demo --resume {session}" in err.splitlines()
        shown = call("sessions", "show", session, "--root", root)
        assert re.search(r"status +Paused\n", shown.out)
        assert call("demo", "--resume", session, "--root", root, "--json").json["data"]["completed"] == 24

    def test_a_second_one_ends_at_once(self, many, tmp_path):
        """The second Ctrl-C waits for nothing, and the run can still be resumed."""
        root = tmp_path / "root"
        process = started("demo", "--input", many, "--root", root)
        session = first_line(process)
        settled(root, session)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)

        assert process.returncode == 130
        assert call("demo", "--resume", session, "--root", root, "--json").json["data"]["completed"] == 24

    @pytest.mark.parametrize("wait", [0.15, 0.3, 0.6])
    def test_one_at_the_start_is_quiet(self, many, tmp_path, wait):
        """Whenever it comes, Ctrl-C ends with 130 and without a traceback, and what was begun can be resumed."""
        root = tmp_path / "root"
        process = started("demo", "--input", many, "--root", root)
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)

        assert process.returncode == 130
        assert "Traceback" not in err
        session = next((line for line in err.splitlines() if line.startswith("session-")), None)
        if session:
            assert call("demo", "--resume", session, "--root", root, "--json").json["data"]["completed"] == 24


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("sesions list", "did you mean sessions?"),
            ("repos --root nosuch:thing", "nosuch"),
            ("demo --root memory:", "several processes"),
        ],
    )
    def test_wrong_usage(self, words, said):
        """What is wrong is said in a line or two with the exit code 2, and as JSON if that was asked for."""
        people = call(*words.split(), code=2)
        machine = call(*words.split(), "--json", code=2)

        assert people.out == ""
        assert len(people.err.splitlines()) <= 3
        assert said in people.err
        assert (machine.json["status"], machine.json["data"], machine.err) == ("error", None, "")
        assert said in machine.json["diagnostics"][0]["message"]

    def test_a_root_that_is_a_file(self, tmp_path):
        """A root must be a directory."""
        (tmp_path / "file").touch()

        assert "is no directory" in call("repos", "--root", tmp_path / "file", code=2).err
        assert "empty" in call("repos", "--root", "", code=2).err

    def test_reading_verbs_make_nothing(self, tmp_path):
        """A root that does not exist is an empty store, and stays away."""
        root = tmp_path / "absent"
        for words in (
            "sessions list",
            "events ls",
            "events stats",
            "dlq list",
            "dlq stats",
            "locks list",
            "repos",
            "health",
        ):
            call(*words.split(), "--root", root)
        call("demo", "--resume", "--root", root, code=3)

        assert not root.exists()

    def test_damage_on_disk_has_a_path(self, parsed, tmp_path):
        """A document cut in two is reported with its file and offset; alone, it is an error of its own."""
        root = tmp_path / "root"
        shutil.copytree(parsed[0], root)
        (place,) = (root / "sessions").glob("*.json")
        place.write_bytes(place.read_bytes()[:200])

        listed = call("sessions", "list", "--root", root, "--json", code=1)
        shown = call("sessions", "show", place.stem, "--root", root, "--json", code=5)

        assert listed.json["status"] == "findings"
        assert listed.json["diagnostics"][0]["path"] == str(place)
        assert shown.json["diagnostics"][0]["offset"] <= 200

    def test_debug_shows_where(self, tmp_path):
        """Only --debug brings a traceback."""
        done = subprocess.run(
            [PROGRAM, "sessions", "show", "nope", "--debug", "--root", tmp_path],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )

        assert done.returncode == 3
        assert "Traceback" in done.stderr

    def test_without_the_extra(self, tmp_path):
        """Without its packages the program says how to install them."""
        program = "import sys; sys.modules['rich'] = None; from prodigy_storage.cli import main; main(['repos'])"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

        assert done.returncode == 2
        assert "pip install 'prodigy-storage[cli]'" in done.stderr


class TestStreams:
    @pytest.mark.parametrize("words", ["sessions list --json", "events ls --limit 1000", "events ls --json"])
    def test_a_closed_pipe_is_quiet(self, parsed, words):
        """When nobody reads any more the program ends as if by SIGPIPE, and says nothing."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [PROGRAM, *words.split(), "--root", parsed[0]],
            stdout=write,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
        os.close(write)

        assert (done.returncode, done.stderr) == (141, b"")

    def test_the_job_goes_on_when_nobody_reads_its_messages(self, project, tmp_path):
        """`demo 2>&1 | head -1` is no reason to stop half-way."""
        root = tmp_path / "root"
        process = started("demo", "--input", project, "--root", root)
        session = first_line(process)
        process.stderr.close()
        process.stdout.close()
        process.wait(timeout=60)

        assert process.returncode == 141
        assert (
            call("sessions", "show", session, "--root", root, "--json").json["data"]["session"]["status"] == "Completed"
        )

    def test_a_full_disk_behind_stdout_is_an_error(self, parsed):
        """An answer that could not be written is not a success."""
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [PROGRAM, "repos", "--root", parsed[0]],
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment(),
                check=False,
            )

        assert done.returncode == 1
        assert done.stderr.startswith(b"output: ")

    def test_any_locale_will_do(self, parsed):
        """Where the terminal knows ASCII only, the bars are plain and JSON stays JSON."""
        ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

        assert "##" in call("events", "stats", "--root", parsed[0], **ascii_only).out
        assert call("dlq", "list", "--root", parsed[0], "--json", **ascii_only).json["status"] == "ok"

    def test_the_help_loads_nothing_heavy(self):
        """`--help` needs neither the library nor what draws."""
        heavy = ["attrs", "cattrs", "msgspec", "rich", "humanize", "psutil", "multiprocessing"]
        program = (
            "import sys\nfrom prodigy_storage.cli import main\n"
            "try: main(['--help'])\nexcept SystemExit: pass\n"
            f"print([name for name in {heavy} if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == "[]"

    def test_the_version(self):
        """`--version` says name and number."""
        assert re.fullmatch(r"prodigy-storage \d+\.\d+\.\d+\n", call("--version").out)


def on_terminal(*words, columns=80, **more):
    """Run the program with all streams on a terminal; gives the exit code and everything it printed."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [str(PROGRAM), *map(str, words)], {**environment(), "TERM": "xterm-256color", **more})
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    printed = bytearray()
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        printed += data
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed.decode()


class TestTerminal:
    def test_bars_show_the_progress(self, project, tmp_path):
        """On a terminal both phases have a bar with counts and failures, and the cursor is never hidden."""
        code, printed = on_terminal("demo", "--input", project, "--root", tmp_path / "root", COLUMNS="80", NO_COLOR="")
        plain = ESCAPE.sub("", printed)

        assert code == 0
        assert re.search(r"map +━+ 7/7 +0:00:\d\d +3 failed", plain)
        assert re.search(r"reduce +━+ 2/2 ", plain)
        assert "\x1b[?25l" not in printed
        assert "\x1b[32m" in printed

    def test_no_color_has_no_colours(self, parsed):
        """With NO_COLOR nothing is styled."""
        code, printed = on_terminal("sessions", "list", "--root", parsed[0], NO_COLOR="1")

        assert code == 0
        assert "\x1b" not in printed

    @pytest.mark.parametrize("columns", [80, 160])
    @pytest.mark.parametrize("words", ["sessions list", "events ls", "events stats", "dlq list", "dlq stats", "repos"])
    def test_tables_fit_the_terminal(self, parsed, words, columns):
        """No line of a table is wider than the terminal."""
        root = os.path.relpath(parsed[0])
        _, printed = on_terminal(*words.split(), "--root", root, columns=columns, COLUMNS=str(columns))
        lines = ESCAPE.sub("", printed).replace("\r", "").splitlines()

        assert max(len(line) for line in lines if "prodigy-storage" not in line) <= columns
