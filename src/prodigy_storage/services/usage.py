"""How much a store holds, by kind, project and job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import attrs

from prodigy_storage.codecs.kinds import DATA_KINDS, DATA_STREAMS, PASSING_KINDS
from prodigy_storage.codecs.walks import walk
from prodigy_storage.ports.measuring import Form, Measure, Measuring
from prodigy_storage.ports.names import Scope, check_scope
from prodigy_storage.ports.storage import Capability, Cursor, Kind, Query, Storage, Stream

K = TypeVar("K")


@attrs.frozen(kw_only=True)
class Amount:
    """A sum of measures.

    Args:
        count: Documents, pieces of streams, files.
        bytes: What they take.
        jobs: In how many jobs there is any.
    """

    count: int
    bytes: int
    jobs: int


@attrs.frozen(kw_only=True)
class Usage:
    """What there is.

    Args:
        rows: One for each scope and kind, stream or folder.
        stored: Whether the backend measured what it stores; else bodies and records were added up.
    """

    rows: Sequence[Measure]
    stored: bool

    @property
    def total(self) -> Amount:
        """Everything."""
        return _sum(self.rows)

    def by_kind(self) -> dict[tuple[Form, str], Amount]:
        """For each kind, stream or folder, the largest first."""
        return self._by(lambda row: (row.form, row.of))

    def by_repo(self) -> dict[str, Amount]:
        """For each project, the largest first; what belongs to none is left out."""
        return self._by(lambda row: row.scope[0] if row.scope else None)

    def by_job(self) -> dict[tuple[str, str], Amount]:
        """For each (project, job), the largest first; what belongs to none is left out."""
        return self._by(lambda row: (row.scope[0], row.scope[1]) if len(row.scope) > 1 else None)

    def _by(self, key: Callable[[Measure], K | None]) -> dict[K, Amount]:
        groups: dict[K, list[Measure]] = {}
        for row in self.rows:
            found = key(row)
            if found is not None:
                groups.setdefault(found, []).append(row)
        amounts = {name: _sum(rows) for name, rows in groups.items()}
        return dict(sorted(amounts.items(), key=lambda item: (-item[1].bytes, str(item[0]))))


def _sum(rows: Sequence[Measure]) -> Amount:
    jobs = {row.scope for row in rows if len(row.scope) > 1}
    return Amount(count=sum(row.count for row in rows), bytes=sum(row.bytes for row in rows), jobs=len(jobs))


def measure(storage: Storage, scope: Scope = ()) -> Usage:
    """What is stored below a scope. A backend that does not measure is read through.

    Args:
        storage: Which store.
        scope: `()` everything, `(repo,)` one project, `(repo, job)` one job.
    """
    check_scope(scope)
    stored = Capability.MEASURING in storage.capabilities
    rows = cast("Measuring", storage).measure(scope) if stored else _read_through(storage, scope)
    return Usage(rows=tuple(sorted(rows, key=lambda row: (row.form.value, row.of, row.scope))), stored=stored)


def _read_through(storage: Storage, scope: Scope) -> list[Measure]:
    rows = []
    for kind in (*DATA_KINDS, *PASSING_KINDS):
        rows += _documents(storage, kind, scope)
    for stream in DATA_STREAMS:
        for found in storage.scopes(stream):
            if found[: len(scope)] == scope:
                rows.append(_records(storage, stream, found))
    return rows


def _documents(storage: Storage, kind: Kind, scope: Scope) -> list[Measure]:
    sizes: dict[Scope, list[int]] = {}
    for page in walk(storage, Query(kind, scope, limit=1000)):
        for one in page.documents:
            sizes.setdefault(one.scope, []).append(len(one.body))
    return [
        Measure(scope=found, form=Form.DOCUMENTS, of=kind.name, count=len(many), bytes=sum(many))
        for found, many in sizes.items()
    ]


def _records(storage: Storage, stream: Stream, scope: Scope) -> Measure:
    count = size = 0
    after: Cursor | None = None
    while True:
        chunk = storage.records(scope, stream, after, verify=False)
        if not chunk.data:
            return Measure(scope=scope, form=Form.RECORDS, of=stream.name, count=count, bytes=size)
        after = chunk.cursor
        count += 1
        size += len(chunk.data)
