"""Checkpoints of a job: compact JSON documents, sealed with a checksum, immutable once they are written.

All three share their first members (`Header`), so that a listing reads those alone. Identifiers are the names of
the global storage architecture: `setup-checkpoint`, `map-checkpoint-{time}-{number}` and
`reduce-checkpoint-v1-{time}-{number}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import attrs
import msgspec

from prodigy_storage.codecs.progress import Line, from_line, to_line
from prodigy_storage.codecs.trees import damaged, dump, seal, verify
from prodigy_storage.codecs.values import encode_value, parse_time, time_text
from prodigy_storage.model.checkpoints import CheckpointInfo, CheckpointReason, MapCheckpoint, ReduceCheckpoint
from prodigy_storage.model.jobs import Backoff, JobSettings, JobState, Setup, StepResult, WorkItem
from prodigy_storage.model.sessions import Phase
from prodigy_storage.model.values import Json
from prodigy_storage.ports.storage import Document

FORMAT = 1
S = TypeVar("S", bound=msgspec.Struct)


class Header(msgspec.Struct, kw_only=True):
    """The members that every checkpoint starts with."""

    format: int
    phase: Phase
    number: int
    job_id: str
    session_id: str
    created_at: str
    epoch: int = 0
    completed: int = 0
    dead_letters: int = 0
    final: bool = False
    progress: str | None = None


class _Map(Header, kw_only=True):
    reason: CheckpointReason
    events: str | None = None
    in_progress: dict[str, int] = {}
    settled: list[Line] = []
    restarted: dict[str, int] = {}


class _Step(msgspec.Struct):
    name: str
    output: Any
    at: int
    ms: int = 0


class _Item(msgspec.Struct):
    id: str
    data: Any


class _Backoff(msgspec.Struct):
    initial: float
    multiplier: float
    maximum: float


class _Settings(msgspec.Struct):
    max_retries: int
    backoff: _Backoff


class _Setup(Header, kw_only=True):
    repo: str
    correlation_id: str
    settings: _Settings
    metadata: dict[str, Any]
    items: list[_Item]
    steps: list[_Step] = []
    variables: dict[str, Any] = {}
    complete: bool = True


class _Reduce(Header, kw_only=True):
    result: Any = None
    steps: list[_Step] = []
    variables: dict[str, Any] = {}
    complete: bool = True


SETUP_ID = "setup-checkpoint"


def checkpoint_id(phase: Phase, number: int, created_at: datetime) -> str:
    """The identifier of a map or reduce checkpoint."""
    prefix = "map-checkpoint" if phase is Phase.MAP else "reduce-checkpoint-v1"
    return f"{prefix}-{created_at:%Y%m%d_%H%M%S}-{number}"


def encode_setup(setup: Setup) -> bytes:
    """The body of a job's setup checkpoint.

    Raises:
        InvalidValue: an item or the metadata holds something that is no JSON.
    """
    backoff = setup.settings.backoff
    return dump(
        {
            "format": FORMAT,
            "phase": Phase.SETUP.value,
            "number": 0,
            "job_id": setup.job_id,
            "session_id": setup.session_id,
            "created_at": time_text(setup.created_at),
            "repo": setup.repo,
            "correlation_id": setup.correlation_id,
            "settings": {
                "max_retries": setup.settings.max_retries,
                "backoff": {"initial": backoff.initial, "multiplier": backoff.multiplier, "maximum": backoff.maximum},
            },
            "metadata": setup.metadata,
            "items": [{"id": item.id, "data": item.data} for item in setup.items],
            "steps": [attrs.asdict(step, recurse=False) for step in setup.steps],
            "variables": setup.variables,
            "complete": setup.complete,
        },
        pretty=False,
    )


def decode_setup(document: Document) -> Setup:
    """The inverse of `encode_setup`.

    Raises:
        Corrupt: the document is damaged.
    """
    setup = _decode(_Setup, document.body, document.place)
    backoff = setup.settings.backoff
    return Setup(
        repo=setup.repo,
        job_id=setup.job_id,
        session_id=setup.session_id,
        created_at=parse_time(setup.created_at),
        items=tuple(WorkItem(item.id, item.data) for item in setup.items),
        settings=JobSettings(
            max_retries=setup.settings.max_retries,
            backoff=Backoff(initial=backoff.initial, multiplier=backoff.multiplier, maximum=backoff.maximum),
        ),
        correlation_id=setup.correlation_id,
        metadata=setup.metadata,
        steps=_steps(setup.steps),
        variables=setup.variables,
        complete=setup.complete,
    )


def _steps(stored: Iterable[_Step]) -> tuple[StepResult, ...]:
    return tuple(StepResult(name=step.name, output=step.output, at=step.at, ms=step.ms) for step in stored)


def encode_map(checkpoint: MapCheckpoint) -> bytes:
    """The body of a map checkpoint."""
    state = checkpoint.state
    tried = [*state.done.values(), *state.dead.values(), *(one for many in state.failed.values() for one in many)]
    stored = _Map(
        **_members(checkpoint, Phase.MAP),
        completed=len(state.done),
        dead_letters=len(state.dead),
        final=checkpoint.final,
        progress=checkpoint.progress,
        reason=checkpoint.reason,
        events=checkpoint.events,
        in_progress=dict(checkpoint.in_progress),
        settled=[to_line(progress) for progress in tried],
        restarted=state.restarted,
    )
    return seal(msgspec.json.encode(stored), pretty=False)


def _members(checkpoint: MapCheckpoint | ReduceCheckpoint, phase: Phase) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "phase": phase,
        "number": checkpoint.number,
        "job_id": checkpoint.job_id,
        "session_id": checkpoint.session_id,
        "created_at": time_text(checkpoint.created_at),
        "epoch": checkpoint.epoch,
    }


def decode_map(document: Document) -> MapCheckpoint:
    """The inverse of `encode_map`.

    Raises:
        Corrupt: the document is damaged.
    """
    stored = _decode(_Map, document.body, document.place)
    state = JobState(restarted=stored.restarted)
    for line in stored.settled:
        state.fold(from_line(line))
    return MapCheckpoint(
        job_id=stored.job_id,
        session_id=stored.session_id,
        number=stored.number,
        epoch=stored.epoch,
        created_at=parse_time(stored.created_at),
        reason=stored.reason,
        state=state,
        progress=stored.progress,
        events=stored.events,
        in_progress=stored.in_progress,
        final=stored.final,
    )


def encode_reduce(checkpoint: ReduceCheckpoint) -> bytes:
    """The body of a reduce checkpoint.

    Raises:
        InvalidValue: the result, an output or a variable is no JSON.
    """
    stored = _Reduce(
        **_members(checkpoint, Phase.REDUCE),
        final=checkpoint.complete,
        result=msgspec.Raw(encode_value(checkpoint.result, "the result of the reduce phase")),
        steps=[_Step(step.name, _raw(step.output, step.name), step.at, step.ms) for step in checkpoint.steps],
        variables={name: _raw(value, name) for name, value in checkpoint.variables.items()},
        complete=checkpoint.complete,
    )
    return seal(msgspec.json.encode(stored), pretty=False)


def _raw(value: Json, name: str) -> msgspec.Raw:
    return msgspec.Raw(encode_value(value, f"{name} of the reduce phase"))


def decode_reduce(document: Document) -> ReduceCheckpoint:
    """The inverse of `encode_reduce`.

    Raises:
        Corrupt: the document is damaged.
    """
    stored = _decode(_Reduce, document.body, document.place)
    return ReduceCheckpoint(
        job_id=stored.job_id,
        session_id=stored.session_id,
        number=stored.number,
        epoch=stored.epoch,
        created_at=parse_time(stored.created_at),
        result=stored.result,
        steps=_steps(stored.steps),
        variables=stored.variables,
        complete=stored.complete,
    )


def decode_info(document: Document) -> CheckpointInfo:
    """What a listing says of a checkpoint.

    Raises:
        Corrupt: the document is damaged.
    """
    found = _decode(Header, document.body, document.place)
    return CheckpointInfo(
        id=document.id,
        job_id=found.job_id,
        number=found.number,
        phase=found.phase,
        created_at=parse_time(found.created_at),
        epoch=found.epoch,
        completed=found.completed,
        dead_letters=found.dead_letters,
        final=found.final,
        progress=found.progress,
    )


def _decode(cls: type[S], body: bytes, place: str) -> S:
    try:
        return msgspec.json.decode(verify(body, place), type=cls)
    except msgspec.MsgspecError as error:
        raise damaged(place, None, f"it is no checkpoint: {error}") from error
