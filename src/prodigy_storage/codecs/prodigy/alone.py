"""Prodigy's files that are no part of a store: exports, lists, policies. Each is read from its content.

What is no such file raises an error that names the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from prodigy_storage.codecs.documents import Codec
from prodigy_storage.codecs.prodigy.documents import MAPREDUCE_CHECKPOINTS
from prodigy_storage.errors import ConfigError
from prodigy_storage.model.dead_letters import DeadLetter
from prodigy_storage.model.prodigy.checkpoints import MapReduceCheckpoint
from prodigy_storage.model.prodigy.lists import DeadLetterIndex, EventIndex
from prodigy_storage.model.prodigy.retention import RetentionAnalysis, RetentionPolicy
from prodigy_storage.model.settings import Reads, Rule, check
from prodigy_storage.ports.storage import Document, Version

T = TypeVar("T")

_EXPORTS: Codec[Sequence[DeadLetter]] = Codec(cast("Any", Sequence[DeadLetter]), list)
_EVENT_INDEXES = Codec(EventIndex)
_DEAD_LETTER_INDEXES = Codec(DeadLetterIndex)
_ANALYSES = Codec(RetentionAnalysis)
_POLICY = {
    "max_age_days": Reads.COUNT,
    "max_events": Reads.COUNT,
    "max_file_size_bytes": Reads.COUNT,
    "archive_old_events": Reads.SWITCH,
    "archive_path": Reads.PATH,
    "compress_archives": Reads.SWITCH,
}


def read_dead_letters(body: bytes, place: str) -> Sequence[DeadLetter]:
    """The dead letters of an export, a JSON array; those of `dlq export` are read as well.

    Raises:
        Corrupt: it is none; names the place.
    """
    return _read(_EXPORTS, body, place)


def read_checkpoint(body: bytes, place: str) -> MapReduceCheckpoint:
    """The MapReduce checkpoint of an export.

    Raises:
        Corrupt: it is none; names the place.
    """
    return _read(MAPREDUCE_CHECKPOINTS, body, place)


def read_event_index(body: bytes, place: str) -> EventIndex:
    """The `index.json` of the events of a job.

    Raises:
        Corrupt: it is none; names the place.
    """
    return _read(_EVENT_INDEXES, body, place)


def read_dead_letter_index(body: bytes, place: str) -> DeadLetterIndex:
    """The `index.json` of the dead letters of a job.

    Raises:
        Corrupt: it is none; names the place.
    """
    return _read(_DEAD_LETTER_INDEXES, body, place)


def read_retention_analysis(body: bytes, place: str) -> RetentionAnalysis:
    """What a trial run of Prodigy's retention wrote.

    Raises:
        Corrupt: it is none; names the place.
    """
    return _read(_ANALYSES, body, place)


def retention_policy(tree: object, place: str) -> RetentionPolicy:
    """The retention policy in the tree of a file.

    Args:
        tree: What the YAML holds.
        place: The file, for errors.

    Raises:
        ConfigError: a member is unknown, missing or not allowed; says which.
    """
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{place} is no retention policy; it must be a block of its settings")
    for key in tree:
        if key not in _POLICY:
            near = get_close_matches(str(key), _POLICY, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(_POLICY)}"
            raise ConfigError(f"{place}: {key} is no setting of a retention policy; {advice}")
    for name, reads in _POLICY.items():
        if reads is Reads.SWITCH and name not in tree:
            raise ConfigError(f"{place}: {name} is missing")
        if tree.get(name) is not None or reads is Reads.SWITCH:
            check(f"{place}: {name}", Rule(reads=reads), tree[name])
    return RetentionPolicy(**tree)


def _read(codec: Codec[T], body: bytes, place: str) -> T:
    return codec.decode(Document((), "", "", body, Version(""), place))
