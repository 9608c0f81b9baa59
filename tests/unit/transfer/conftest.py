"""Stores with a finished job, a broken-off one and a second project, and what a store has."""

from __future__ import annotations

from collections import Counter

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.codecs.kinds import DATA_KINDS, DATA_STREAMS
from prodigy_storage.ports.storage import Query
from prodigy_storage.store import Store
from prodigy_storage.testing.fakes import fake_runtime

RUNTIME = fake_runtime()
"""One for all stores, so that no id comes twice."""


def fill(storage, repo="shop", items=6):
    """A job of which one item fails for good; returns its (repo, job)."""
    store = Store(storage, runtime=RUNTIME)
    with store.runs.start(repo, items=list(range(items)), max_retries=0) as run:
        for attempt in run.attempts():
            with attempt:
                if attempt.item == 1:
                    raise ValueError("no good")
                attempt.result = {"twice": 2 * attempt.item}
    store.events.close()
    return repo, run.job_id


def begin(storage):
    """A job with three items of which one is done; returns the run, which holds its lease."""
    store = Store(storage, runtime=RUNTIME)
    run = store.runs.start("shop", items=[1, 2, 3])
    run.complete(run.claim(), {"ok": True})
    store.events.flush()
    return run


def held(storage, scope=()):
    """Every document, and how often each record is there, below a scope."""
    documents = {
        (kind.name, one.scope, one.id): one.body
        for kind in DATA_KINDS
        for one in storage.documents(Query(kind, scope, limit=10_000)).documents
    }
    records = Counter()
    for stream in DATA_STREAMS:
        for found in storage.scopes(stream):
            if found[: len(scope)] == scope:
                for line in lines_of(storage, found, stream):
                    records[stream.name, found, line] += 1
    return documents, records


def lines_of(storage, scope, stream):
    """The records of a stream in their order."""
    found, after = [], None
    while True:
        chunk = storage.records(scope, stream, after)
        if not chunk.data:
            return found
        found += chunk.data.splitlines()
        after = chunk.cursor


@pytest.fixture
def source():
    storage = MemoryStorage()
    yield storage
    storage.close()


@pytest.fixture(params=["memory", "files"])
def target(request, tmp_path):
    storage = MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "target")
    yield storage
    storage.close()
