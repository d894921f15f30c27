"""Rows as their reader wants them: JSON lines, a table on a terminal, else lines with tabs between columns.

rows ─► columns (header, cell of a row) ─┬─ --json           ─► print_json
                                         ├─ a terminal       ─► Rich
                                         └─ a file or a pipe ─► print_columns
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from rich.console import Console, OverflowMethod

from esclip._cli.output.console import is_terminal, print_columns, print_json
from esclip._errors.escaping import escape

T = TypeVar("T")

Cell: TypeAlias = str | Sequence[str]
"""The text of a cell, or its lines."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table, declared once for terminals, files and pipes."""

    header: str
    cell: Callable[[T], Cell]
    only: Literal["terminal", "plain", ""] = ""
    """Where the column is shown, if not in both."""
    style: str | None = None
    justify: Literal["left", "right"] = "left"
    no_wrap: bool = False
    overflow: OverflowMethod = "ellipsis"
    ratio: int | None = None
    """The column's share of the width that is left."""


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
    from rich.table import Table
    from rich.text import Text

    shown = [column for column in columns if column.only != "plain"]
    table = Table(box=None, pad_edge=False, show_header=any(column.header for column in shown))
    for column in shown:
        table.add_column(
            column.header,
            style=column.style,
            justify=column.justify,
            no_wrap=column.no_wrap,
            overflow=column.overflow,
            ratio=column.ratio,
        )
    for row in rows:
        cells = (column.cell(row) for column in shown)
        lines = ([cell] if isinstance(cell, str) else cell for cell in cells)
        table.add_row(*(Text("\n".join(map(escape, some))) for some in lines))
    Console().print(table)
