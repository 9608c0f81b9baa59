"""A complete backend over one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from prodigy_storage.errors import Closed, Conflict, Corrupt, Rewound, StorageFull, Unavailable
from prodigy_storage.ports import storage as port
from prodigy_storage.ports.names import Scope, check_name, check_scope

SCHEMA = """
CREATE TABLE IF NOT EXISTS store (id TEXT, version INTEGER);
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT, repo TEXT, job TEXT, id TEXT, at INTEGER, tags TEXT, version INTEGER, body BLOB,
    PRIMARY KEY (kind, repo, job, id));
CREATE INDEX IF NOT EXISTS walks ON documents (kind, at, repo, job, id);
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, repo TEXT, job TEXT, line BLOB);
CREATE INDEX IF NOT EXISTS reads ON records (stream, repo, job, number);
"""
ONE = "kind = ? AND repo = ? AND job = ? AND id = ?"
READ = "SELECT number, line FROM records WHERE stream = ? AND repo = ? AND job = ? AND number > ?"
WALK = """
SELECT repo, job, id, at, version, body FROM documents
WHERE kind = :kind AND :repo IN ('', repo) AND :job IN ('', job) AND at >= :since AND at < :until
AND (at, repo, job, id) > (:at, :after_repo, :after_job, :after_id) {tags}
ORDER BY at, repo, job, id LIMIT :limit + 1
"""
FIRST, LAST = -(2**63), 2**63 - 1


@contextmanager
def translated() -> Iterator[None]:
    """The only place that knows the errors of SQLite."""
    try:
        yield
    except sqlite3.OperationalError as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise (StorageFull if full else Unavailable)(f"SQLite: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"SQLite: {error}", reason=str(error)) from error


class SqliteStorage:
    """Keeps everything in one file. An absent name of a scope is stored as the empty text, which is no name."""

    capabilities = frozenset({port.Capability.DURABLE, port.Capability.MULTI_PROCESS})

    def __init__(self, path: Path | str) -> None:
        self._closed = False
        self._lock = threading.Lock()
        with translated():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(SCHEMA)
        with self._transaction("IMMEDIATE") as db:
            db.execute("INSERT INTO store SELECT ?, 0 WHERE NOT EXISTS (SELECT * FROM store)", [uuid.uuid4().hex])
            (self._id,) = db.execute("SELECT id FROM store").fetchone()

    @contextmanager
    def _transaction(self, mode: str = "DEFERRED", sync: str = "FULL") -> Iterator[sqlite3.Connection]:
        """All or nothing, one thread at a time."""
        with self._lock, translated():
            if self._closed:
                raise Closed("the store was closed")
            with self._db as db:
                db.execute(f"PRAGMA synchronous = {sync}")
                db.execute(f"BEGIN {mode}")
                yield db

    def commit(self, batch: port.Batch) -> port.Receipt:
        versions = {}
        scope = columns(batch.scope)
        sync = "NORMAL" if batch.durability is port.Durability.OS else "FULL"  # FULL syncs the file at each commit
        with self._transaction("IMMEDIATE", sync) as db:
            for number, operation in enumerate(batch.operations):
                if isinstance(operation, port.Put | port.Delete | port.Check):
                    expect(db, scope, operation, number)
            for operation in batch.operations:
                if isinstance(operation, port.Put):
                    versions[operation.kind.name, operation.id] = put(db, scope, operation)
                elif isinstance(operation, port.Delete):
                    db.execute(f"DELETE FROM documents WHERE {ONE}", [operation.kind.name, *scope, operation.id])
                elif isinstance(operation, port.Append):
                    rows = [(operation.stream.name, *scope, line) for line in operation.data.split(b"\n")[:-1]]
                    db.executemany("INSERT INTO records (stream, repo, job, line) VALUES (?, ?, ?, ?)", rows)
                elif isinstance(operation, port.Trim):
                    self._trim(db, scope, operation)
        return port.Receipt(versions, batch.durability)

    def _trim(self, db: sqlite3.Connection, scope: tuple[str, str], trim: port.Trim) -> None:
        stream, before = trim.stream, trim.before
        last = LAST if isinstance(before, int) else self._number(db, before)
        rows = db.execute(f"{READ} AND number <= ?", [stream.name, *scope, 0, last]).fetchall()
        gone = [(number,) for number, line in rows if not isinstance(before, int) or stream.at(line) < before]
        db.executemany("DELETE FROM records WHERE number = ?", gone)

    def fetch(
        self, scope: Scope, kind: port.Kind, ids: Iterable[str], *, fresh: bool = False
    ) -> dict[str, port.Document]:
        found = {}
        with self._transaction() as db:
            for id_ in map(check_name, ids):
                row = [kind.name, *columns(scope), id_]
                for version, body in db.execute(f"SELECT version, body FROM documents WHERE {ONE}", row):
                    found[id_] = port.Document(scope, kind.name, id_, body, port.Version(str(version)))
        return found

    def documents(self, query: port.Query, after: port.Position | None = None) -> port.Page:
        after = after or port.Position(FIRST, (), "")
        values: dict[str, Any] = {"kind": query.kind.name, "limit": query.limit, "at": after.at, "after_id": after.id}
        values["repo"], values["job"] = columns(query.scope)
        values["after_repo"], values["after_job"] = columns(after.scope)
        values["since"] = FIRST if query.since is None else query.since
        values["until"] = LAST if query.until is None else query.until
        tags = ""
        for number, (tag, value) in enumerate(query.tags.items()):
            values[f"tag{number}"], values[f"value{number}"] = tag, value
            tags += f" AND tags ->> :tag{number} = :value{number}"
        with self._transaction() as db:
            rows = db.execute(WALK.format(tags=tags), values).fetchall()
        page = [
            port.Document(scope_of(repo, job), query.kind.name, id_, body, port.Version(str(version)))
            for repo, job, id_, _, version, body in rows[: query.limit]
        ]
        more = len(rows) > query.limit
        return port.Page(page, port.Position(rows[query.limit - 1][3], page[-1].scope, page[-1].id) if more else None)

    def records(
        self, scope: Scope, stream: port.Stream, after: port.Cursor | None = None, *, verify: bool = True
    ) -> port.Chunk:
        with self._transaction() as db:
            number = self._number(db, after)
            row = [stream.name, *columns(scope), number]
            rows = db.execute(f"{READ} ORDER BY number LIMIT 4000", row).fetchall()
        data = b"".join(line + b"\n" for _, line in rows)
        return port.Chunk(data, port.Cursor(f"{self._id}:{rows[-1][0] if rows else number}"))

    def _number(self, db: sqlite3.Connection, cursor: port.Cursor | None) -> int:
        """The number of the last record that a cursor has seen; numbers never come back."""
        if cursor is None:
            return 0
        store, _, number = cursor.partition(":")
        (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'records'").fetchone()
        if store != self._id or int(number) > last:
            raise Rewound("the cursor is of another store, or beyond the end of the stream")
        return int(number)

    def scopes(self, of: port.Kind | port.Stream) -> Sequence[Scope]:
        table, column = ("documents", "kind") if isinstance(of, port.Kind) else ("records", "stream")
        with self._transaction() as db:
            rows = db.execute(f"SELECT DISTINCT repo, job FROM {table} WHERE {column} = ? ORDER BY 1, 2", [of.name])
            return [scope_of(repo, job) for repo, job in rows]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._db.close()


def columns(scope: Scope) -> tuple[str, str]:
    repo, job = (*check_scope(scope), "", "")[:2]
    return repo, job


def scope_of(repo: str, job: str) -> Scope:
    return tuple(name for name in (repo, job) if name)


def expect(
    db: sqlite3.Connection, scope: tuple[str, str], operation: port.Put | port.Delete | port.Check, number: int
) -> None:
    kind, id_ = operation.kind.name, operation.id
    row = db.execute(f"SELECT version FROM documents WHERE {ONE}", [kind, *scope, id_]).fetchone()
    actual = str(row[0]) if row else None
    if operation.expect is port.Expect.ANY:
        return
    if actual != (None if operation.expect is port.Expect.ABSENT else operation.expect):
        raise Conflict(f"{kind} {id_!r} has changed", operation=number, kind=kind, id=id_, actual=actual)


def put(db: sqlite3.Connection, scope: tuple[str, str], operation: port.Put) -> port.Version:
    index = operation.kind.index(operation.body)
    ((version,),) = db.execute("UPDATE store SET version = version + 1 RETURNING version").fetchall()
    row = [operation.kind.name, *scope, operation.id, index.at, json.dumps(dict(index.tags)), version, operation.body]
    db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return port.Version(str(version))


def open_sqlite(url: str) -> SqliteStorage:
    """The factory for `sqlite:///path/to/store.db`, named in the entry point."""
    return SqliteStorage(unquote(urlsplit(url).path))
