"""A storage that fails as it is told, a clock that is moved by sleeping."""

from __future__ import annotations

import pytest

from prodigy_storage.errors import Unavailable
from prodigy_storage.ports.presence import Token
from prodigy_storage.ports.storage import (
    Capability,
    Chunk,
    Cursor,
    Document,
    Durability,
    Index,
    Kind,
    Page,
    Receipt,
    Stream,
    Version,
)


class FakeStorage:
    """Answers every call with the same little; raises the `faults` first, one for each call."""

    def __init__(self, capabilities=frozenset()):
        self.capabilities = capabilities
        self.faults = []
        self.calls = []

    def _called(self, name, *arguments):
        self.calls.append((name, *arguments))
        if self.faults:
            raise self.faults.pop(0)

    def commit(self, batch):
        self._called("commit", batch)
        return Receipt(versions={}, durability=Durability.FULL)

    def fetch(self, scope, kind, ids, *, fresh=False):
        self._called("fetch", scope, kind, tuple(ids), fresh)
        return {"a": _document(scope, kind)}

    def documents(self, query, after=None):
        self._called("documents", query, after)
        return Page(documents=[_document(query.scope, query.kind)])

    def records(self, scope, stream, after=None, *, verify=True):
        self._called("records", scope, stream, after, verify)
        return Chunk(data=b'{"secret":1}\n', cursor=Cursor("1"))

    def scopes(self, of):
        self._called("scopes", of)
        return [("repo",), ("repo", "job")]

    def close(self):
        self._called("close")

    def me(self):
        return Token(writer="w", pid=1, host="here")

    def alive(self, token):
        return token.writer == "w"


class Present(FakeStorage):
    """One that says who is alive."""

    def __init__(self):
        super().__init__(frozenset({Capability.PRESENCE, Capability.DURABLE}))


class FakeTime:
    """Seconds that pass by sleeping, or when `advance` is called."""

    def __init__(self):
        self.seconds = 0.0
        self.slept = []

    def monotonic(self):
        return self.seconds

    def advance(self, seconds):
        self.seconds += seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.advance(seconds)


def _document(scope, kind):
    return Document(scope=scope, kind=kind.name, id="a", body=b'"secret"', version=Version("1"))


@pytest.fixture
def storage():
    return FakeStorage()


@pytest.fixture
def present():
    return Present()


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def kind():
    return Kind("things", index=lambda _body: Index(at=0))


@pytest.fixture
def stream():
    return Stream("facts", at=lambda _record: 0)


@pytest.fixture
def down():
    """Make so many faults in a row."""
    return lambda count: [Unavailable(f"down {number}") for number in range(1, count + 1)]
