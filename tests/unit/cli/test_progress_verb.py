"""`progress`: how far a job came, item by item."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def run(store):
    """A job with one item of each kind: done, dead, failed and waiting, not begun."""
    with store.runs.start("shop", items=["a", "b", "c", "d"], max_retries=1) as run:
        run.complete(run.claim())
        for _ in range(2):
            attempt = run.claim()
            run.fail(attempt, ValueError("bad, \x1b[31mred"))
    return run


def test_the_counts_and_what_is_not_done_are_shown(ask, run):
    """By session or by job id; what is done is counted only."""
    answer = ask("progress", run.job_id)
    assert answer.out.splitlines()[0].startswith("1 of 4 done (25%)")
    assert ask("progress", run.session_id).out == answer.out
    assert "\x1b" not in answer.out
    assert len(ask("progress", run.job_id, "--limit", "1").out.splitlines()) == 3


def test_every_item_is_in_the_json(ask, run):
    """In the order of the job, with state, tries and error."""
    data = ask("progress", run.job_id, "--json").json["data"]
    assert (data["total"], sum(data["counts"].values()), data["counts"]["done"]) == (4, 4, 1)
    states = {item["item"]: (item["state"], item["attempt"]) for item in data["items"]}
    assert next(iter(states.values())) == ("done", 1)
    assert set(states.values()) == {("done", 1), ("failed", 1), ("pending", 0)}


@pytest.mark.parametrize("form", ["json", "csv"])
def test_every_item_is_exported(ask, run, tmp_path, form):
    """Whole, and never over a file that is there, unless asked to."""
    file = tmp_path / "items"
    ask("progress", run.job_id, "--export", str(file), "--format", form)
    rows = json.loads(file.read_text()) if form == "json" else list(csv.DictReader(file.read_text().splitlines()))
    assert [row["state"] for row in rows].count("done") == 1
    assert len(rows) == 4
    assert ask("progress", run.job_id, "--export", str(file)).code == 2
    assert ask("progress", run.job_id, "--export", str(file), "--yes").code == 0


def test_an_unknown_job_is_not_found(ask):
    """With exit code 3."""
    assert ask("progress", "mapreduce-none").code == 3
