"""Tables that fit: no lines, numbers to the right, what is too long is cut where the column allows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs
from rich.cells import cell_len
from rich.text import Text

Cell: TypeAlias = str | tuple[str, str]
"""A text, or a text with its style."""

GAP = 2


@attrs.frozen(kw_only=True)
class Column:
    """How one column behaves.

    Args:
        title: Above it.
        right: Whether it is aligned right.
        cut: Where a text that is too long loses characters: `middle`, `end`, or empty for nowhere.
        least: The width, in cells, below which it is not cut.
    """

    title: str
    right: bool = False
    cut: str = ""
    least: int = 8


def clean(text: str) -> str:
    """The text on one line, with everything escaped that a terminal would obey instead of showing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def cut(text: str, width: int, where: str = "end") -> str:
    """The text in at most `width` cells; what is missing is marked by an ellipsis."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2 if where == "middle" else 0
    return f"{_head(text, width - 1 - tail)}…{_head(text[::-1], tail)[::-1]}"


def _head(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:index]
    return text


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, indent: int = 2) -> list[Text]:
    """The lines of a table: the titles, if there are any, and the rows."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = _widths(columns, cells, width - indent)
    lines = [_line(columns, [(column.title, "dim") for column in columns], widths, indent)]
    lines.extend(_line(columns, row, widths, indent) for row in cells)
    return lines if any(column.title for column in columns) else lines[1:]


def _cell(cell: Cell) -> tuple[str, str]:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return clean(text), style


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, str]]], width: int) -> list[int]:
    """What each column needs; those that may be cut give, the widest first, until all fit."""
    widths = [
        max([cell_len(column.title), *(cell_len(row[index][0]) for row in rows)])
        for index, column in enumerate(columns)
    ]
    excess = sum(widths) + GAP * (len(columns) - 1) - width
    while excess > 0:
        giving = [i for i, column in enumerate(columns) if column.cut and widths[i] > max(column.least, 3)]
        if not giving:
            break
        widths[max(giving, key=lambda i: widths[i])] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[tuple[str, str]], widths: Sequence[int], indent: int) -> Text:
    line = Text(" " * indent)
    for index, (column, (text, style), width) in enumerate(zip(columns, row, widths, strict=True)):
        shown = cut(text, width, column.cut) if column.cut else text
        room = " " * (width - cell_len(shown))
        last = index == len(columns) - 1
        line.append(room if column.right else "")
        line.append(shown, style)
        line.append("" if last else ("" if column.right else room) + " " * GAP)
    return line
