"""Jobs that Prodigy began are finished by us, and nothing of its files is lost."""

from __future__ import annotations

import json

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.errors import Locked, NotFound
from prodigy_storage.model.sessions import SessionStatus
from prodigy_storage.store import Store

from .conftest import copied, tree_of

JOBS = [
    ("shop", "mapreduce-1742281689101", "checkpoint-v8"),
    ("shop", "mapreduce-1742454489101", "checkpoint-v25"),
    ("api-gateway", "mapreduce-1742368089101", "checkpoint-v18"),
    ("shop", "mapreduce-20250322_000000", "checkpoint-v6"),
    ("api-gateway", "mapreduce-20250323_000000", "checkpoint-v100"),
    ("shop", "mapreduce-20250324_100000", "checkpoint-v0"),
]


@pytest.fixture
def corpus(tmp_path):
    return copied(tmp_path, "state", "resume_locks")


@pytest.fixture
def store(corpus):
    with Store(FileStorage(corpus)) as store:
        yield store


def folder(corpus, repo, job):
    return corpus / "state" / repo / "mapreduce/jobs" / job


@pytest.mark.parametrize(("repo", "job", "newest"), JOBS)
def test_the_newest_state_is_found(store, repo, job, newest):
    """The state with the highest number counts, although the metadata names a path of another machine."""
    found = store.job_states.latest(repo, job)
    assert (found.loaded.document.id, found.damage) == (newest, [])
    assert found.loaded.value.job_id == job


def test_a_damaged_newest_state_is_reported_and_the_one_before_counts(store, corpus):
    """What is cut in half is named with path and offset, and passed over."""
    path = folder(corpus, "shop", "mapreduce-1742281689101") / "checkpoint-v8.json"
    path.write_bytes(path.read_bytes()[:1000])
    found = store.job_states.latest("shop", "mapreduce-1742281689101")
    assert found.loaded.document.id == "checkpoint-v7"
    assert [(one.place, one.offset) for one in found.damage] == [(str(path), 669)]


def test_a_missing_newest_state_is_reported(store, corpus):
    """A state that the metadata names and that is gone is missed; without metadata nothing is."""
    there = folder(corpus, "shop", "mapreduce-1742281689101")
    (there / "checkpoint-v8.json").unlink()
    found = store.job_states.latest("shop", "mapreduce-1742281689101")
    assert found.loaded.document.id == "checkpoint-v7"
    assert [(one.place, one.reason) for one in found.damage] == [
        (str(there / "metadata.json"), "it names checkpoint-v8, which is missing")
    ]
    (there / "metadata.json").unlink()
    assert not store.job_states.latest("shop", "mapreduce-1742281689101").damage


def expected(corpus, repo, job, newest):
    """From the file alone: what is done, what has failed and how often, and what is left."""
    state = json.loads((folder(corpus, repo, job) / f"{newest}.json").read_bytes())
    items = [f"item_{number}" for number in range(len(state["work_items"]))]
    failed = {item: record["attempts"] for item, record in state["failed_agents"].items()}
    done = {item for item, result in state["agent_results"].items() if result["status"] == "Success"}
    assert done <= set(state["completed_agents"]) - set(failed) - set(state["pending_items"])
    dead = {item for item, tries in failed.items() if tries > 2 and item not in state["pending_items"]}
    return state, items, done, dead


