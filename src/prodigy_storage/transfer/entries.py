"""What a transfer carries: documents and pieces of streams, in an order in which what names something comes after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs

from prodigy_storage.codecs.kinds import DATA_KINDS, DATA_STREAMS
from prodigy_storage.codecs.walks import walk
from prodigy_storage.ports.names import Scope, check_scope
from prodigy_storage.ports.storage import Cursor, Damage, Kind, Query, Storage, Stream

_LEVELS = ("repo", "job")
_PAGE = 100


@attrs.frozen
class Body:
    """One document: `body` is what is stored, byte for byte."""

    kind: Kind
    scope: Scope
    id: str
    body: bytes


@attrs.frozen
class Piece:
    """Some whole lines of a stream; the pieces of one stream follow one another."""

    stream: Stream
    scope: Scope
    data: bytes


Entry: TypeAlias = Body | Piece | Damage
"""A document, a piece of a stream, or a report of something that cannot be read and is therefore not carried."""


@attrs.frozen
class Contents:
    """Which kinds and streams are carried. Streams come first; the kinds follow in their order.

    Args:
        kinds: By default every kind of the library that is data: no leases, heartbeats, locks and probes.
        streams: By default every stream of the library.
    """

    kinds: Sequence[Kind] = DATA_KINDS
    streams: Sequence[Stream] = DATA_STREAMS

    def and_also(self, *more: Kind | Stream) -> Contents:
        """The same with kinds and streams of your own; those kinds come before the library's.

        One that has the name of a carried one takes its place.
        """
        names = {one.name for one in more if isinstance(one, Kind)}
        kinds = [one for one in more if isinstance(one, Kind)]
        streams = {stream.name: stream for stream in (*self.streams, *(one for one in more if isinstance(one, Stream)))}
        return Contents((*kinds, *(kind for kind in self.kinds if kind.name not in names)), tuple(streams.values()))


def entries(source: Storage, contents: Contents, scope: Scope = ()) -> Iterator[Entry]:
    """Everything that a store has below a scope: first the records, last the sessions that name the jobs.

    A session belongs to a job or project outside its scope; it comes along when its tags say so.

    Args:
        source: Where it is read; the documents of each kind in the order of a walk, the records as they are read.
        contents: Which kinds and streams.
        scope: `()` everything, `(repo,)` one project, `(repo, job)` one job.
    """
    check_scope(scope)
    for stream in contents.streams:
        for found in source.scopes(stream):
            if found[: len(scope)] == scope:
                yield from pieces(source, stream, found)
    jobs = _jobs(source, contents, scope) if len(scope) == 1 else set(scope[1:])
    for kind in contents.kinds:
        yield from bodies(source, kind, scope)
        if scope and set(_LEVELS) & set(kind.tags):
            yield from _related(source, kind, scope, jobs)


def pieces(source: Storage, stream: Stream, scope: Scope) -> Iterator[Entry]:
    """The records of a stream of one scope, and what of it cannot be read."""
    after: Cursor | None = None
    while True:
        chunk = source.records(scope, stream, after)
        yield from chunk.damage
        if not chunk.data:
            return
        yield Piece(stream, scope, chunk.data)
        after = chunk.cursor


def bodies(source: Storage, kind: Kind, scope: Scope) -> Iterator[Entry]:
    """The documents of a kind below a scope, and those that cannot be read."""
    for page in walk(source, Query(kind, scope, limit=_PAGE)):
        yield from page.damage
        for one in page.documents:
            yield Body(kind, one.scope, one.id, one.body)


def _jobs(source: Storage, contents: Contents, scope: Scope) -> set[str]:
    carried: list[Kind | Stream] = [*contents.streams, *contents.kinds]
    return {found[1] for of in carried for found in source.scopes(of) if len(found) > 1 and found[:1] == scope}


def _related(source: Storage, kind: Kind, scope: Scope, jobs: set[str]) -> Iterator[Entry]:
    """Documents of the wider scopes whose tags name this one; a session without a project, when its job is here."""
    for depth in range(len(scope)):
        for entry in bodies(source, kind, scope[:depth]):
            if isinstance(entry, Body) and entry.scope == scope[:depth] and _names(entry, scope, jobs):
                yield entry


def _names(entry: Body, scope: Scope, jobs: set[str]) -> bool:
    tags = entry.kind.index(entry.body).tags
    repo, job = (tags.get(level, "") for level in _LEVELS)
    if entry.scope:
        repo = entry.scope[0]
    return repo in {"", scope[0]} and (job in jobs or (len(scope) == 1 and repo == scope[0]))
