"""Values with one part that Prodigy could not read back, or that only looks so."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
from hypothesis import strategies as st

_SPOILT = {
    int: [-1, 2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 10**30],
    float: [math.nan, math.inf, -math.inf, 1e300, -0.0],
    str: ["\ud800", "a\udfff", "90", "-1s", "", "nonsense"],
}


def parts(value, path=()):
    """The path of each number and text inside a value; names of members, positions and keys."""
    if type(value) in _SPOILT:
        yield path
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from parts(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from parts(inner, (*path, key))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from parts(inner, (*path, index))


def part(value, path):
    """What is there."""
    for step in path:
        value = getattr(value, step) if attrs.has(type(value)) else value[step]
    return value


def replaced(value, path, new):
    """The value with another part there."""
    if not path:
        return new
    step, *rest = path
    inner = replaced(part(value, [step]), rest, new)
    if attrs.has(type(value)):
        return attrs.evolve(value, **{step: inner})
    if isinstance(value, Mapping):
        return {**value, step: inner}
    changed = [*value[:step], inner, *value[step + 1 :]]
    return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)


@st.composite
def spoilt(draw, values):
    """A value of the strategy with one part replaced by one that its type allows, but perhaps not its place."""
    value = draw(values)
    found = [path for path in parts(value) if path[-1:] != ("event_type",)]
    if not found:
        return value
    path = draw(st.sampled_from(found))
    return replaced(value, path, draw(st.sampled_from(_SPOILT[type(part(value, path))])))
