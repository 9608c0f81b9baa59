"""Rows as text: CSV for spreadsheets, Markdown for reports."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

Row = Sequence[object]


def csv_lines(header: Row, rows: Iterable[Row]) -> Iterator[str]:
    r"""CSV as in RFC 4180, one record at a time, with `\r\n`.

    A cell that a spreadsheet would take for a formula is preceded by a quote.
    """
    sink = _Sink()
    writer = csv.writer(sink)
    for row in _chained(header, rows):
        writer.writerow([_harmless(cell) for cell in row])
        yield sink.take()


def markdown_lines(header: Row, rows: Iterable[Row]) -> Iterator[str]:
    r"""A table in Markdown, one line at a time, with `\n`."""
    yield _markdown(header)
    yield _markdown(["---"] * len(header))
    for row in rows:
        yield _markdown(row)


class _Sink:
    """What the CSV writer writes to: keeps the last record."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> int:
        self._text += text
        return len(text)

    def take(self) -> str:
        text, self._text = self._text, ""
        return text


def _chained(header: Row, rows: Iterable[Row]) -> Iterator[Row]:
    yield header
    yield from rows


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _markdown(row: Row) -> str:
    cells = ("" if cell is None else str(cell).replace("\\", "\\\\").replace("|", "\\|") for cell in row)
    return "| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |\n"
