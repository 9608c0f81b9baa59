"""Where each kind of document and each stream of records lies: one table, and one folder for everything else.

There is one place to write and there are many to read: the places of Prodigy's own programs, of every age. What is
found in one of these is changed there.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from prodigy_storage.adapters.files.names import decode, encode
from prodigy_storage.adapters.files.places import NAMES, Place
from prodigy_storage.errors import ConfigError
from prodigy_storage.ports.names import Scope

if TYPE_CHECKING:
    from prodigy_storage.adapters.files.tree import Tree

STORE = ".store"
WRITERS = f"{STORE}/writers"
LOCKS = f"{STORE}/locks"
INTENTS = f"{STORE}/intents"
_CACHED = 8192
_PRODIGY = "prodigy-0.4"
_LAYOUTS = ("documented", _PRODIGY)

_STATE = frozenset({"reduce_checkpoints"})
_JOBS = ("state", "{repo}", "mapreduce", "jobs", "{job}")
_REPO_CHECKPOINTS = ("state", "{repo}", "checkpoints")
_JOB_CHECKPOINTS = ("state", "{repo}", "{job}", "mapreduce", "checkpoints")
_MAPREDUCE = re.compile(r"cp-[^\0]*")
_OTHERS = re.compile(r"(?!cp-)[^\0]+")
_PACKED = (".checkpoint.gz", ".checkpoint.json", ".checkpoint.zst", ".checkpoint.lz4")
_UNPACKED = (".checkpoint.json", ".checkpoint.gz", ".checkpoint.zst", ".checkpoint.lz4")
_LOCAL = "{project}"
_INDEX = "index.json"

KINDS: dict[str, tuple[Place, ...]] = {
    "session": (Place(folder=("sessions",)),),
    "dead_letter": (
        Place(folder=("dlq", "{repo}", "{job}", "items"), deep=True),
        Place(
            folder=("dlq", "{repo}", "{job}", "mapreduce", "dlq", "{job}", "items"),
            variant=True,
            dialect=True,
            deep=True,
            flat=True,
            listing=_INDEX,
        ),
        Place(folder=("dlq", "{repo}", "mapreduce", "dlq", "{job}", "items"), variant=True, deep=True, listing=_INDEX),
        Place(
            folder=("state", "{repo}", "mapreduce", "dlq", "{job}", "items"),
            reserved=_STATE,
            variant=True,
            deep=True,
            listing=_INDEX,
        ),
        Place(
            folder=("dlq", "mapreduce", "dlq", "{job}", "items"),
            variant=True,
            deep=True,
            project=_LOCAL,
            listing=_INDEX,
        ),
    ),
    "archived_letter": (Place(folder=("dlq", "{repo}", "{job}", "archive")),),
    "redrive": (Place(folder=("dlq", "{repo}", "{job}", "redrives")),),
    "checkpoint": (
        Place(
            folder=_JOBS,
            ids=re.compile(r"setup-checkpoint|map-checkpoint-.*|reduce-checkpoint-.*", re.DOTALL),
            reserved=_STATE,
        ),
    ),
    "job_state": (Place(folder=_JOBS, ids=re.compile(r"job-state"), reserved=_STATE),),
    "mapping": (Place(folder=("state", "{repo}", "mappings"), reserved=_STATE),),
    "resume_lock": (Place(folder=("resume_locks",), suffixes=(".lock",), every_scope=True),),
    "prodigy_job_state": (Place(folder=_JOBS, ids=re.compile(r"checkpoint-v[0-9]+"), reserved=_STATE),),
    "prodigy_job_metadata": (Place(folder=_JOBS, ids=re.compile(r"metadata"), reserved=_STATE),),
    "prodigy_checkpoint": (
        Place(folder=_REPO_CHECKPOINTS, suffixes=_PACKED, ids=_MAPREDUCE, reserved=_STATE),
        Place(folder=_REPO_CHECKPOINTS, suffixes=_UNPACKED, ids=_OTHERS, reserved=_STATE),
        Place(folder=_JOB_CHECKPOINTS, suffixes=_PACKED, ids=_MAPREDUCE, reserved=_STATE),
        Place(folder=_JOB_CHECKPOINTS, suffixes=_UNPACKED, ids=_OTHERS, reserved=_STATE),
        Place(folder=("sessions",), ids=re.compile(r"[^/\0]+/checkpoint"), deep=True),
        Place(folder=("checkpoints",), suffixes=_UNPACKED),
    ),
    "reduce_checkpoint": (
        Place(
            folder=("state", "reduce_checkpoints"),
            ids=re.compile(r"[^/\0]+/reduce-checkpoint-[^/\0]+"),
            deep=True,
            dialect=True,
        ),
    ),
    "worktree": (Place(folder=("worktrees", "{repo}", ".metadata")),),
    "orphaned_worktrees": (Place(folder=("orphaned_worktrees", "{repo}")),),
}
"""The places of documents, by the name of the kind: the documented one first.

