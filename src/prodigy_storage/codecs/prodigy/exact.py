"""The exact form of values in Prodigy's files, made from the types of the model.

Given the tree of a value, a form returns the tree that Prodigy would write, or says which field holds something
that Prodigy cannot read back. What the type does not name (members of our own, or of others) stays as it is:
Prodigy passes over it.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import attrs

from prodigy_storage.codecs.converter import is_json
from prodigy_storage.codecs.json_text import Unwritable
from prodigy_storage.codecs.prodigy.limits import LIMITS
from prodigy_storage.codecs.prodigy.scalars import (
    Form,
    anything,
    boolean,
    held,
    human,
    number,
    pair,
    refuse,
    single,
    text,
    time,
    timing,
    unsigned,
    whole,
)
from prodigy_storage.errors import InvalidValue
from prodigy_storage.model.dead_letters_signatures import ErrorType
from prodigy_storage.model.prodigy.values import Cases, Human, Single, Whole, Words
from prodigy_storage.model.sessions import Timing
from prodigy_storage.model.values import Duration

T = TypeVar("T")
MAX_DEPTH = 127
"""Levels of nesting that Prodigy reads in a document or a line."""


@lru_cache(maxsize=1024)
def form_of(hint: Any) -> Form:
    """The form of a type of the model."""
    if is_json(hint):
        return anything
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _noted(arguments[0], arguments[1])
    if origin in (typing.Union, types.UnionType):
        return _optional(form_of(next(one for one in arguments if one is not types.NoneType)))
    if origin in (Sequence, tuple, list):
        return _list_of(form_of(arguments[0]))
    if origin is Mapping:
        return _map_of(form_of(arguments[1]))
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _one_of(frozenset(member.value for member in hint))
    return record_of(hint)


def record_of(cls: Any) -> Form:
    """The form of an attrs class: its members in their order, then those that it does not have."""
    hints = typing.get_type_hints(cls, include_extras=True)
    forms = {field.name: form_of(LIMITS.get((cls, field.name), hints[field.name])) for field in attrs.fields(cls)}
    return members_of(forms)


def members_of(forms: Mapping[str, Form]) -> Form:
    """The form of an object with these members; one that is missing stays missing."""

    def form(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            raise refuse(path, value, "is no object")
        tree = {name: held(one, value[name], f"{path}.{name}") for name, one in forms.items() if name in value}
        return {**tree, **{name: member for name, member in value.items() if name not in forms}}

    return form


def _one_of(words: frozenset[str]) -> Form:
    def form(value: Any, path: str) -> str:
        if value not in words:
            raise refuse(path, value, f"is none of {', '.join(sorted(words))}")
        return str(value)

    return form


def _tagged(cases: Cases) -> Form:
    forms = {name: _content(of) for name, of in cases.types.items()}

    def form(value: Any, path: str) -> Any:
        name, content = (value, None) if isinstance(value, str) else next(iter(value.items()))
        if name not in forms or len({} if isinstance(value, str) else value) > 1:
            raise refuse(path, value, f"is none of {', '.join(forms)}")
        inner = forms[name]
        if (inner is None) != isinstance(value, str):
            raise refuse(path, value, "carries nothing" if inner is None else "has to carry something")
        return value if inner is None else {name: held(inner, content, f"{path}.{name}")}

    return form


def _content(of: Any) -> Form | None:
    if of is None:
        return None
    return members_of({name: form_of(one) for name, one in of.items()}) if isinstance(of, Mapping) else form_of(of)


_EXIT_CODE = members_of({"exit_code": whole(Whole(32, signed=True))})
_ERRORS = Cases(
    {
        **dict.fromkeys(("Timeout", "CommitValidationFailed", "WorktreeError", "MergeConflict", "ValidationFailed")),
        **dict.fromkeys(("ResourceExhausted", "Unknown")),
    }
)


def _error_type(value: Any, path: str) -> Any:
    if isinstance(value, Mapping) and value.keys() == {"CommandFailed"}:
        return {"CommandFailed": _EXIT_CODE(value["CommandFailed"], f"{path}.CommandFailed")}
    return _ERROR_NAMES(value, path)


_ERROR_NAMES = _tagged(_ERRORS)


def _noted(base: Any, note: Any) -> Form:
    if isinstance(note, Whole):
        return whole(note)
    if isinstance(note, Cases):
        return _tagged(note)
    if isinstance(note, Words):
        return _one_of(note.words)
    if isinstance(note, Single):
        return single
    return human if isinstance(note, Human) else form_of(base)


def _optional(form: Form) -> Form:
    return lambda value, path: None if value is None else form(value, path)


def _list_of(form: Form) -> Form:
    def elements(value: Any, path: str) -> Any:
        if not isinstance(value, list | tuple):
            raise refuse(path, value, "is no list")
        return [held(form, one, f"{path}[{index}]") for index, one in enumerate(value)]

    return elements


def _map_of(form: Form) -> Form:
    def entries(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            raise refuse(path, value, "is no object")
        return {text(key, path): held(form, value[key], f"{path}.{key}") for key in sorted(value, key=str)}

    return entries


_SIMPLE: dict[Any, Form] = {
    str: text,
    bool: boolean,
    int: unsigned,
    float: number,
    datetime: time,
    Timing: timing,
    Duration: pair,
    ErrorType: _error_type,
}


def depth(tree: Any) -> int:
    """How deeply a tree is nested."""
    levels, layer = 0, [tree]
    while layer := [one for one in layer if isinstance(one, dict | list | tuple)]:
        levels += 1
        layer = [inner for one in layer for inner in (one.values() if isinstance(one, dict) else one)]
    return levels


def exact_tree(hint: Any, tree: Any, name: str) -> Any:
    """The exact form of a value's tree, with an `Unwritable` for each part that Prodigy cannot read back."""
    return held(form_of(hint), tree, name)


def exact(hint: Any, tree: Any, name: str) -> Any:
    """The exact form of a value's tree.

    Raises:
        InvalidValue: Prodigy could not read it back; the error names the field.
    """
    found = exact_tree(hint, shallow(tree, name), name)
    for unwritable in unwritables(found):
        raise unwritable.error
    return found


def unwritables(tree: Any) -> Iterator[Unwritable]:
    """What in an exact tree cannot be written."""
    if isinstance(tree, Unwritable):
        yield tree
    elif isinstance(tree, dict | list):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from unwritables(one)


def shallow(tree: T, name: str) -> T:
    """The tree itself, if Prodigy can read such a deep one.

    Raises:
        InvalidValue: it is nested too deeply.
    """
    if depth(tree) > MAX_DEPTH:
        raise InvalidValue(f"{name} is nested more than {MAX_DEPTH} levels deep, which Prodigy 0.4 cannot read")
    return tree
