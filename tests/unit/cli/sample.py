"""A store in files that has something for every verb, and how to run the program on it."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import shutil
import signal
import struct
import subprocess
import termios
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs

import prodigy_storage
from prodigy_storage.adapters.files.archives import ArchiveFolder
from prodigy_storage.adapters.files.project import LocalProject
from prodigy_storage.model.checkpoints import CheckpointTrigger
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import error_type_of
from prodigy_storage.model.event_cleaning import EventLimits
from prodigy_storage.model.events import AgentProgress
from prodigy_storage.model.prodigy.worktrees import WorktreeStatus

from .conftest import PROGRAM, Answer, call, environment

LEGACY = Path(__file__).parents[2] / "prodigy" / "corpus" / "legacy-project"
COLUMNS = 80


def git(folder, *words):
    """Run git as somebody."""
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


@attrs.frozen
class Place:
    """A home directory with a store in `.prodigy`, projects and files beside it; `names` says what can be named."""

    home: Path
    names: dict[str, str]

    def copy(self, home):
        """The same somewhere else, worktree included."""
        shutil.copytree(self.home, home, symlinks=True)
        for link in (home / ".prodigy/worktrees/web/wip/.git", home / "web/.git/worktrees/wip/gitdir"):
            link.write_text(link.read_text().replace(str(self.home), str(home)))
        return Place(home, self.names)

    def seen(self):
        """Every file that the store and its user have, with what is in it."""
        paths = (path for path in self.home.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(self.home): path.read_bytes() for path in paths}

    def words(self, line, fresh):
        """A command line as the arguments of a process; `fresh` is the name of a file that it may write."""
        return [str(PROGRAM), *(word.format(**self.names, fresh=fresh) for word in line.split())]

    def environment(self):
        """As it is in a shell of this home."""
        env = environment(HOME=str(self.home))
        del env["COLUMNS"]
        return env

    def pipe(self, line):
        """Run the program without a terminal."""
        done = subprocess.run(
            self.words(line, "piped"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.home,
            timeout=100,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def terminal(self, line, *, keys="", enough=None):
        """Run the program on a terminal of 80 columns; its output and its errors are told apart all the same.

        `keys` are typed at once. After `enough` lines of output there is a Ctrl-C.
        """
        screens = {0: bytearray(), 1: bytearray()}
        ours, theirs = zip(*(pty.openpty() for _ in screens), strict=True)
        for side in theirs:
            fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        os.write(ours[0], keys.encode())
        env = self.environment() | {"TERM": "xterm-256color"}
        out, err = theirs
        process = subprocess.Popen(self.words(line, "shown"), stdin=out, stdout=out, stderr=err, env=env, cwd=self.home)
        with process, selectors.DefaultSelector() as waiting:
            for number, side in enumerate(ours):
                os.close(theirs[number])
                waiting.register(side, selectors.EVENT_READ, number)
            while waiting.get_map():
                for key, _ in waiting.select():
                    if not (data := _read(key.fd)):
                        waiting.unregister(key.fd)
                    screens[key.data] += data
                if enough is not None and screens[0].count(b"\n") >= enough:
                    process.send_signal(signal.SIGINT)
                    enough = None
        for side in ours:
            os.close(side)
        return Answer(process.returncode, *(screen.decode().replace("\r\n", "\n") for screen in screens.values()))


def _read(terminal):
    """What was printed; nothing if the other end was closed."""
    with suppress(OSError):
        return os.read(terminal, 65536)
    return b""


def make_sample(home, demo):
    """A place with a finished demo, a killed one, dead letters, a redrive, a worktree, a log, a backup and an archive.

    Args:
        home: A directory that does not exist yet.
        demo: The root of a finished demo, with its input `proj` beside it.
    """
    home.mkdir()
    root = home / ".prodigy"
    shutil.copytree(demo, root)
    shutil.copytree(demo.with_name("proj"), home / "code", symlinks=True)
    killed = ("demo", "--root", root, "--input", home / "code", "--workers", 1, "--crash-after", 2)
    _events(root)
    with prodigy_storage.open(root) as store:
        limits, folder = EventLimits(max_events=10), ArchiveFolder(home / "old")
        store.events.clean(limits, repo="web", job="nightly", archive=folder)
        names = {"killed": call(*killed, code=-signal.SIGKILL).err.split()[0], **_job(store, home), **_redrive(store)}
        _worktree(store, home)
        _migrated(store, home / "shop")
        store.logs.start("web").write("three items found", items=3)
    return Place(home, names | {"archive": str(next(home.glob("old/*.gz")).relative_to(home))})


def _events(root):
    """A job's, by a writer who is done."""
    with prodigy_storage.open(root) as store:
        for number in range(20):
            event = AgentProgress("nightly", f"agent-{number % 3}", "timeout after a while", number * 5.0)
            store.events.log("web", "nightly", event)


def _job(store, home):
    """A paused job with dead letters, of which one changes after a backup."""
    with store.runs.start("web", items=[1, 2, 3, 4], max_retries=0, trigger=CheckpointTrigger(items=1)) as run:
        run.complete(run.claim())
        run.fail(run.claim(), "TimeoutError: no answer")
        run.fail(run.claim(), "TimeoutError: no answer")
    store.transfers.backup(str(home / "all.backup"))
    (home / "kept.checkpoints").write_bytes(b"".join(store.checkpoints.export("web", run.job_id)))
    letter = store.dlq.list("web", run.job_id).values[0]
    store.dlq.add("web", run.job_id, attrs.evolve(letter, failure_history=[_failure(2)]))
    checkpoints = store.checkpoints.list("web", run.job_id).checkpoints
    return {
        "session": run.session_id,
        "job": run.job_id,
        "item": letter.item_id,
        "checkpoint": checkpoints[1].id,
    }


def _failure(number):
    message = "TimeoutError: still no answer"
    at = datetime.now(UTC)
    return Failure(attempt_number=number, timestamp=at, error_type=error_type_of(message), error_message=message)


def _redrive(store):
    """One of two dead letters of a job was retried with success."""
    for item in ("good", "bad"):
        store.dlq.add("web", "nightly", DeadLetter.of(item, {"name": item}, [_failure(1)]))
    with store.redrives.start("web", "nightly", ids=["good"], reason="the network is back") as running:
        running.drive(lambda letter: letter.item_id)
    return {"redrive": running.id}


def _worktree(store, home):
    """One worktree that was merged, and one whose cleaning failed."""
    git(home, "init", "--quiet", "web")
    git(home / "web", "commit", "--quiet", "--allow-empty", "-m", "one")
    store.worktrees.create("web", "wip", project=str(home / "web"))
    store.worktrees.mark("web", "wip", WorktreeStatus.MERGED)
    store.worktrees.register_orphan("web", "nightly", path=str(home / "gone"), error="busy")


def _migrated(store, project):
    """A project with a `.prodigy` of its own, one of whose dead letters is another one since it was migrated."""
    shutil.copytree(LEGACY, project)
    with closing(LocalProject(project)) as local:
        store.transfers.migrate(local)
    letter = next(project.rglob("item_0.json"))
    letter.write_bytes(letter.read_bytes().replace(b'"failure_count": ', b'"failure_count": 1'))