@pytest.mark.parametrize(("repo", "job", "newest"), JOBS)
def test_a_job_is_finished(store, corpus, repo, job, newest):
    """Every item that Prodigy had not settled is tried once, with its data; what it had done is done."""
    state, items, done, dead = expected(corpus, repo, job, newest)
    before = {path: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    with store.runs.resume(job, repo=repo) as run:
        tried = []
        for attempt in run.attempts():
            with attempt:
                assert attempt.item == state["work_items"][items.index(attempt.item_id)]
                tried.append(attempt.item_id)
                attempt.result = "ours"
        assert sorted(tried) == sorted(set(items) - done - dead)
        assert set(run.dead_letters) == dead
        results = {item.id: result for item, result in run.results()}
        assert {item: results[item] for item in done} == {item: state["agent_results"][item] for item in done}
    assert store.sessions.get(run.session_id).status is SessionStatus.COMPLETED
    assert {path: path.read_bytes() for path in before} == before
    assert {one.item_id for one in store.dlq.list(repo, job).values} == dead


def test_a_resumed_job_is_ours_from_then_on(store, corpus):
    """What is acknowledged after the resume is kept, whatever becomes of Prodigy's files."""
    repo, job, newest = JOBS[0]
    _, items, done, dead = expected(corpus, repo, job, newest)
    with store.runs.resume(job) as run:
        attempt = run.claim()
        run.complete(attempt, 1)
        run.pause()
    (folder(corpus, repo, job) / f"{newest}.json").unlink()
    with store.runs.resume(job) as again:
        assert again.session_id == run.session_id
        assert set(again.state.done) == {*done, attempt.item_id}
        assert again.total == len(items)
        assert set(again.dead_letters) == dead


def test_failures_count(store, corpus):
    """An item that Prodigy tried twice gets one more try here; one that it tried three times is a dead letter."""
    repo, job, newest = JOBS[0]
    path = folder(corpus, repo, job) / f"{newest}.json"
    state = json.loads(path.read_bytes())
    two, three = sorted(state["failed_agents"])[:2]
    for item, tries in ((two, 2), (three, 3)):
        state["failed_agents"][item]["attempts"] = tries
        state["item_retry_counts"].pop(item, None)
    state["pending_items"] = [item for item in state["pending_items"] if item not in (two, three)]
    path.write_text(json.dumps(state))
    with store.runs.resume(job) as run:
        assert run.dead_letters == [three]
        for attempt in run.attempts():
            with attempt:
                if attempt.item_id == two:
                    assert attempt.number == 3
                    raise ValueError("again")
        assert run.dead_letters == sorted([two, three])
    letter = store.dlq.get(repo, job, three)
    assert letter.failure_history[-1].error_message == state["failed_agents"][three]["last_error"]


def test_looking_writes_nothing(store, corpus):
    """Where a job of Prodigy's stands can be seen without going on with it."""
    before = tree_of(corpus)
    setup = store.runs.find("mapreduce-1742281689101")
    found = store.runs.look(setup)
    _, items, done, _ = expected(corpus, *JOBS[0])
    assert (len(setup.items), set(found.state.done)) == (len(items), done)
    assert tree_of(corpus) == before


def test_a_session_of_prodigys_leads_to_its_job(store, corpus):
    """The session that a mapping names goes on with the job, keeps what it says, and is completed in the end."""
    repo, job, _ = JOBS[0]
    mapping = next((corpus / "state/shop/mappings").glob("session-*.json"))
    session = json.loads(mapping.read_bytes())["session_id"]
    for name in (session, job):
        (mapping.parent / f"{name}.json").write_text(
            json.dumps({**json.loads(mapping.read_bytes()), "job_id": job, "session_id": session})
        )
    known = (mapping.parent / f"{job}.json").read_bytes()
    (mapping.parent / f"{session}.json").unlink()
    with store.runs.resume(session) as run:
        assert (run.job_id, run.session_id, run.setup.repo) == (job, session, repo)
    for name in (session, job):
        assert (mapping.parent / f"{name}.json").read_bytes() == known


def test_a_job_that_nobody_knows_is_not_found(store):
    """An id that is neither in our records nor in Prodigy's is an error."""
    with pytest.raises(NotFound):
        store.runs.resume("mapreduce-19700101_000000")


def test_prodigys_lock_is_respected(store, corpus):
    """A job whose resume lock may be held on another machine is not resumed without force."""
    job = JOBS[0][1]
    lock = json.loads((corpus / "resume_locks/mapreduce-20250326_123456.lock").read_bytes())
    (corpus / f"resume_locks/{job}.lock").write_text(json.dumps({**lock, "job_id": job}))
    with pytest.raises(Locked, match="buildhost"):
        store.runs.resume(job)
    with store.runs.resume(job, force=True) as run:
        assert run.total == 12


def test_in_the_dialect_prodigy_sees_how_far_it_is(corpus):
    """A job that is finished in the dialect has a next state of Prodigy's, which keeps what nobody here knows."""
    repo, job, newest = JOBS[0]
    path = folder(corpus, repo, job) / f"{newest}.json"
    state = json.loads(path.read_bytes())
    state["future"] = {"kept": 12345678901234567890123}
    state["config"]["future"] = True
    path.write_text(json.dumps(state))
    with (
        Store(FileStorage(corpus, layout="prodigy-0.4"), dialect="prodigy-0.4") as store,
        store.runs.resume(job) as run,
    ):
        for attempt in run.attempts():
            with attempt:
                attempt.result = "ours"
    with Store(FileStorage(corpus)) as store:
        found = store.job_states.latest(repo, job)
    after = json.loads(found.loaded.document.body)
    assert (found.damage, found.loaded.value.checkpoint_version > 8) == ([], True)
    assert (after["is_complete"], after["pending_items"], after["total_items"]) == (True, [], 12)
    assert (after["future"], after["config"]) == (state["future"], state["config"])
    assert after["agent_results"]["item_0"] == state["agent_results"]["item_0"]
