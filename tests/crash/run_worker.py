"""A run as a program: `run_worker.py ROOT items|phases [SESSION]`; it says on stdout what it does.

`items`: many items, each a few milliseconds; SIGUSR1 asks for a checkpoint, SIGTERM pauses. `phases`: setup steps,
items and reduce steps; `did X` when the work of X is done, `ack X` when it was acknowledged. `clean`: removes every
session that is over.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

import prodigy_storage
from prodigy_storage.errors import Fenced, Stopped

STEPS = 6
ITEMS = 20


def say(text: str) -> None:
    """One write, so that it is out when the process is killed."""
    os.write(1, f"{text}\n".encode())


def items(store, session):
    """Work until told to stop, and say how it ended."""
    begun = store.runs.resume(session) if session else store.runs.start("repo", items=range(100_000))
    with begun as run:
        signal.signal(signal.SIGUSR1, lambda *_: run.request_checkpoint())
        signal.signal(signal.SIGTERM, lambda *_: run.pause())
        say(run.session_id)
        for attempt in run.attempts():
            with attempt:
                time.sleep(0.002)
            if run.completed % 20 == 1:
                say(f"ack {run.completed}")
        run.reduce(lambda _: None)


def done(name, output):
    """The work of a step or an item."""

    def work():
        time.sleep(0.004)
        say(f"did {name}")
        return output

    return work


def setup(steps):
    """The setup phase."""
    for number in range(STEPS):
        steps.step(f"setup-{number}", done(f"setup-{number}", number))
        say(f"ack setup-{number}")
    return range(ITEMS)


def phases(store, session):
    """All three phases."""
    if session is None:
        resumable = store.runs.resumable()
        session = resumable[0].session.id if resumable else None
    begun = store.runs.resume(session, items=setup) if session else store.runs.start("repo", items=setup)
    with begun as run:
        for attempt in run.attempts():
            with attempt:
                attempt.result = done(attempt.item_id, 1)()
            say(f"ack {attempt.item_id}")
        steps = run.steps()
        for number in range(STEPS):
            steps.step(f"reduce-{number}", done(f"reduce-{number}", number))
            say(f"ack reduce-{number}")
        say(f"result {run.reduce(lambda results: sum(value for _, value in results))}")


def clean(store, _):
    """Remove what is over."""
    for one in store.runs.cleanable(older_than=timedelta(0)):
        store.runs.remove(one)
        say(f"removed {one.session.id}")


def main(root: Path, mode: str, session: str | None) -> int:
    """Run, and give the exit code: 0 done, 3 stopped, 4 fenced."""
    with prodigy_storage.open(root) as store:
        try:
            {"items": items, "phases": phases, "clean": clean}[mode](store, session)
        except Stopped:
            return 3
        except Fenced:
            say("fenced")
            return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
