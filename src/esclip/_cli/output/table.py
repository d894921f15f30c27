"""Rows as their reader wants them: JSON lines, a table on a terminal, else lines with tabs between columns.

rows ─► columns (header, cell of a row) ─┬─ --json           ─► print_json
                                         ├─ a terminal       ─► print_table, laid out for its width
                                         └─ a file or a pipe ─► print_columns

On a terminal nothing is cut, and columns without a value are left out. Where a table is wider than the
terminal, what doesn't fit stands below its row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from esclip._cli.output.console import is_terminal, print_columns, print_json
from esclip._errors.escaping import escape

T = TypeVar("T")

Cell: TypeAlias = str | Sequence[str]
"""The text of a cell, or its lines."""

GAP = "  "
"""Between columns, and before what stands below a row."""

MIN_TEXT_WIDTH = 24
"""Columns that a text needs beside other cells; in fewer it stands below its row."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table, declared once for terminals, files and pipes."""

    header: str
    cell: Callable[[T], Cell]
    only: Literal["terminal", "plain", ""] = ""
    """Where the column is shown, if not in both."""
    style: str = ""
    justify: Literal["left", "right"] = "left"
    kind: Literal["short", "text", "place"] = "short"
    """A text is wrapped. A place is to be copied: it is last, and never broken."""
    link: Callable[[T], str | None] | None = None
    """What a terminal opens when the cell is clicked."""


def print_rows(
    rows: Iterable[T],
    columns: Sequence[Column[T]],
    *,
    json: Iterable[object] | None = None,
    plain_headers: bool = False,
) -> None:
    """Write `json`, if given, as a line each; else `rows` as a table on a terminal, or with tabs.

    `plain_headers`: lines with tabs begin with one of headers.
    """
    if json is not None:
        for value in json:
            print_json(value)
    elif is_terminal():
        print_table(rows, columns)
    else:
        if plain_headers:
            print_columns(*(column.header for column in columns if column.only != "terminal"))
        for row in rows:
            print_columns(*plain_cells(row, columns))


def plain_cells(row: T, columns: Sequence[Column[T]]) -> list[str]:
    """The cells of a row as a program reads them."""
    cells = (column.cell(row) for column in columns if column.only != "terminal")
    return [cell if isinstance(cell, str) else "; ".join(cell) for cell in cells]


def print_table(rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
    """Write a table for a person. Its cells are texts as they are: nothing in them is markup."""
    console = Console()
    shown = [column for column in columns if column.only != "plain"]
    cells = [[_to_text(column, row) for column in shown] for row in rows]
    filled = [n for n in range(len(shown)) if any(row[n] for row in cells)]
    filled.sort(key=lambda n: shown[n].kind == "place")
    table = _Table([shown[n] for n in filled], [[row[n] for n in filled] for row in cells], console)
    for line in table.lines():
        console.print(line, soft_wrap=True)


def _to_text(column: Column[T], row: T) -> Text:
    cell = column.cell(row)
    lines = [cell] if isinstance(cell, str) else cell
    link = column.link(row) if column.link else None
    style = Style.parse(column.style) + Style(link=link)
    return Text("\n".join(map(escape, lines)), style=style)


class _Table(Generic[T]):
    """A table laid out for the width of a console."""

    def __init__(
        self, columns: Sequence[Column[T]], rows: Sequence[Sequence[Text]], console: Console
    ) -> None:
        self._columns = columns
        self._rows = rows
        self._console = console
        self._widths = [
            max([cell_len(column.header), *(cell_len(line.plain) for row in rows for line in row[n].split())])
            for n, column in enumerate(columns)
        ]
        self._beside = self._choose_columns()
        """Columns that stand beside each other; the others stand below."""

    def _choose_columns(self) -> list[int]:
        """All where they fit, else from the left as many short ones as do, and a text in what is left."""
        every = range(len(self._columns))
        if self._width_of(every) <= self._console.width:
            return list(every)
        short = [n for n in every if self._columns[n].kind == "short"]
        beside = short[:1]
        while len(beside) < len(short) and self._width_of(short[: len(beside) + 1]) <= self._console.width:
            beside = short[: len(beside) + 1]
        if beside != short:
            return beside
        text = next((n for n in every if self._columns[n].kind == "text"), None)
        left = self._console.width - self._width_of(beside) - len(GAP)
        if text is not None and left >= min(MIN_TEXT_WIDTH, self._widths[text]):
            self._widths[text] = min(left, self._widths[text])
            beside.append(text)
        return beside

    def _width_of(self, numbers: Sequence[int]) -> int:
        return sum(self._widths[n] for n in numbers) + len(GAP) * (len(numbers) - 1)

    def lines(self) -> Iterator[Text]:
        """The lines of the table."""
        if any(column.header for column in self._columns):
            yield from self._join([Text(column.header, style="bold") for column in self._columns])
        for row in self._rows:
            yield from self._join(row)
            yield from self._below(row)

    def _join(self, row: Sequence[Text]) -> Iterator[Text]:
        """The cells that stand beside each other, as lines."""
        cells = [self._wrap(n, row[n], self._widths[n]) for n in self._beside]
        for height in range(max(map(len, cells), default=0)):
            line = Text()
            for n, cell in zip(self._beside, cells, strict=True):
                part = cell[height].copy() if height < len(cell) else Text()
                blank = " " * (self._widths[n] - part.cell_len)
                right = self._columns[n].justify == "right"
                line.append(blank if right else "").append_text(part).append(("" if right else blank) + GAP)
            line.rstrip()
            yield line

    def _below(self, row: Sequence[Text]) -> Iterator[Text]:
        """The other cells: short ones after their headers, each text and place on lines of its own."""
        width = self._console.width - len(GAP)
        below = [n for n in range(len(self._columns)) if n not in self._beside and row[n]]
        short = [n for n in below if self._columns[n].kind == "short"]
        lines = self._pack([self._name(n, row[n]) for n in short], width)
        for n in below:
            lines += self._wrap(n, row[n], width) if n not in short else []
        for line in lines:
            yield Text(GAP).append_text(line)

    def _name(self, n: int, cell: Text) -> Text:
        header = self._columns[n].header
        return Text.assemble((f"{header} " if header else "", "dim"), cell)

    def _pack(self, cells: Sequence[Text], width: int) -> list[Text]:
        """Cells one after the other, in lines that end at a blank, never in a word."""
        text = Text("; ").join(cells)
        ends, start = [], 0
        for word in re.finditer(r"\S+", text.plain):
            if word.start() > start and cell_len(text.plain[start : word.end()]) > width:
                ends.append(start := word.start())
        lines = list(text.divide(ends)) if cells else []
        for line in lines:
            line.rstrip()
        return lines

    def _wrap(self, n: int, cell: Text, width: int) -> list[Text]:
        """The lines of a cell. A place stays whole: the terminal breaks it."""
        kept = self._columns[n].kind == "place"
        return list(cell.split() if kept else cell.wrap(self._console, width, overflow="fold"))
