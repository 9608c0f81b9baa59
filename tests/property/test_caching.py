"""The cache against a store without one, under random operations and steps of the clock."""

from __future__ import annotations

import contextlib
import itertools
import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.errors import Conflict
from prodigy_storage.ports.storage import Batch, Check, Delete, Expect, Index, Kind, Put
from prodigy_storage.testing.fakes import FakeClock
from prodigy_storage.wrappers.caching import Caching

KINDS = [Kind("one", lambda _: Index(0))]
SCOPES = [(), ("r", "j")]
TTL = 10.0
LIMIT = 3

scopes = st.sampled_from(SCOPES)
kinds = st.sampled_from(KINDS)
ids = st.sampled_from("ab")


class CachedStore(RuleBasedStateMachine):
    """The cache may differ from the store only in what another process wrote less than a time to live ago."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryStorage()
        self.cache = Caching(
            self.store, max_entries=LIMIT, ttl=TTL, monotonic=self.clock.monotonic, mutex=threading.RLock
        )
        self.bodies = (b"%d" % number for number in itertools.count())  # each write can be told from every other
        self.foreign = {}  # when another process wrote it, and what stood there before

    def _true(self, scope, kind, id):
        document = self.store.fetch(scope, kind, [id]).get(id)
        return document and document.body

    @rule(scope=scopes, kind=kinds, id=ids, expect=st.sampled_from(["any", "absent", "seen", "wrong"]))
    def put(self, scope, kind, id, expect):
        """Write through the cache, with a precondition that may fail."""
        seen = self.cache.fetch(scope, kind, [id]).get(id)
        wanted = {
            "any": Expect.ANY,
            "absent": Expect.ABSENT,
            "seen": seen.version if seen else Expect.ABSENT,
            "wrong": "no version",
        }[expect]
        self._commit(scope, kind, id, Put(kind, id, next(self.bodies), wanted))

    @rule(scope=scopes, kind=kinds, id=ids, removes=st.booleans())
    def delete_or_check(self, scope, kind, id, removes):
        """Remove through the cache, or look with a guard that does not hold."""
        self._commit(scope, kind, id, Delete(kind, id) if removes else Check(kind, id, "no version"))

    def _commit(self, scope, kind, id, operation):
        with contextlib.suppress(Conflict):
            self.cache.commit(Batch(scope, [operation]))
        self.foreign.pop((scope, kind.name, id), None)

    @rule(scope=scopes, kind=kinds, id=ids, removes=st.booleans())
    def write_elsewhere(self, scope, kind, id, removes):
        """Another process writes or removes."""
        before = self._true(scope, kind, id)
        self.store.commit(Batch(scope, [Delete(kind, id) if removes else Put(kind, id, next(self.bodies))]))
        _, older = self.foreign.get((scope, kind.name, id), (0, set()))
        self.foreign[scope, kind.name, id] = (self.clock.monotonic(), older | {before})

    @rule(scope=scopes, kind=kinds, wanted=st.lists(ids, max_size=4))
    def fetch_fresh(self, scope, kind, wanted):
        """A fresh fetch is the truth, and what comes after it too."""
        found = self.cache.fetch(scope, kind, wanted, fresh=True)
        assert {id: one.body for id, one in found.items()} == {
            id: one.body for id, one in self.store.fetch(scope, kind, wanted).items()
        }
        for id in wanted:
            self.foreign.pop((scope, kind.name, id), None)

    @rule(scope=scopes, kind=kinds, wanted=st.permutations("ab"))
    def fetch(self, scope, kind, wanted):
        """A fetch gives the truth, or what stood there before somebody else's recent write."""
        found = self.cache.fetch(scope, kind, wanted)
        assert list(found) == [id for id in dict.fromkeys(wanted) if id in found]
        for id in wanted:
            allowed = {self._true(scope, kind, id)}
            when, older = self.foreign.get((scope, kind.name, id), (0, set()))
            if self.clock.monotonic() < when + TTL:
                allowed |= older
            assert (found[id].body if id in found else None) in allowed

    @rule(seconds=st.sampled_from([TTL / 2, TTL, TTL]))
    def wait(self, seconds):
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def is_bounded(self):
        """Never more documents than allowed."""
        assert len(self.cache._kept) <= LIMIT


CachedStore.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestCaching = CachedStore.TestCase
