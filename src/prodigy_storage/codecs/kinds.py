"""Every kind of document of the library: its name, its tags, and how they are derived from a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from prodigy_storage.codecs.logs import LOGS
from prodigy_storage.codecs.prodigy import indexes
from prodigy_storage.codecs.progress import PROGRESS
from prodigy_storage.codecs.redrives import OUTCOMES
from prodigy_storage.codecs.streams import EVENTS
from prodigy_storage.codecs.trees import undecodable, verify
from prodigy_storage.codecs.values import micros, parse_time
from prodigy_storage.ports.storage import Index, Kind, Stream

S = TypeVar("S", bound=msgspec.Struct)


class _MapReduce(msgspec.Struct):
    job_id: str


class _Session(msgspec.Struct):
    id: str
    status: str
    session_type: str
    started_at: str
    repo: str | None = None
    mapreduce_data: _MapReduce | None = None


class _Checkpoint(msgspec.Struct):
    phase: str
    created_at: str


class _DeadLetter(msgspec.Struct):
    item_id: str
    last_attempt: str
    error_signature: str
    reprocess_eligible: bool


class _Redrive(msgspec.Struct):
    status: str
    created_at: str


class _Mapping(msgspec.Struct):
    session_id: str
    job_id: str
    created_at: str


class _Lease(msgspec.Struct):
    epoch: int
    acquired_at: int
    owner: dict[str, Any] | None = None


class _Project(msgspec.Struct):
    claimed_at: str


class _LockBreak(msgspec.Struct):
    at: int
    name: str


def _session(found: _Session) -> Index:
    job = found.mapreduce_data.job_id if found.mapreduce_data else ""
    tags = {"status": found.status, "type": found.session_type, "repo": found.repo or "", "job": job}
    return Index(micros(parse_time(found.started_at)), tags)


def _dead_letter(found: _DeadLetter) -> Index:
    return _letter(found, found.item_id)


def _letter(found: _DeadLetter, id: str | None = None) -> Index:
    tags = {"eligible": "yes" if found.reprocess_eligible else "no", "signature": found.error_signature}
    return Index(micros(parse_time(found.last_attempt)), tags, id)


def _redrive(found: _Redrive) -> Index:
    return Index(micros(parse_time(found.created_at)), {"status": found.status})


def _mapping(found: _Mapping) -> Index:
    return Index(micros(parse_time(found.created_at)), {"session": found.session_id, "job": found.job_id})


def _lease(found: _Lease) -> Index:
    return Index(found.acquired_at, {"held": "yes" if found.owner else "no"})


def _project(found: _Project) -> Index:
    return Index(micros(parse_time(found.claimed_at)))


def _lock_break(found: _LockBreak) -> Index:
    return Index(found.at, {"name": found.name})


def _checkpoint(found: _Checkpoint) -> Index:
    return Index(micros(parse_time(found.created_at)), {"phase": found.phase})


def _index(cls: type[S], derive: Callable[[S], Index]) -> Callable[[bytes], Index]:
    decoder = msgspec.json.Decoder(cls)

    def index(body: bytes) -> Index:
        try:
            return derive(decoder.decode(verify(body)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise undecodable(body, error) from error

    return index


def _unindexed(_: bytes) -> Index:
    return Index(0)


SESSION = Kind("session", _index(_Session, _session), ("status", "type", "repo", "job"))
DEAD_LETTER = Kind("dead_letter", _index(_DeadLetter, _dead_letter), ("eligible", "signature"))
ARCHIVED_LETTER = Kind("archived_letter", _index(_DeadLetter, _letter), ("eligible", "signature"))
REDRIVE = Kind("redrive", _index(_Redrive, _redrive), ("status",))
MAPPING = Kind("mapping", _index(_Mapping, _mapping), ("session", "job"))
CHECKPOINT = Kind("checkpoint", _index(_Checkpoint, _checkpoint), ("phase",))
JOB_STATE = Kind("job_state", _unindexed)
LEASE = Kind("lease", _index(_Lease, _lease), ("held",))
LOCK_BREAK = Kind("lock_break", _index(_LockBreak, _lock_break), ("name",))
"""That a lock was taken from its holder by hand."""
RUN_REQUEST = Kind("run_request", _unindexed)
"""What a living run is asked to do."""
EVENT_ARCHIVING = Kind("event_archiving", _unindexed)
"""Which archive holds the events that a cleaning is about to remove."""
HEARTBEAT = Kind("heartbeat", _unindexed)
RESUME_LOCK = Kind("resume_lock", _unindexed)
QUARANTINE = Kind("quarantine", _unindexed)
PROBE = Kind("probe", _unindexed)
PROJECT = Kind("project", _index(_Project, _project))
"""A directory that was opened under the name of a project."""

# --- files that only Prodigy itself writes
PRODIGY_JOB_STATE = Kind("prodigy_job_state", indexes.job_state, ("complete",))
"""The whole state of a job, `checkpoint-v{n}`."""
PRODIGY_JOB_METADATA = Kind("prodigy_job_metadata", indexes.job_metadata)
"""Which state of a job is the newest, `metadata`."""
PRODIGY_CHECKPOINT = Kind("prodigy_checkpoint", indexes.checkpoint, ("type", "of", "state"))
"""Checkpoints of MapReduce jobs and of workflows, told apart by their content."""
REDUCE_CHECKPOINT = Kind("reduce_checkpoint", indexes.reduce_checkpoint)
WORKTREE = Kind("worktree", indexes.worktree, ("status", "session"))
ORPHANED_WORKTREES = Kind("orphaned_worktrees", indexes.orphaned_worktrees)

DATA_KINDS: tuple[Kind, ...] = (
    QUARANTINE,
    LOCK_BREAK,
    DEAD_LETTER,
    ARCHIVED_LETTER,
    REDRIVE,
    CHECKPOINT,
    JOB_STATE,
    PRODIGY_JOB_STATE,
    PRODIGY_JOB_METADATA,
    PRODIGY_CHECKPOINT,
    REDUCE_CHECKPOINT,
    WORKTREE,
    ORPHANED_WORKTREES,
    MAPPING,
    SESSION,
)
"""The kinds that are data: backed up, restored, migrated, in an order in which what names something comes after it."""
PASSING_KINDS: tuple[Kind, ...] = (LEASE, HEARTBEAT, RESUME_LOCK, RUN_REQUEST, EVENT_ARCHIVING, PROJECT, PROBE)
"""The others: what they say is true of one store, its machine and its processes alone."""
DATA_STREAMS: tuple[Stream, ...] = (PROGRESS, EVENTS, LOGS, OUTCOMES)
"""The streams that are data; all of them come before any kind, as checkpoints hold places in them."""
