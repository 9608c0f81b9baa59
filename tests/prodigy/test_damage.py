"""Damaged files of Prodigy's: every one is reported as what it is, hurts no other, and stays where it is."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil

import pytest

from prodigy_storage.adapters.files import FileStorage
from prodigy_storage.codecs import kinds
from prodigy_storage.codecs.documents import DEAD_LETTERS, MAPPINGS, SESSIONS
from prodigy_storage.codecs.leases import decode_resume_lock
from prodigy_storage.codecs.prodigy.documents import (
    ORPHANED_WORKTREES,
    PRODIGY_CHECKPOINTS,
    PRODIGY_JOB_METADATA,
    PRODIGY_JOB_STATES,
    REDUCE_CHECKPOINTS,
    WORKTREES,
)
from prodigy_storage.codecs.walks import gather
from prodigy_storage.errors import StorageError
from prodigy_storage.ports.storage import Document, Query, Version
from prodigy_storage.store import Store

from .conftest import CORPUS, LONG_AGO, copied, tree_of

LOADS = {
    kinds.DEAD_LETTER: DEAD_LETTERS.decode,
    kinds.SESSION: SESSIONS.decode,
    kinds.MAPPING: MAPPINGS.decode,
    kinds.RESUME_LOCK: lambda document: decode_resume_lock(document, document.scope),
    kinds.PRODIGY_JOB_STATE: PRODIGY_JOB_STATES.decode,
    kinds.PRODIGY_JOB_METADATA: PRODIGY_JOB_METADATA.decode,
    kinds.PRODIGY_CHECKPOINT: PRODIGY_CHECKPOINTS.decode,
    kinds.REDUCE_CHECKPOINT: REDUCE_CHECKPOINTS.decode,
    kinds.WORKTREE: WORKTREES.decode,
    kinds.ORPHANED_WORKTREES: ORPHANED_WORKTREES.decode,
}
SAMPLES = [
    (kinds.DEAD_LETTER, "dlq/api-gateway/mapreduce-20250312_060000/**/item-0.json"),
    (kinds.SESSION, "sessions/workflow-1740877634604.json"),
    (kinds.MAPPING, "state/shop/mappings/mapreduce-20250303_064508.json"),
    (kinds.RESUME_LOCK, "resume_locks/mapreduce-20250326_123456.lock"),
    (kinds.PRODIGY_JOB_STATE, "state/shop/mapreduce/jobs/mapreduce-20250324_100000/checkpoint-v0.json"),
    (kinds.PRODIGY_JOB_METADATA, "state/shop/mapreduce/jobs/mapreduce-20250324_100000/metadata.json"),
    (kinds.PRODIGY_CHECKPOINT, "state/shop/checkpoints/cp-b0adb3c6*.json"),
    (kinds.PRODIGY_CHECKPOINT, "state/workflow-1741642985600/checkpoints/*.json"),
    (kinds.PRODIGY_CHECKPOINT, "state/shop/mapreduce-20250306_160000/mapreduce/checkpoints/cp-43497bc5*.gz"),
    (kinds.PRODIGY_CHECKPOINT, "state/shop/checkpoints/cp-c9c909b2*.zst"),
    (kinds.PRODIGY_CHECKPOINT, "state/shop/mapreduce-20250308_160000/mapreduce/checkpoints/cp-d9f9ff9b*.lz4"),
    (kinds.REDUCE_CHECKPOINT, "state/reduce_checkpoints/mapreduce-20250320_160000/*190000.json"),
    (kinds.WORKTREE, "worktrees/shop/.metadata/workflow-1741778130837.json"),
    (kinds.ORPHANED_WORKTREES, "orphaned_worktrees/shop/mapreduce-20250308_202020.json"),
]
SMALL = 400
"""Files of so many bytes at most are damaged at every position, larger ones at so many."""


def path_of(pattern):
    (path,) = CORPUS.glob(pattern)
    return path


def positions(data, most):
    """Every position of a small file, some of a large one; always the same."""
    return range(len(data)) if len(data) <= most else sorted(random.Random(len(data)).sample(range(len(data)), most))


def spoiled(data, most):
    """Cut, zero-filled, flipped and half-written versions of a file."""
    for at in positions(data, most):
        yield data[:at]
        yield data[:at] + bytes(len(data) - at)
        yield data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        yield data[at:]


def is_json(data):
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize(("kind", "pattern"), [one for one in SAMPLES if one[1].endswith((".json", ".lock"))])
def test_no_damage_of_a_document_raises_an_error_of_another_kind(kind, pattern):
    """Damaged anywhere, a document loads or is refused with an error of ours, which has an offset if it is no JSON."""
    path = path_of(pattern)
    for body in spoiled(path.read_bytes(), SMALL):
        document = Document((), kind.name, "x", body, Version("v"), str(path))
        for error in (refusal(kind.index, body), refusal(LOADS[kind], document)):
            assert error is None or is_json(body) or is_placed(error), (body, error)


def refusal(read, content):
    """The error of ours that a reader raises; None if it reads it, or if a time is none, which a walk reports."""
    try:
        read(content)
    except StorageError as error:
        return error
    except ValueError:
        return None
    return None


def is_placed(error):
    """Whether it says where the damage is, as far as that can be said of a number that is too large."""
    return error.code == "corrupt" and (isinstance(error.offset, int) or "beyond the numbers" in error.reason)


@pytest.mark.parametrize(("kind", "pattern"), SAMPLES)
def test_a_damaged_file_hurts_no_other(tmp_path, opened, kind, pattern):
    """Whatever a file was damaged by, its neighbours load, it is named if it does not, and it is left as it is."""
    source = path_of(pattern)
    folder = source.parents[1] if kind is kinds.DEAD_LETTER else source.parent
    root = tmp_path / "root"
    shutil.copytree(folder, root / folder.relative_to(CORPUS))
    storage, path = opened(root), root / source.relative_to(CORPUS)
    whole, damage = gather(storage, Query(kind), LOADS[kind])
    before = [one.place for one in damage]  # the empty lock
    for body in spoiled(source.read_bytes(), 12):
        path.write_bytes(body)
        found, damage = gather(storage, Query(kind), LOADS[kind])
        assert len(found) + len(damage) == len(whole) + len(before)
        assert {one.place for one in damage} <= {str(path), *before}
        assert path.read_bytes() == body


@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_damaged_events_hurt_no_other(tmp_path, form):
    """Wherever an event file is damaged, the other file is whole, and what is lost is reported with path and offset."""
    folder = tmp_path / "root/events/shop/job"
    folder.mkdir(parents=True)
    source = CORPUS / "events/api-gateway/mapreduce-20250311_060000/events-20250311_060000.jsonl"
    other = (CORPUS / "events/shop/mapreduce-20250317_120000/events-20250317_120000.jsonl").read_bytes()
    (folder / "events-b.jsonl").write_bytes(other)
    data = source.read_bytes()
    path = folder / "events-a.jsonl"
    number = data.count(b"\n")
    with Store(FileStorage(tmp_path / "root")) as store:
        for body in spoiled(gzip.compress(data) if form == "gzip" else data, 60):
            path.write_bytes(body)
            os.utime(path, (LONG_AGO, LONG_AGO))
            found = store.events.query()
            records = [record.raw for record in found]
            assert records[-other.count(b"\n") :] == other.splitlines()
            known = len(records) - other.count(b"\n")
            assert all(one.place == str(path) and isinstance(one.offset, int) for one in found.damage)
            assert known == number or found.damage or is_cut_between_lines(body, data)
            assert path.read_bytes() == body


def is_cut_between_lines(body, data):
    """Whether nothing shows that something is missing: whole lines of a file, or one whose head is no gzip."""
    return (data.startswith(body) and body[-1:] in (b"\n", b"}", b"")) or (data.endswith(body) and body[:1] == b"{")


def test_whatever_is_damaged_everything_else_is_read(tmp_path):
    """With any dozen of files spoiled, all that looks at a store answers or raises an error of ours, and keeps them."""
    root = copied(tmp_path, "dlq", "events", "resume_locks", "sessions", "state", "worktrees")
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.stat().st_size < 60_000)
    dice = random.Random(4)
    for _ in range(8):
        whole = {path: path.read_bytes() for path in dice.sample(files, 12)}
        for path, data in whole.items():
            at = dice.randrange(len(data) or 1)
            path.write_bytes(
                dice.choice([data[:at], data[:at] + bytes(len(data) - at), b"\xff" * 40, b"[]", b'{"a":' * 3000])
            )
            os.utime(path, (LONG_AGO, LONG_AGO))
        before = tree_of(root)
        with Store(FileStorage(root)) as store:
            answers = [look(store) for look in LOOKS if refusal(look, store) is None]
        assert len(answers) >= len(LOOKS) - 2  # what names one job may meet the damage
        assert tree_of(root) == before
        for path, data in whole.items():
            path.write_bytes(data)


LOOKS = [
    lambda store: store.repos(),
    lambda store: store.usage(),
    lambda store: store.sessions.list(),
    lambda store: store.dlq.list(),
    lambda store: store.events.stats(),
    lambda store: list(store.events.query()),
    lambda store: store.locks.list(lambda _: None),
    lambda store: store.worktrees.list(),
    lambda store: store.runs.resumable(),
    lambda store: store.foreign_checkpoints.validate(),
    lambda store: store.job_states.latest("api-gateway", "mapreduce-20250323_000000"),
    lambda store: store.runs.look(store.runs.find("mapreduce-1742281689101")),
    lambda store: store.mappings.find("mapreduce-20250303_064508"),
]
