"""Rows as CSV and as Markdown."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from prodigy_storage.codecs.tabular import csv_lines, markdown_lines

_CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@given(st.lists(st.lists(_CELL, min_size=2, max_size=2)))
def test_csv_is_read_back_by_the_standard_reader(rows):
    """Whatever the cells hold, except that a formula is disarmed."""
    text = "".join(csv_lines(["a", "b"], rows))
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in read[1:]] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]


def test_a_formula_is_disarmed():
    """A spreadsheet shows it instead of running it."""
    assert list(csv_lines(["x"], [["=1+1"], ["-5"], [-5]])) == ["x\r\n", "'=1+1\r\n", "'-5\r\n", "-5\r\n"]


def test_markdown_stays_one_table():
    """Bars and line breaks inside a cell do not end it."""
    assert list(markdown_lines(["a", "b"], [["x|y", "one\ntwo"], [None, 3]])) == [
        "| a | b |\n",
        "| --- | --- |\n",
        "| x\\|y | one two |\n",
        "|  | 3 |\n",
    ]
