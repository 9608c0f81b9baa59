import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.adapters.files.names import decode, encode
from prodigy_storage.errors import InvalidName

NAMES = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=60)


@given(NAMES)
def test_a_name_comes_back_from_its_file_name(name):
    """Encoding is reversible, and the result is one plain, unhidden path component."""
    encoded = encode(name)
    assert decode(encoded) == name
    assert "/" not in encoded
    assert "\0" not in encoded
    assert not encoded.startswith((".", " "))
    assert not encoded.endswith((".", " "))
    assert unicodedata.normalize("NFC", encoded) == encoded


@given(NAMES, NAMES)
def test_two_names_never_share_a_file_name(one, other):
    """Different names have different file names."""
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("map-checkpoint-1.2", "map-checkpoint-1.2"),
        ("Größe 7 中文", "Größe 7 中文"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("a*?\"'", "a%2A%3F%22%27"),
        ("end. ", "end.%20"),
        (" x", "%20x"),
        ("e\u0301", "e%CC%81"),
        ("a\nb", "a%0Ab"),
    ],
)
def test_the_file_names_are_as_documented(name, file_name):
    """Plain names stay as they are, everything that a path or a shell could misread is escaped."""
    assert encode(name) == file_name


def test_a_reserved_file_name_is_escaped():
    """A name that means something else in its place is escaped and still comes back."""
    encoded = encode("archive", reserved=frozenset({"archive"}))
    assert encoded == "%61rchive"
    assert decode(encoded) == "archive"


@pytest.mark.parametrize("file_name", ["%ZZ", "a%2fb", "%C3", "a%41", "a:b", "x.", "%"])
def test_a_file_name_that_nothing_encodes_to_stands_for_no_name(file_name):
    """What this encoder would not have written is nobody's name."""
    assert decode(file_name) is None


def test_a_file_name_that_is_too_long_is_refused():
    """Above 255 bytes with its suffix a name is no file name."""
    assert encode("a" * 250, ".json")
    with pytest.raises(InvalidName):
        encode("a" * 251, ".json")
    with pytest.raises(InvalidName):
        encode("/" * 100)
