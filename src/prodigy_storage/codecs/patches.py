"""Changing the text of a JSON document in those places alone where a value differs.

What is not changed keeps its text: members that nobody knows, the order of keys, a key that stands there twice,
the spelling of numbers, escapes, blanks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat, takewhile
from typing import Any, cast

import attrs

from prodigy_storage.codecs.json_text import write

_scan = cast("Callable[[str, int], tuple[Any, int]]", json.JSONDecoder().scan_once)  # type: ignore[attr-defined]
_quoted = cast("Callable[[str, int], tuple[str, int]]", json.decoder.scanstring)  # type: ignore[attr-defined]
_BLANK = re.compile(r"[ \t\n\r]*")


def patched(text: str, before: object, after: object) -> str:
    """`text` with everything that differs between `before` and `after` changed, and nothing else.

    Args:
        text: A JSON value; blanks around it stay.
        before: What is known of it.
        after: What it shall say.
    """
    start = _skip(text, 0)
    stop = _scan(text, start)[1]
    line = "\n" if "\n" in text[start:stop] else ""
    return text[:start] + _value(text, start, before, after, line) + text[stop:]


def same(one: object, other: object) -> bool:
    """Whether two trees say the same: 1 is neither 1.0 nor true, and 0.0 is not -0.0."""
    kind = type(one)
    if kind in _SCALARS or type(other) in _SCALARS:
        return kind is type(other) and one == other and (kind is not float or str(one) == str(other))
    if isinstance(one, dict | Mapping) and isinstance(other, dict | Mapping):
        return len(one) == len(other) and all(key in other and same(item, other[key]) for key, item in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return kind is type(other) and one == other


_SCALARS = frozenset({str, int, float, bool, type(None)})


@attrs.frozen
class _Item:
    """A member or an element in the text: blanks, [key, colon,] value, blanks."""

    key: str
    lead: str
    head: str
    start: int
    stop: int
    tail: str


def _value(text: str, start: int, before: object, after: object, line: str) -> str:
    """The new text of the value that begins at `start`; `line` is the break and indentation of its line."""
    if same(before, after):
        return text[start : _scan(text, start)[1]]
    if text[start] == "{" and isinstance(before, dict | Mapping) and isinstance(after, dict | Mapping):
        return "{" + _members(list(_items(text, start)), text, before, after, line) + "}"
    if text[start] == "[" and isinstance(before, list | tuple) and isinstance(after, list | tuple):
        items = list(_items(text, start))
        if len(items) == len(before):
            return "[" + _elements(items, text, before, after, line) + "]"
    return _written(after, line)


def _written(value: object, line: str) -> str:
    return write(value, pretty=bool(line), indent=line[1:])


def _members(items: list[_Item], text: str, before: Mapping[str, Any], after: Mapping[str, Any], line: str) -> str:
    inner = _inner(items, line)
    last = {item.key: item for item in items}  # of a repeated key, the last one counts
    kept: list[tuple[_Item, str]] = []
    for item in items:
        if item.key not in after and item.key in before:
            continue
        value = text[item.start : item.stop]
        if item.key in after and last[item.key] is item:
            if item.key in before:
                value = _value(text, item.start, before[item.key], after[item.key], inner)
            else:
                value = _replaced(text, item, after[item.key], inner)
        kept.append((item, item.head + value))
    new = [
        write(key) + (": " if inner else ":") + _written(value, inner)
        for key, value in after.items()
        if key not in last and (key not in before or not same(before[key], value))
    ]
    return _joined(items, kept, new, inner, line)


def _replaced(text: str, item: _Item, value: object, line: str) -> str:
    found, _ = _scan(text, item.start)
    return text[item.start : item.stop] if same(found, value) else _written(value, line)


def _elements(items: list[_Item], text: str, before: Sequence[Any], after: Sequence[Any], line: str) -> str:
    """Elements at the front and at the back that say the same are taken for the same ones."""
    inner = _inner(items, line)
    front = _shared(before, after)
    back = _shared(before[front:][::-1], after[front:][::-1])
    old, wanted = items[front : len(items) - back], after[front : len(after) - back]
    trios = zip(old, before[front:], wanted, strict=False)
    changed = [(item, _value(text, item.start, was, value, inner)) for item, was, value in trios]
    new = [_written(value, inner) for value in wanted[len(old) :]]
    kept = [(item, text[item.start : item.stop]) for item in items]
    tail = kept[len(kept) - back :]
    if tail and new:
        changed += [(attrs.evolve(items[0], tail=""), piece) for piece in new]
        new = []
    return _joined(items, [*kept[:front], *changed, *tail], new, inner, line)


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many elements at the front say the same."""
    return sum(1 for _ in takewhile(bool, map(same, one, other)))


def _joined(items: list[_Item], kept: list[tuple[_Item, str]], new: list[str], inner: str, line: str) -> str:
    """The inside of a container: what stays of its items, and new ones behind them."""
    if not kept and not new:
        return ""
    lead = items[-1].lead if items else inner
    closing = items[-1].tail if items else line
    pieces = [item.lead + piece + (item.tail if item is not items[-1] else "") for item, piece in kept]
    pieces += [lead + piece for piece in new]
    return ",".join(pieces).rstrip(" \t\n\r") + closing


def _inner(items: list[_Item], line: str) -> str:
    """The break and indentation of the lines of a container's items."""
    if not items:
        return f"{line}  " if line else ""
    lead = items[-1].lead
    return lead[lead.rfind("\n") :] if "\n" in lead else ""


def _items(text: str, start: int) -> Iterator[_Item]:
    """What is in the container that begins at `start`."""
    named, closer = text[start] == "{", "}" if text[start] == "{" else "]"
    place = start
    for _ in repeat(None):
        begin = _skip(text, place + 1)
        if text[begin] == closer:  # only an empty container has nothing behind its brace
            return
        key, value = _key(text, begin) if named else ("", begin)
        stop = _scan(text, value)[1]
        end = _skip(text, stop)
        yield _Item(key, text[place + 1 : begin], text[begin:value], value, stop, text[stop:end])
        if text[end] == closer:
            return
        place = end


def _key(text: str, begin: int) -> tuple[str, int]:
    key, stop = _quoted(text, begin + 1)
    return key, _skip(text, _skip(text, stop) + 1)


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place
