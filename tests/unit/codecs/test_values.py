"""Values from outside become JSON, or are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.codecs.values import decode_value, encode_value
from prodigy_storage.errors import InvalidValue

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
_VALUES = st.recursive(
    _SCALARS | _TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)
)


@given(_VALUES)
def test_every_json_value_comes_back(value):
    """Whatever its form, flat or nested, in compact UTF-8."""
    encoded = encode_value(value, "the value")
    assert decode_value(encoded) == value
    assert json.loads(encoded) == value
    assert b"\n" not in encoded


@pytest.mark.parametrize(
    "value",
    [
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": float("nan")},
        float("inf"),
        {"a": {1, 2}},
        {"a": object()},
        {(1,): 2},
        b"x",
    ],
    ids=repr,
)
def test_what_is_no_json_is_refused_with_its_name(value):
    """The error says which value it was."""
    with pytest.raises(InvalidValue, match="the value is no JSON"):
        encode_value(value, "the value")
