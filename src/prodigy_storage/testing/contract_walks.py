"""Clauses C8, C9, C10, C13 and C14 for documents: what a walk gives."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import product

import pytest

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Batch,
    Delete,
    Document,
    Durability,
    Kind,
    Operation,
    Position,
    Put,
    Query,
    Storage,
)
from prodigy_storage.testing.base import Contract
from prodigy_storage.testing.samples import (
    BLOB,
    LOG,
    NOTE,
    PAGES,
    SCOPES,
    TRAIL,
    body_of,
    index_note,
    line,
    note,
    numbers,
    walk,
)

COLOURS = ("red", "blue", "")
SHAPES = ("round", "flat")


class WalkContract(Contract):
    """What a walk over documents gives."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
    def test_c08_a_walk_is_complete_ordered_and_without_repeats(self, storage: Storage, limit: int) -> None:
        """Pages of any size give every document once, by time, scope and id, many of them at one time."""
        expected = _fill(storage)
        found = list(walk(storage, Query(NOTE, limit=limit)))
        assert [(index_note(document.body).at, document.scope, document.id) for document in found] == sorted(expected)

    def test_c08_names_are_ordered_by_code_points(self, storage: Storage) -> None:
        """Documents of one time come in the order of code points, whatever a locale or UTF-16 would say."""
        names = ["B", "a", "A", "Z", "z", "é", "e", "zz", "\uffee", "\U0001f469", "10", "9", "_", "a b"]
        storage.commit(Batch((), [Put(NOTE, name, note()) for name in names]))
        assert [document.id for document in walk(storage, Query(NOTE, limit=4))] == sorted(names)

    def test_c08_times_are_ordered_as_numbers(self, storage: Storage) -> None:
        """Times before 1970, and those with many digits, take their place as numbers."""
        times = [-1, 0, 9, 10, -62_135_596_800_000_000, 253_402_300_799_999_999, 2**53 + 1, 2**53]
        storage.commit(Batch((), [Put(NOTE, f"n{n}", note(at=at)) for n, at in enumerate(times)]))
        found = [index_note(document.body).at for document in walk(storage, Query(NOTE, limit=3))]
        assert found == sorted(times)
        since = [index_note(document.body).at for document in walk(storage, Query(NOTE, since=0, until=2**53 + 1))]
        assert since == [0, 9, 10, 2**53]

    def test_c08_a_document_moves_with_its_time(self, storage: Storage) -> None:
        """A document that is put again with another time and other tags is found there, and only there."""
        storage.commit(Batch((), [Put(NOTE, id_, note(at=5, tags={"colour": "red"})) for id_ in "abc"]))
        storage.commit(Batch((), [Put(NOTE, "a", note(at=9, tags={"colour": "blue"}))]))
        assert [document.id for document in walk(storage, Query(NOTE, limit=1))] == ["b", "c", "a"]
        assert _ids(walk(storage, Query(NOTE, tags={"colour": "red"}))) == ["b", "c"]
        assert _ids(walk(storage, Query(NOTE, tags={"colour": "blue"}))) == ["a"]
        assert _ids(walk(storage, Query(NOTE, until=9))) == ["b", "c"]

    def test_c08_a_walk_can_start_anywhere(self, storage: Storage) -> None:
        """`after` need not be a document that exists, and behind the last one there is nothing."""
        storage.commit(Batch(("shop",), [Put(NOTE, id_, note(at=5)) for id_ in "ace"]))
        for after, expected in [
            (Position(5, ("shop",), "b"), ["c", "e"]),
            (Position(5, ("shop",), "c"), ["e"]),
            (Position(5, (), "zzz"), ["a", "c", "e"]),
            (Position(5, ("shop", "job"), "a"), []),
            (Position(4, ("zzz",), "zzz"), ["a", "c", "e"]),
            (Position(6, (), "a"), []),
        ]:
            assert _ids(walk(storage, Query(NOTE), after)) == expected
            page = storage.documents(Query(NOTE, limit=1), after)
            assert _ids(page.documents) == expected[:1]

    def test_c09_filters_equal_the_naive_filter(self, storage: Storage) -> None:
        """Scope prefixes, tags and half-open time ranges, in every combination, give what a plain loop gives."""
        _fill(storage)
        whole = list(walk(storage, Query(NOTE)))
        tags = [{}, {"colour": "red"}, {"colour": ""}, {"shape": "flat"}, {"colour": "blue", "shape": "round"}]
        ranges = [(None, None), (2, None), (None, 2), (1, 3), (2, 2), (3, 1), (-5, 99)]
        for scope, wanted, (since, until) in product([*SCOPES, ("missing",)], tags, ranges):
            query = Query(NOTE, scope, wanted, since, until, limit=5)
            assert list(walk(storage, query)) == [document for document in whole if _matches(query, document)]

    def test_c09_a_tag_that_is_missing_equals_nothing(self, storage: Storage) -> None:
        """A document without a tag is not found by any value of it, not even by the empty one."""
        storage.commit(Batch((), [Put(NOTE, "bare", note()), Put(NOTE, "empty", note(tags={"colour": ""}))]))
        assert _ids(walk(storage, Query(NOTE, tags={"colour": ""}))) == ["empty"]
        assert _ids(walk(storage, Query(NOTE, tags={"shape": ""}))) == []
        assert _ids(walk(storage, Query(NOTE, tags={"colour": "None"}))) == []

    def test_c10_documents_untouched_during_a_walk_are_seen(self, storage: Storage) -> None:
        """While others are put, moved and deleted between the pages, every untouched document is seen once."""
        storage.commit(Batch((), [Put(NOTE, f"n{n:02}", note(at=n // 4)) for n in range(40)]))
        untouched = {f"n{n:02}" for n in range(40) if n % 3 == 0}
        seen, after, turn = [], None, 0
        for turn in range(PAGES):
            page = storage.documents(Query(NOTE, limit=3), after)
            seen += [document.id for document in page.documents]
            after = page.next
            if after is None:
                break
            touched = f"n{(turn * 3 + 1) % 40:02}" if (turn * 3 + 1) % 3 else "n01"
            storage.commit(Batch((), [Delete(NOTE, touched), Put(NOTE, f"m{turn}", note(at=turn % 10))]))
            if turn < 12:
                storage.commit(Batch((), [Put(NOTE, f"n{turn * 3 + 2:02}", note(at=10 - turn))]))
        assert turn < PAGES - 1
        assert sorted(id_ for id_ in seen if id_ in untouched) == sorted(untouched)

    def test_c13_an_unfinished_walk_blocks_no_writer(self, storage: Storage) -> None:
        """Between the pages of a walk and the chunks of a stream, another thread commits."""
        storage.commit(Batch((), [Put(NOTE, id_, note()) for id_ in "abc"]))
        storage.commit(Batch((), [Append(LOG, line(1))]))
        page, chunk = storage.documents(Query(NOTE, limit=1)), storage.records((), LOG)
        writer = threading.Thread(
            target=lambda: storage.commit(Batch((), [Put(NOTE, "d", note()), Append(LOG, line(2))])), daemon=True
        )
        writer.start()
        writer.join(60)
        assert not writer.is_alive()
        assert _ids(walk(storage, Query(NOTE, limit=1), page.next)) == ["b", "c", "d"]
        assert numbers(storage, (), LOG, chunk.cursor)[0] == [2]

    def test_c13_walks_hold_while_others_write(self, storage: Storage) -> None:
        """A thread that walks and reads again and again beside a writer always sees what was there before."""
        storage.commit(Batch((), [Put(NOTE, f"a{n}", note(at=n)) for n in range(10)]))
        done = threading.Event()

        def write() -> None:
            for n in range(60):
                operations: list[Operation] = [Put(NOTE, f"b{n % 7}", note(at=n % 10)), Append(LOG, line(n))]
                storage.commit(Batch((), operations, Durability.OS))
            done.set()

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        while True:
            last = done.wait(0)
            found = _ids(walk(storage, Query(NOTE, limit=4)))
            assert [id_ for id_ in found if id_.startswith("a")] == [f"a{n}" for n in range(10)]
            read = numbers(storage)[0]
            assert read == list(range(len(read)))
            if last or not writer.is_alive():
                break
        writer.join(60)
        assert numbers(storage)[0] == list(range(60))

    def test_c14_documents_stay_in_their_scope(self, storage: Storage) -> None:
        """The same kind and id in several scopes are several documents; deleting one leaves the others."""
        for scope in SCOPES:
            storage.commit(Batch(scope, [Put(NOTE, "same", note(repr(scope))), Put(BLOB, "same", b"blob")]))
        storage.commit(Batch(("shop", "job"), [Delete(NOTE, "same")]))
        rest = [scope for scope in SCOPES if scope != ("shop", "job")]
        assert {scope: body_of(storage, scope, NOTE, "same") for scope in SCOPES} == {
            scope: note(repr(scope)) if scope in rest else None for scope in SCOPES
        }
        assert list(storage.scopes(NOTE)) == sorted(rest)
        assert list(storage.scopes(BLOB)) == sorted(SCOPES)

    def test_c14_a_scope_prefix_is_made_of_whole_names(self, storage: Storage) -> None:
        """A query for a project finds the project and its jobs, and no project whose name begins alike."""
        for scope in [(), ("shop",), ("shop", "job"), ("shops",), ("sho",), ("shop/job",), ("job", "shop")]:
            storage.commit(Batch(scope, [Put(NOTE, "same", note())]))
        found = [document.scope for document in walk(storage, Query(NOTE, ("shop",)))]
        assert found == [("shop",), ("shop", "job")]
        assert [document.scope for document in walk(storage, Query(NOTE, ("shop", "job")))] == [("shop", "job")]

    def test_c14_kinds_and_streams_do_not_mix(self, storage: Storage) -> None:
        """Neither a walk nor `scopes` nor a delete reaches another kind, or a stream of the same name."""
        twin = Kind(LOG.name, index_note)
        storage.commit(Batch((), [Put(NOTE, "a", note()), Put(BLOB, "b", b""), Put(twin, "c", note())]))
        storage.commit(Batch(("shop",), [Append(LOG, line(1))]))
        assert [_ids(walk(storage, Query(kind))) for kind in (NOTE, BLOB, twin)] == [["a"], ["b"], ["c"]]
        assert [list(storage.scopes(of)) for of in (twin, LOG, TRAIL)] == [[()], [("shop",)], []]
        storage.commit(Batch((), [Delete(BLOB, "a"), Delete(twin, "b")]))
        assert [_ids(walk(storage, Query(kind))) for kind in (NOTE, BLOB, twin)] == [["a"], ["b"], ["c"]]

    def test_c14_a_scope_without_documents_is_not_listed(self, storage: Storage) -> None:
        """`scopes` of a kind forgets a scope with its last document."""
        storage.commit(Batch(("shop", "job"), [Put(NOTE, "a", note()), Put(NOTE, "b", note())]))
        storage.commit(Batch(("shop", "job"), [Delete(NOTE, "a")]))
        assert list(storage.scopes(NOTE)) == [("shop", "job")]
        storage.commit(Batch(("shop", "job"), [Delete(NOTE, "b")]))
        assert list(storage.scopes(NOTE)) == []


def _fill(storage: Storage) -> list[tuple[int, Scope, str]]:
    """Put documents with all mixtures of tags into every scope, several at each time."""
    keys = []
    for s, scope in enumerate(SCOPES):
        puts = []
        for n, (colour, shape) in enumerate(product((*COLOURS, None), (*SHAPES, None))):
            tags = {"colour": colour, "shape": shape}
            at = (n * 7 + s) % 5
            keys.append((at, scope, f"id-{n}"))
            puts.append(Put(NOTE, f"id-{n}", note(at=at, tags={k: v for k, v in tags.items() if v is not None})))
        storage.commit(Batch(scope, puts, Durability.OS))
    return keys


def _matches(query: Query, document: Document) -> bool:
    index = index_note(document.body)
    return (
        document.scope[: len(query.scope)] == query.scope
        and all(index.tags.get(tag) == value for tag, value in query.tags.items())
        and (query.since is None or index.at >= query.since)
        and (query.until is None or index.at < query.until)
    )


def _ids(documents: Iterable[Document]) -> list[str]:
    return [document.id for document in documents]
