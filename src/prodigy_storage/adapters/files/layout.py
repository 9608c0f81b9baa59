"""Where each kind of document and each stream of records lies: one table, and one folder for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import attrs

from prodigy_storage.adapters.files.names import decode, encode
from prodigy_storage.adapters.files.tree import Tree
from prodigy_storage.ports.names import Scope

STORE = ".store"
WRITERS = f"{STORE}/writers"
LOCKS = f"{STORE}/locks"
INTENTS = f"{STORE}/intents"
_NAMES = ("{repo}", "{job}")


@attrs.frozen(kw_only=True)
class Place:
    """A documented place.

    Args:
        folder: Parts of the path; `{repo}` and `{job}` stand for the names of the scope.
        suffix: What follows the id in a file name.
        ids: Which ids have their place here; the others, and other files, have it in the default folder.
        every_scope: The scope does not matter here; a walk reports `()`.
        reserved: File names in place of a scope's name that mean something else.
    """

    folder: tuple[str, ...]
    suffix: str = ".json"
    ids: re.Pattern[str] = re.compile(r"[^\0]+")
    every_scope: bool = False
    reserved: frozenset[str] = frozenset()

    @property
    def depth(self) -> int:
        """How many names a scope has here."""
        return sum(part in _NAMES for part in self.folder)

    def holds(self, scope: Scope) -> bool:
        """Whether documents of that scope lie here."""
        return self.every_scope or len(scope) == self.depth

    def at(self, scope: Scope) -> str:
        """The folder of a scope."""
        names = dict(zip(_NAMES, scope, strict=False))
        return "/".join(encode(names[part], reserved=self.reserved) if part in _NAMES else part for part in self.folder)

    def id_of(self, file_name: str) -> str | None:
        """The id that a file name stands for; None if it is no document of this place."""
        if not file_name.endswith(self.suffix):
            return None
        name = decode(file_name[: len(file_name) - len(self.suffix)])
        return name if name is not None and self.ids.fullmatch(name) else None

    def scopes(self, tree: Tree, prefix: Scope = ()) -> Iterator[Scope]:
        """Every scope whose folder exists, below a prefix."""
        if len(prefix) > self.depth:
            return
        found: list[tuple[str, Scope]] = [("", ())]
        for part in self.folder:
            if part in _NAMES:
                found = [(_join(f, n), (*s, name)) for f, s in found for n, name in self._named(tree, f, s, prefix)]
            else:
                found = [(_join(folder, part), scope) for folder, scope in found]
        yield from (scope for folder, scope in found if tree.exists(folder))

    def _named(self, tree: Tree, folder: str, scope: Scope, prefix: Scope) -> Iterator[tuple[str, str]]:
        if len(scope) < len(prefix):
            name = prefix[len(scope)]
            yield encode(name, reserved=self.reserved), name
            return
        for entry in tree.folders(folder):
            decoded = decode(entry)
            if decoded is not None and entry == encode(decoded, reserved=self.reserved):
                yield entry, decoded


def _join(folder: str, part: str) -> str:
    return f"{folder}/{part}" if folder else part


_JOBS = ("state", "{repo}", "mapreduce", "jobs", "{job}")

KINDS: dict[str, Place] = {
    "session": Place(folder=("sessions",)),
    "dead_letter": Place(folder=("dlq", "{repo}", "{job}", "items")),
    "checkpoint": Place(
        folder=_JOBS, ids=re.compile(r"setup-checkpoint|map-checkpoint-.*|reduce-checkpoint-.*", re.DOTALL)
    ),
    "job_state": Place(folder=_JOBS, ids=re.compile(r"job-state")),
    "mapping": Place(folder=("state", "{repo}", "mappings")),
    "resume_lock": Place(folder=("resume_locks",), suffix=".lock", every_scope=True),
}
"""The documented places of documents, by the name of the kind."""

STREAMS: dict[str, Place] = {
    "events": Place(folder=("events", "{repo}", "{job}"), reserved=frozenset({"archive"})),
    "progress": Place(folder=_JOBS),
}
"""The documented places of segments, by the name of the stream."""


@lru_cache(maxsize=1024)
def places(kind: str) -> tuple[Place, ...]:
    """Every place where documents of a kind may lie, the documented one first."""
    head = (STORE, "leases") if kind == "lease" else (STORE, "kinds", encode(kind))
    own = (KINDS[kind],) if kind in KINDS else ()
    return (*own, *(Place(folder=(*head, str(depth), *_NAMES[:depth])) for depth in range(3)))


@lru_cache(maxsize=8192)
def document(kind: str, scope: Scope, name: str) -> str:
    """The path of a document, relative to the root.

    Raises:
        InvalidName: a file name would be too long.
    """
    place = next(one for one in places(kind) if one.holds(scope) and one.ids.fullmatch(name))
    return f"{place.at(scope)}/{encode(name, place.suffix)}"


@lru_cache(maxsize=1024)
def stream_places(stream: str) -> tuple[Place, ...]:
    """Every place where segments of a stream may lie, the documented one first."""
    head = (STORE, "streams", encode(stream))
    own = (STREAMS[stream],) if stream in STREAMS else ()
    return (*own, *(Place(folder=(*head, str(depth), *_NAMES[:depth])) for depth in range(3)))


@lru_cache(maxsize=8192)
def segments(stream: str, scope: Scope) -> tuple[str, str]:
    """The folder of a stream's segments, relative to the root, and the word that their names begin with."""
    place = next(one for one in stream_places(stream) if one.holds(scope))
    return place.at(scope), stem(stream, place)


def stem(stream: str, place: Place) -> str:
    """The word that the names of the segments in a place begin with."""
    return stream if STREAMS.get(stream) is place else "records"


def stream_names(tree: Tree) -> list[str]:
    """Every stream that may have segments."""
    others = (decode(name) for name in tree.folders(f"{STORE}/streams"))
    return sorted({*STREAMS, *(name for name in others if name is not None)})
