"""From the wishes of the state machine to operations that fit what the model holds."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from prodigy_storage.ports.names import Scope
from prodigy_storage.ports.storage import (
    Append,
    Check,
    Cursor,
    Delete,
    Expect,
    Expectation,
    Operation,
    Put,
    Stream,
    Trim,
    Version,
)
from prodigy_storage.testing.oracle import Key, Oracle
from prodigy_storage.testing.wishes import Change, Cut, Growth, Wish


@attrs.define(eq=False)
class Mark:
    """A cursor that was taken, and the number of the record that it should give next."""

    stream: Stream
    scope: Scope
    position: int
    cursor: Cursor


def operations_for(wishes: Sequence[Wish], scope: Scope, oracle: Oracle, marks: Sequence[Mark]) -> list[Operation]:
    """The operations wished for, the first for each document and stream."""
    operations: dict[object, Operation] = {}
    for wish in wishes:
        if isinstance(wish, Change):
            operations.setdefault((wish.kind.name, wish.id), _change(wish, scope, oracle))
        elif isinstance(wish, Growth):
            data = oracle.tape(wish.stream, scope).next_records(wish.ats, wish.text)
            operations.setdefault(wish.stream.name, Append(wish.stream, data))
        else:
            operations.setdefault(wish.stream.name, Trim(wish.stream, _before(wish, scope, marks)))
    return list(operations.values())


def _change(wish: Change, scope: Scope, oracle: Oracle) -> Operation:
    expect = _expectation((wish.kind.name, scope, wish.id), wish.expect, oracle)
    if wish.verb == "put":
        return Put(wish.kind, wish.id, wish.body, expect)
    return (Delete if wish.verb == "delete" else Check)(wish.kind, wish.id, expect)


def _expectation(key: Key, word: str, oracle: Oracle) -> Expectation:
    current = oracle.version(key)
    if word in ("any", "absent"):
        return Expect(word)
    if word == "right":
        return Expect.ABSENT if current is None else Version(current)
    past = [version for _, version in oracle.history.get(key, []) if version != current]
    if word == "stale" and past:
        return Version(past[-1])
    others = [version for other, (_, version) in oracle.documents.items() if other != key]
    return Version(others[0] if others else "no version")


def _before(wish: Cut, scope: Scope, marks: Sequence[Mark]) -> Cursor | int:
    fitting = [mark.cursor for mark in marks if (mark.stream, mark.scope) == (wish.stream, scope)]
    return wish.before if wish.cursor is None or not fitting else fitting[wish.cursor % len(fitting)]


def let_go(trim: Trim, scope: Scope, oracle: Oracle, marks: Sequence[Mark]) -> tuple[Stream, set[int]]:
    """The stream of a trim, and the numbers of the records that it lets go."""
    if isinstance(trim.before, int):
        return trim.stream, oracle.tape(trim.stream, scope).older(trim.before)
    taken = (trim.stream, scope, trim.before)
    passed = max(mark.position for mark in marks if (mark.stream, mark.scope, mark.cursor) == taken)
    return trim.stream, set(range(passed))
