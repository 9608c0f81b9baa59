from __future__ import annotations

import threading

import pytest

from prodigy_storage import errors
from prodigy_storage.adapters.memory import MemoryStorage
from prodigy_storage.ports.storage import Append, Batch, Check, Delete, Put
from prodigy_storage.wrappers.caching import Caching


@pytest.fixture
def inner():
    """A store whose calls of `fetch` are counted, and which can be told to do something in the middle of them."""

    class Counted(MemoryStorage):
        fetched = 0
        meanwhile = staticmethod(lambda: None)
        broken = False

        def fetch(self, scope, kind, ids, *, fresh=False):
            self.fetched += 1
            found = super().fetch(scope, kind, ids, fresh=fresh)
            self.meanwhile()
            return found

        def commit(self, batch):
            receipt = super().commit(batch)
            if self.broken:
                raise errors.DurabilityUnknown("it may have happened")
            return receipt

    return Counted()


@pytest.fixture
def caching(inner, time):
    def make(**more):
        wishes = {"max_entries": 10, "ttl": 60, **more}
        return Caching(inner, **wishes, monotonic=time.monotonic, mutex=threading.RLock)

    return make


def put(kind, id, body):
    return Batch((), [Put(kind, id, body)])


def bodies(store, kind, *ids, **more):
    return [document.body for document in store.fetch((), kind, ids, **more).values()]


def test_a_document_is_fetched_once(caching, inner, kind):
    """What was fetched is answered from memory; only what is missing is asked for, and the order is that of the ids."""
    cache = caching()
    inner.commit(Batch((), [Put(kind, "a", b"1"), Put(kind, "b", b"2")]))
    asked = []
    inner.meanwhile = lambda: asked.append(inner.fetched)

    assert bodies(cache, kind, "a") == [b"1"]
    assert bodies(cache, kind, "a") == [b"1"]
    assert bodies(cache, kind, "b", "a") == [b"2", b"1"]
    assert asked == [1, 2]


def test_what_does_not_exist_is_asked_for_each_time(caching, inner, kind):
    """Another process may create a document at any moment, so its absence is not remembered."""
    cache = caching()
    assert bodies(cache, kind, "a") == []
    inner.commit(put(kind, "a", b"1"))
    assert bodies(cache, kind, "a") == [b"1"]


def test_a_commit_drops_what_it_names(caching, kind):
    """After a change or a removal through the cache the next fetch sees it."""
    cache = caching()
    cache.commit(put(kind, "a", b"1"))
    assert bodies(cache, kind, "a") == [b"1"]
    cache.commit(put(kind, "a", b"2"))
    assert bodies(cache, kind, "a") == [b"2"]
    cache.commit(Batch((), [Delete(kind, "a")]))
    assert bodies(cache, kind, "a") == []


@pytest.mark.parametrize("fault", ["conflict", "unknown"])
def test_a_failed_commit_drops_what_it_names_too(caching, inner, kind, fault):
    """A conflict shows that the cached document is old, and an unknown outcome may be a change."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    (old,) = cache.fetch((), kind, ["a"]).values()
    inner.broken = fault == "unknown"
    if fault == "conflict":
        inner.commit(put(kind, "a", b"2"))

    with pytest.raises(errors.StorageError):
        cache.commit(Batch((), [Put(kind, "a", b"2", old.version)]))
    assert bodies(cache, kind, "a") == [b"2"]


def test_a_guard_drops_what_it_names(caching, inner, kind):
    """A precondition that does not hold makes the next fetch look again."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    (old,) = cache.fetch((), kind, ["a"]).values()
    inner.commit(put(kind, "a", b"2"))

    with pytest.raises(errors.Conflict):
        cache.commit(Batch((), [Check(kind, "a", old.version)]))
    assert bodies(cache, kind, "a") == [b"2"]


def test_fresh_passes_by_and_renews(caching, inner, kind):
    """A fresh fetch sees what others wrote or removed, and so does every fetch after it."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    bodies(cache, kind, "a")
    inner.commit(put(kind, "a", b"2"))

    assert bodies(cache, kind, "a") == [b"1"]
    assert bodies(cache, kind, "a", fresh=True) == [b"2"]
    assert bodies(cache, kind, "a") == [b"2"]
    inner.commit(Batch((), [Delete(kind, "a")]))
    assert bodies(cache, kind, "a", fresh=True) == []
    assert bodies(cache, kind, "a") == []


def test_the_time_to_live_ends(caching, inner, kind, time):
    """What another process wrote is seen when the time to live is over."""
    cache = caching(ttl=60)
    inner.commit(put(kind, "a", b"1"))
    bodies(cache, kind, "a")
    inner.commit(put(kind, "a", b"2"))

    time.advance(59)
    assert bodies(cache, kind, "a") == [b"1"]
    time.advance(1)
    assert bodies(cache, kind, "a") == [b"2"]


def test_the_least_used_goes_first(caching, inner, kind):
    """Above the limit the document goes that was not asked for longest."""
    cache = caching(max_entries=2)
    for name in "abc":
        inner.commit(put(kind, name, b"1"))
    for name in ("a", "b", "a", "c"):
        bodies(cache, kind, name)

    before = inner.fetched
    bodies(cache, kind, "a", "c")
    assert inner.fetched == before
    bodies(cache, kind, "b")
    assert inner.fetched == before + 1


def test_what_was_fetched_during_a_commit_is_not_kept(caching, inner, kind):
    """A commit in the middle of a fetch makes its answer old; it is given, but not remembered."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))

    def commit_once():
        inner.meanwhile = lambda: None
        cache.commit(put(kind, "a", b"2"))

    inner.meanwhile = commit_once
    assert bodies(cache, kind, "a") == [b"1"]
    assert bodies(cache, kind, "a") == [b"2"]


def test_what_was_fetched_inside_a_commit_is_not_kept(caching, inner, kind, monkeypatch):
    """A whole fetch while a commit is under way sees the document as it was; afterwards it is asked for again."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    real, seen = inner.commit, []

    def slow(batch):
        seen.extend(bodies(cache, kind, "a"))
        return real(batch)

    monkeypatch.setattr(inner, "commit", slow)
    cache.commit(put(kind, "a", b"2"))
    assert seen == [b"1"]
    assert bodies(cache, kind, "a") == [b"2"]


def test_appends_leave_the_cache_alone(caching, inner, kind, stream):
    """Logging events drops no document."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    bodies(cache, kind, "a")
    cache.commit(Batch((), [Append(stream, b"{}\n")]))
    bodies(cache, kind, "a")
    assert inner.fetched == 1


def test_names_are_checked_as_without_a_cache(caching, kind):
    """A name that no backend takes is refused alike."""
    with pytest.raises(errors.InvalidName):
        caching().fetch((), kind, ["\0"])
    with pytest.raises(errors.InvalidName):
        caching().fetch(("a", "b", "c"), kind, [])


def test_a_closed_or_forked_cache_is_empty(caching, inner, kind):
    """After `close` nothing is answered any more, and a child of a fork begins anew."""
    cache = caching()
    inner.commit(put(kind, "a", b"1"))
    bodies(cache, kind, "a")
    cache.forget()
    bodies(cache, kind, "a")
    assert inner.fetched == 2
    cache.close()
    with pytest.raises(errors.Closed):
        cache.fetch((), kind, ["a"])
