"""What the checker can say about a value. A rule is called with a node and its path, and raises an `Offence`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .checker_text import Offence

DEEPEST = 127


@dataclass(frozen=True)
class Field:
    """A member of a document: its rule, and whether it may be missing."""

    rule: Any
    missing: bool = False
    trailing: bool = False  # may also be missing at the end of a document that is written as an array


def maybe(rule):
    """May be missing or null."""
    return Field(lambda node, path: None if node.form == "null" else rule(node, path), missing=True)


def default(rule):
    """May be missing, but not null."""
    return Field(rule, missing=True, trailing=True)


def nullable_default(rule):
    """May be missing or null, and has a default of its own."""
    return Field(maybe(rule).rule, missing=True, trailing=True)


def wanted(node, path, *forms):
    if node.form not in forms:
        raise Offence(path, f"{node.form} instead of {' or '.join(forms)}")


def text(node, path):
    """A text; a lone surrogate cannot be one."""
    wanted(node, path, "text")
    if any("\ud800" <= letter <= "\udfff" for letter in node.content):
        raise Offence(path, "a lone surrogate")


def boolean(node, path):
    wanted(node, path, "boolean")


def whole(low, high):
    """A number without fraction and exponent in these bounds; `-0` is a float to the program."""

    def rule(node, path):
        wanted(node, path, "number")
        if not re.fullmatch(r"-?\d+", node.content) or node.content == "-0":
            raise Offence(path, f"{node.content} is not written as an integer")
        if not low <= int(node.content) <= high:
            raise Offence(path, f"{node.content} is not in {low} to {high}")

    return rule


U32 = whole(0, 2**32 - 1)
U64 = whole(0, 2**64 - 1)
I32 = whole(-(2**31), 2**31 - 1)


def real(node, path):
    """Any number that a float of 64 bits can hold."""
    wanted(node, path, "number")
    if abs(float(node.content)) == float("inf"):
        raise Offence(path, f"{node.content} is too large")


def anything(node, path):
    """A free-form value: its texts, numbers and nesting must still be what the parser takes."""
    todo = [(node, path)]
    while todo:
        node, path = todo.pop()  # the values below take the place of their container
        if node.form == "text":
            text(node, path)
        elif node.form == "number":
            real(node, path)
        elif node.level > DEEPEST:
            raise Offence(path, f"nested more than {DEEPEST} levels deep")
        elif node.form == "array":
            todo += [(value, f"{path}[{index}]") for index, value in enumerate(node.content)]
        elif node.form == "object":
            todo += [(value, member(path, key)) for key, value in node.content]


def member(path, key):
    """The path of a member; the key must be a text like any other."""
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        raise Offence(path, "a lone surrogate in a key")
    return f"{path}.{key}" if path else key


def listed(rule):
    def check(node, path):
        wanted(node, path, "array")
        for index, value in enumerate(node.content):
            rule(value, f"{path}[{index}]")

    return check


def couple(rule):
    """Exactly two of a kind."""

    def check(node, path):
        listed(rule)(node, path)
        if len(node.content) != 2:
            raise Offence(path, "not two elements")

    return check


def mapped(rule, key_rule=None):
    """Any keys; the last of equal ones wins, but all are read."""

    def check(node, path):
        wanted(node, path, "object")
        for key, value in node.content:
            where = member(path, key)
            if key_rule:
                key_rule(key, where)
            rule(value, where)

    return check


def integer_key(key, path):
    if not re.fullmatch(r"0|-?[1-9]\d*", key) or abs(int(key)) >= 2**31:
        raise Offence(path, "the key is no integer")


def struct(**fields):
    """Known members once each, required ones there; members that are not known are skipped unread."""
    return Struct({name: field if isinstance(field, Field) else Field(field) for name, field in fields.items()})


@dataclass(frozen=True)
class Struct:
    """A rule with the members of a document in their order, which counts when it is written as an array."""

    table: dict

    def __call__(self, node, path):
        wanted(node, path, "object", "array")
        if node.form == "array":
            self.in_order(node.content, path)
        else:
            self.by_name(node.content, path)

    def by_name(self, pairs, path):
        seen = set()
        for key, value in pairs:
            where = member(path, key)
            if key in seen:
                raise Offence(where, "a second time")
            if key in self.table:
                seen.add(key)
                self.table[key].rule(value, where)
        for name, field in self.table.items():
            if name not in seen and not field.missing:
                raise Offence(member(path, name), "missing")

    def in_order(self, elements, path):
        if len(elements) > len(self.table):
            raise Offence(path, "too many elements")
        for (name, field), value in zip_longest(self.table.items(), elements):
            if value is not None:
                field.rule(value, member(path, name))
            elif not field.trailing:
                raise Offence(member(path, name), "missing")


def enum(*names, **contents):
    """A name, or an object whose only member is a name with its content."""

    def check(node, path):
        wanted(node, path, "text", "object")
        if node.form == "text":
            text(node, path)
            if node.content not in names:
                raise Offence(path, f"{node.content!r} is none of {', '.join(names)}")
            return
        if len(node.content) != 1:
            raise Offence(path, "not exactly one member")
        key, value = node.content[0]
        where = member(path, key)
        if key in names:
            wanted(value, where, "null")
        elif key in contents:
            contents[key](value, where)
        else:
            raise Offence(where, "no such variant")

    return check


def tagged(tag, variants):
    """An object that names its variant; the program takes it in whole before it looks at the members."""

    def check(node, path):
        wanted(node, path, "object", "array")
        anything(node, path)
        if node.form == "array":
            if not node.content:
                raise Offence(path, "empty")
            variant(node.content[0], path)(type(node)("array", node.content[1:], node.level), path)
            return
        tags = [value for key, value in node.content if key == tag]
        if len(tags) != 1:
            raise Offence(member(path, tag), "a second time" if tags else "missing")
        rest = [pair for pair in node.content if pair[0] != tag]
        variant(tags[0], path)(type(node)("object", rest, node.level), path)

    def variant(node, path):
        text(node, member(path, tag))
        if node.content not in variants:
            raise Offence(member(path, tag), f"unknown: {node.content!r}")
        return variants[node.content]

    return check


def either(*rules):
    """The first rule that fits; the value is taken in whole before that."""

    def check(node, path):
        anything(node, path)
        reasons = []
        for rule in rules:
            try:
                return rule(node, path)
            except Offence as offence:
                reasons.append(str(offence))
        raise Offence(path, f"fits nothing: {'; '.join(reasons)}")

    return check


texts = listed(text)
values = mapped(anything)
texts_by_name = mapped(text)
