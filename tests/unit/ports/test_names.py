from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.errors import InvalidName
from prodigy_storage.ports.names import MAX_NAME_BYTES, check_name, check_scope


@pytest.mark.parametrize(
    "name",
    ["a", "..", ".", "a/b", "/etc/passwd", "C:\\x", "CON", " ", "a\nb", "%2e", "Straße", "日本", "x" * 250, "é" * 125],
)
def test_any_text_is_a_name(name):
    """A name is any text of the right length; what a backend cannot take as it is, it encodes."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "0 bytes"),
        ("x" * 251, "251 bytes"),
        ("é" * 126, "252 bytes"),
        ("a\0b", "NUL"),
        ("\0", "NUL"),
        ("a\ud800", "surrogate at 1"),
        (7, "not int"),
        (None, "not NoneType"),
        (b"a", "not bytes"),
    ],
    ids=repr,
)
def test_what_is_no_name_is_refused_with_the_reason(name, reason):
    """Empty, too long, with NUL or a lone surrogate, or no text at all: refused, and the message says why."""
    with pytest.raises(InvalidName, match=reason):
        check_name(name)


def test_a_long_name_is_cut_in_the_message():
    """A hostile name of a megabyte does not fill the log."""
    with pytest.raises(InvalidName) as caught:
        check_name("x" * 1_000_000)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=300))
def test_the_rule_is_what_it_says(name):
    """A text is a name exactly if it has 1 to 250 bytes and no NUL."""
    allowed = 1 <= len(name.encode()) <= MAX_NAME_BYTES and "\0" not in name
    try:
        check_name(name)
    except InvalidName:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize("scope", [(), ("repo",), ("repo", "job"), ("..", "a/b")])
def test_a_scope_has_up_to_two_names(scope):
    """The whole store, a project or a job."""
    assert check_scope(scope) == scope


@pytest.mark.parametrize("scope", [("a", "b", "c"), ("",), ("a", ""), ("a", "b\0"), "ab", None, (1,)], ids=repr)
def test_what_is_no_scope_is_refused(scope):
    """More than two names, a name that is none, or no tuple."""
    with pytest.raises(InvalidName):
        check_scope(scope)
