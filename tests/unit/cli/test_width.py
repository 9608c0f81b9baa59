"""Tables fit a terminal of 80 columns, whatever the names in them are."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from prodigy_storage.model.events import AgentFailed, AgentStarted

LONG = "x" * 60 + " and \x1b[31m on/and\ton " + "日本語" * 15


@pytest.fixture
def hostile(store):
    """A job all of whose names are long, wide and full of what a terminal would obey; gives its repo and job."""
    run = store.runs.start(LONG, items={f"{LONG} {n}": n for n in range(3)}, max_retries=0)
    for attempt in run.attempts():
        with attempt:
            if attempt.item:
                raise ValueError(LONG * 3)
    open_run = store.runs.start(LONG, items=[1], max_retries=0)
    open_run.claim()
    logger = store.events.logger(LONG, LONG)
    logger.log(AgentStarted(LONG, LONG, LONG, LONG, 1))
    logger.log(AgentFailed(LONG, LONG, LONG * 5, retry_eligible=True))
    store.events.flush()
    return LONG, open_run.job_id


VERBS = [
    "repos",
    "usage",
    "usage --repo {repo}",
    "sessions list",
    "checkpoints list {job}",
    "locks list",
    "dlq list",
    "dlq stats",
    "dlq analyze",
    "events ls",
    "events stats",
    "events stats --group-by job_id",
    "events stats --group-by agent_id",
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("columns", [80, 100])
def test_no_line_is_wider_than_the_terminal(ask, hostile, monkeypatch, verb, columns):
    """Every line of the table fits, nothing in it is a control character, and something is shown."""
    monkeypatch.setenv("COLUMNS", str(columns))
    repo, job = hostile
    answer = ask(*(word.format(repo=repo, job=job) for word in verb.split()))
    assert answer.code == 0, answer
    assert answer.out.strip()
    assert [line for line in answer.out.splitlines() if cell_len(line) > columns] == []
    assert all(line.isprintable() for line in answer.out.splitlines())