Checkpoints of Prodigy's reduce phase have no project in their path: they are in the scope `()`, and their ids are
`{job}/{file}`, as are those of the checkpoints in a session's own folder, `{session}/checkpoint`.
"""

STREAMS: dict[str, tuple[Place, ...]] = {
    "events": (
        Place(folder=("events", "{repo}", "{job}"), reserved=frozenset({"archive"})),
        Place(folder=("events", "{job}"), reserved=frozenset({"archive"}), variant=True, project=_LOCAL),
        Place(folder=("events",), variant=True),
        Place(folder=("events", "archive"), variant=True),
    ),
    "progress": (Place(folder=_JOBS, reserved=_STATE),),
    "redrives": (Place(folder=("dlq", "{repo}", "{job}", "redrives")),),
    "logs": (Place(folder=("logs", "{repo}", "{job}")),),
}
"""The places of segments, by the name of the stream; events that name no project and job are in the scope `()`."""
_SHARED = frozenset({"events"})
"""Streams whose files may be called as other programs like; of the others only `{stem}-…` counts."""


class Layout:
    """The table, applied to one root.

    Args:
        root: The root of the store. Files of a time when Prodigy had a directory in each project belong to the
            project in which the root lies.
        prodigy: Whether what is new is written where Prodigy itself writes, under names that it writes.
    """

    def __init__(self, root: str, *, prodigy: bool = False) -> None:
        self._prodigy = prodigy
        self._project = os.path.basename(os.path.dirname(root)) or "local"
        self.places = lru_cache(1024)(self._places)
        self.stream_places = lru_cache(1024)(self._stream_places)
        self.paths = lru_cache(_CACHED)(self._paths)
        self.segments = lru_cache(_CACHED)(self._segments)
        self.stream_folders = lru_cache(_CACHED)(self._stream_folders)

    @classmethod
    def of(cls, name: str, root: str) -> Layout:
        """The layout of that name.

        Raises:
            ConfigError: there is none.
        """
        if name not in _LAYOUTS:
            raise ConfigError(f"{name!r} is no layout; there are: {', '.join(_LAYOUTS)}")
        return cls(root, prodigy=name == _PRODIGY)

    def compresses(self, stem: str) -> bool:
        """Whether sealed segments whose names begin with that word may be compressed."""
        return not (self._prodigy and is_shared(stem))

    def _places(self, kind: str) -> tuple[Place, ...]:
        """Every place where documents of a kind may lie, the one to write first."""
        head = (STORE, "leases") if kind == "lease" else (STORE, "kinds", encode(kind))
        return self._with_own(KINDS.get(kind, ()), head)

    def _stream_places(self, stream: str) -> tuple[Place, ...]:
        """Every place where segments of a stream may lie, the one to write first."""
        return self._with_own(STREAMS.get(stream, ()), (STORE, "streams", encode(stream)))

    def _with_own(self, table: tuple[Place, ...], head: tuple[str, ...]) -> tuple[Place, ...]:
        named = [attrs.evolve(one, project=self._project) if one.project else one for one in table]
        if self._prodigy:
            named.sort(key=lambda one: not one.dialect)
        own = [Place(folder=(*head, str(depth), *NAMES[:depth]), ours=True) for depth in range(3)]
        return tuple(sorted([*named, *own], key=self._is_variant))

    def _is_variant(self, place: Place) -> bool:
        return place.variant and not (self._prodigy and place.dialect)

    def _paths(self, kind: str, scope: Scope, id: str) -> tuple[str, ...]:
        """Every path that a document may have, relative to the root: the one to write first.

        Raises:
            InvalidName: a file name would be too long.
        """
        found: list[str] = []
        own = False
        for place in self.places(kind):
            if place.holds(scope) and place.ids.fullmatch(id) and not (own and place.ours):
                own = True
                plain = self._prodigy or (place.deep and place.dialect and not place.variant)
                files = place.files(id, plain=plain)
                found += [f"{folder}/{file}" for folder in place.folders(scope, plain=plain) for file in files]
        return tuple(dict.fromkeys(found))

    def _segments(self, stream: str, scope: Scope) -> tuple[str, str]:
        """The folder of a stream's new segments, relative to the root, and the word that their names begin with."""
        place = next(one for one in self.stream_places(stream) if one.holds(scope) and not one.variant)
        return place.folders(scope, plain=self._prodigy)[0], stem(stream, place)

    def _stream_folders(self, stream: str, scope: Scope) -> tuple[tuple[Place, str], ...]:
        """Every folder in which segments of a stream of a scope may lie, with its place."""
        places = (one for one in self.stream_places(stream) if one.holds(scope))
        return tuple((one, folder) for one in places for folder in one.folders(scope))

    def listing_of(self, kind: str, scope: Scope, path: str) -> str | None:
        """The file that lists what is in the folder of a document; None if there is none."""
        for place in self.places(kind):
            if place.listing and place.holds(scope):
                folder = next((one for one in place.folders(scope) if path.startswith(f"{one}/")), None)
                if folder is not None:
                    return f"{folder.rpartition('/')[0]}/{place.listing}"
        return None


def stem(stream: str, place: Place) -> str:
    """The word that the names of the segments in a place begin with."""
    return "records" if place.ours else stream


def is_shared(stream: str) -> bool:
    """Whether other programs write segments of a stream, under names of their own."""
    return stream in _SHARED


def kind_names(tree: Tree) -> list[str]:
    """Every kind that may have documents."""
    return _names(tree, f"{STORE}/kinds", {*KINDS, "lease"})


def stream_names(tree: Tree) -> list[str]:
    """Every stream that may have segments."""
    return _names(tree, f"{STORE}/streams", set(STREAMS))


def _names(tree: Tree, folder: str, known: set[str]) -> list[str]:
    others = (decode(name) for name in tree.folders(folder))
    return sorted(known | {name for name in others if name is not None})
