"""Tables fit, and show what is in them without obeying it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from prodigy_storage.cli.tables import Column, clean, cut, table

COLUMNS = (
    Column(title="id", cut="middle", least=10),
    Column(title="count", right=True),
    Column(title="text", cut="end", least=6),
)


@given(st.text(max_size=60), st.integers(3, 30), st.sampled_from(["middle", "end"]))
def test_a_cut_text_fits(text, width, where):
    """Whatever its characters, a text is never wider than its column, and whole if it fits."""
    shown = cut(text, width, where)

    assert cell_len(shown) <= width
    assert (shown == text) == (cell_len(text) <= width) or "…" in text


def test_the_middle_is_cut_out_of_an_id():
    """Both ends of an id stay, so that it can be told from its neighbours."""
    assert cut("session-0198aaaabbbbc4e1", 13, "middle") == "sessio…bbc4e1"


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_a_table_fits_its_width(width):
    """Columns that may be cut give way until every line fits."""
    rows = [["x" * 60, "1,234", "some error " * 20], ["short", "1", "none"]]
    lines = [line.plain for line in table(COLUMNS, rows, width)]

    assert all(cell_len(line) <= width for line in lines)
    assert any("1,234" in line for line in lines)


def test_nothing_is_cut_that_fits():
    """With room enough, every cell is whole."""
    lines = [line.plain for line in table(COLUMNS, [["item", "7", "why"]], 80)]

    assert lines == ["  id    count  text", "  item      7  why"]


def test_a_column_that_must_not_be_cut_is_whole():
    """A command to copy is never shortened, however narrow the terminal."""
    (line,) = table((Column(title=""),), [["prodigy-storage sessions show " + "x" * 100]], 40)

    assert line.plain.endswith("x" * 100)


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "bell\a", "\u202eevil", "\x9b2J", "\ud800", "tab\t"])
def test_control_characters_are_shown_not_obeyed(text):
    """What a hostile name holds reaches the terminal escaped."""
    assert clean(text).isprintable()
    assert "\\" in clean(text)


@given(st.text())
def test_clean_text_is_printable(text):
    """No text can carry a control character into a table."""
    assert clean(text).isprintable()
