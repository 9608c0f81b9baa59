"""The embedding example as a program: `embedding.py ROOT THREADS [SESSION]`.

It says its session on stdout, then `try ITEM` before each item and `ack ITEM` when it was acknowledged.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import prodigy_storage
from prodigy_storage.model.jobs import Backoff
from prodigy_storage.runs import Run

ITEMS = 300


def say(text: str) -> None:
    """One write, so that it is out when the process is killed."""
    os.write(1, f"{text}\n".encode())


def work(run: Run) -> None:
    """What an embedder writes."""
    for attempt in run.attempts():
        say(f"try {attempt.item_id}")
        with attempt:
            time.sleep(0.002)
            if attempt.item % 10 == 3:
                raise ValueError(f"{attempt.item} ends in 3")
            attempt.result = attempt.item**2
        say(f"ack {attempt.item_id} {attempt.number}")


def main(root: Path, threads: int, session: str | None) -> None:
    """Start or resume the job and settle it with that many threads."""
    with prodigy_storage.open(root) as store:
        if session is None:
            backoff = Backoff(initial=0.01, maximum=0.02)
            begun = store.runs.start("embedded", items=range(ITEMS), max_retries=1, backoff=backoff)
        else:
            begun = store.runs.resume(session)
        with begun as run:
            say(run.session_id)
            workers = [threading.Thread(target=work, args=(run,)) for _ in range(threads - 1)]
            for worker in workers:
                worker.start()
            work(run)
            for worker in workers:
                worker.join()
            say(str(run.reduce(lambda results: sum(value for _, value in results))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
