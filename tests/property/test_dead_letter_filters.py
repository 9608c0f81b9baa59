"""The filter language: equal to the naive question, strict about everything else."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prodigy_storage.codecs.filters import compiled
from prodigy_storage.errors import InvalidFilter
from prodigy_storage.model.dead_letters import DeadLetter, Failure
from prodigy_storage.model.dead_letters_signatures import error_type_of

NOW = datetime(2025, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
QUOTABLE = st.text("abcxyz .-é'&|()=contains", max_size=10)


def letter(data=None, message="timeout in /tmp/x", count=1, **more):
    failure = Failure(
        attempt_number=1, timestamp=NOW, error_type=error_type_of(message), error_message=message, session_id="s"
    )
    return attrs.evolve(DeadLetter.of("item_1", data, [failure]), failure_count=count, **more)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


OPERATORS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@settings(max_examples=60)
@given(st.integers(0, 9), st.integers(0, 9), st.sampled_from(list(OPERATORS)), st.booleans(), st.booleans())
def test_comparisons_and_logic_are_the_usual_ones(count, bound, operator, eligible, wanted):
    """`&&` binds closer than `||`, brackets and negation work, numbers compare as numbers."""
    one = letter(count=count, reprocess_eligible=eligible)
    compared = OPERATORS[operator](count, bound)
    text = f"failure_count {operator} {bound}"
    flag = "true" if wanted else "false"
    assert compiled(text)(one) == compared
    assert compiled(f"{text} || reprocess_eligible && {flag}")(one) == (compared or (eligible and wanted))
    assert compiled(f"({text} || reprocess_eligible) && {flag}")(one) == ((compared or eligible) and wanted)
    assert compiled(f"!({text}) && reprocess_eligible == {flag}")(one) == (not compared and eligible == wanted)


@settings(max_examples=80)
@given(QUOTABLE, QUOTABLE)
@example("a contains b", "contains")
@example("x == y", "==")
def test_contains_is_the_substring_question(whole, part):
    """Infix and method form are one, and what stands inside quotes is never taken for an operator."""
    one = letter({"text": whole})
    infix = f"item.text contains {quoted(part)}"
    assert compiled(infix)(one) == (part in whole)
    assert compiled(f"item.text.contains({quoted(part)})")(one) == (part in whole)
    assert compiled(f"!({infix}) || item.text == {quoted(whole)}")(one)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(-5, 5), TEXT, st.booleans(), st.none())))
def test_values_of_other_types_are_never_compared(data):
    """A comparison with a number is answered for numbers and null, and an error for anything else."""
    one = letter(data)
    for name in "abc":
        text = f"item.{name} == 3"
        value = data.get(name)
        if name not in data or isinstance(value, str | bool):
            with pytest.raises(InvalidFilter, match="item_1"):
                compiled(text)(one)
        else:
            assert compiled(text)(one) == (value == 3)
        if not isinstance(value, str | bool):
            assert compiled(f"has(item.{name}) && {text}")(one) == (value == 3)


@settings(max_examples=200)
@given(st.text("()[]{}'\"=!<>&|.,? \\abitem_contains1 \n/", max_size=30))
@example(") == (")
@example("(" * 3000)
@example("item_id == 'a")
@example("item_id == 'a' // item_id == 3")
@example("a" * 100_000)
def test_any_text_is_a_filter_or_a_typed_error(text):
    """Nothing but an answer or `InvalidFilter` comes back, whatever is typed."""
    answer = None
    with contextlib.suppress(InvalidFilter):
        answer = compiled(text)(letter({"a": 1}))
    assert answer in (None, True, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be parsed"),
        ("failure_count >", "cannot be parsed"),
        ("failure_count = 3", "cannot be parsed"),
        ("a b c", "cannot be parsed"),
        ("nothing == 1", "nothing, which is unknown"),
        ("false && nothing", "nothing, which is unknown"),
        ("nothing(item)", "nothing.., which is unknown"),
        ("failure_count == '3'", "compares a number .1. with text"),
        ("failure_count != '3'", "compares a number"),
        ("reprocess_eligible == 'true'", "compares true or false"),
        ("failure_count > '3'", "types of its operands"),
        ("item.a > 'x'", "types of its operands"),
        ("item.b == 1", "no member 'b'; ask for it first: has"),
        ("failure_count", "neither true nor false"),
        ("error_signature contains 3", "item_1"),
        ("first_attempt > '2024'", "types of its operands"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(text, reason):
    """What cannot be parsed, names something unknown or mixes types is an error that explains itself."""
    with pytest.raises(InvalidFilter, match=reason):
        compiled(text)(letter({"a": 1}))


@pytest.mark.parametrize(
    "text",
    [
        "error_signature contains 'timeout'",
        "error_type == 'Timeout' && error_message.startsWith('timeout')",
        "item.list.exists(x, x == 2) && item.deep.kind in ['a', 'b']",
        "item_id.matches('^item_[0-9]+$')",
        "first_attempt > timestamp('2024-12-31T00:00:00Z') && last_attempt - first_attempt < duration('1h')",
        "!manual_review_required && size(item.list) == 3",
        "item.a == 1.0 && item.none == null && item['a'] != 2",
        "(item.a == 1 ? item.deep.kind : 'z') == 'a'",
        "item.big > 1",
    ],
)
def test_what_the_language_can_say(text):
    """Fields, members, functions, lists, times and null are all at hand."""
    data = {"a": 1, "list": [1, 2, 3], "deep": {"kind": "a"}, "none": None, "big": 2**70}
    assert compiled(text)(letter(data))


def test_times_are_compared_as_times():
    """A letter of another hour is told apart."""
    later = letter(first_attempt=NOW + timedelta(hours=2), last_attempt=NOW + timedelta(hours=2))
    matches = compiled("last_attempt >= timestamp('2025-01-01T01:00:00Z')")
    assert (matches(letter()), matches(later)) == (False, True)
