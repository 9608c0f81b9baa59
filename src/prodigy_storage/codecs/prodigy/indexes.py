"""What the documents that only Prodigy writes are found by."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from prodigy_storage.codecs.trees import damaged, undecodable, verify
from prodigy_storage.codecs.values import micros, parse_time
from prodigy_storage.ports.storage import Index

T = TypeVar("T")


class _JobState(msgspec.Struct):
    updated_at: str
    is_complete: bool


class _JobMetadata(msgspec.Struct):
    created_at: str


class _MapReduceHeader(msgspec.Struct):
    job_id: str
    created_at: str
    phase: str


class _ExecutionState(msgspec.Struct):
    status: str | None = None


class _Checkpoint(msgspec.Struct):
    metadata: _MapReduceHeader | None = None
    workflow_id: str = ""
    timestamp: str | None = None
    execution_state: _ExecutionState | None = None


class _ReduceCheckpoint(msgspec.Struct):
    timestamp: str


class _Worktree(msgspec.Struct):
    created_at: str
    status: str
    session_id: str


class _Orphan(msgspec.Struct):
    failed_at: str


def job_state(body: bytes) -> Index:
    """When it was last written; whether the job is complete."""
    found = _decode(body, _JobState)
    return Index(micros(parse_time(found.updated_at)), {"complete": "yes" if found.is_complete else "no"})


def job_metadata(body: bytes) -> Index:
    """When the checkpoint that it names was made."""
    return Index(micros(parse_time(_decode(body, _JobMetadata).created_at)))


def checkpoint(body: bytes) -> Index:
    """When it was made; whether it is of a `mapreduce` job or a `workflow`, of which one, and in what state."""
    found = _decode(body, _Checkpoint)
    if found.metadata is not None:
        of, at, state = found.metadata.job_id, found.metadata.created_at, found.metadata.phase
        return Index(micros(parse_time(at)), {"type": "mapreduce", "of": of, "state": state})
    if found.timestamp is None:
        raise damaged("", None, "it is neither a MapReduce checkpoint nor one of a workflow")
    state = (found.execution_state and found.execution_state.status) or ""
    tags = {"type": "workflow", "of": found.workflow_id, "state": state}
    return Index(micros(parse_time(found.timestamp)), tags)


def reduce_checkpoint(body: bytes) -> Index:
    """When it was made."""
    return Index(micros(parse_time(_decode(body, _ReduceCheckpoint).timestamp)))


def worktree(body: bytes) -> Index:
    """When it was made; its status and its session."""
    found = _decode(body, _Worktree)
    return Index(micros(parse_time(found.created_at)), {"status": found.status, "session": found.session_id})


def orphaned_worktrees(body: bytes) -> Index:
    """The last time that a worktree was left behind; 1970 if there is none."""
    found = _decode(body, list[_Orphan])
    return Index(max((micros(parse_time(orphan.failed_at)) for orphan in found), default=0))


def _decode(body: bytes, cls: type[T]) -> T:
    try:
        return msgspec.json.decode(verify(body), type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise undecodable(body, error) from error
