"""How the command line writes: each line, table and JSON value of stdout and stderr passes through here.

    text from anywhere ─► escaped ─┬─► print_columns · print_json · Table · heading ─► stdout
                                   └─► say ─────────────────────────────────────────► stderr

So nothing that a picture, an index, a model or a server says can break a line or command a terminal. Nothing
else in this package may print (ruff's T20 and TID251 look after it).
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import orjson
from rich.console import Console, OverflowMethod

from esclip._text.escaping import escaped, joined_lines, json_escape

__all__ = [
    "Cell",
    "Table",
    "heading",
    "is_terminal",
    "json_line",
    "print_columns",
    "print_json",
    "progress_console",
    "say",
]

Cell: TypeAlias = str | Sequence[str]
"""The text of a table's cell, or its lines."""


def say(message: str) -> None:
    """A line of esclip's own on stderr, at once: progress, a summary, a warning, an error."""
    print(f"esclip: {joined_lines(message)}", file=sys.stderr, flush=True)


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    return Console().is_terminal


def progress_console() -> Console:
    """What a progress bar is drawn on: stderr. It takes no text from outside."""
    return Console(stderr=True)


def print_columns(*columns: str) -> None:
    """A line on stdout, with tabs between the columns."""
    print("\t".join(map(escaped, columns)))


def print_json(value: Any) -> None:
    """A line of JSON on stdout."""
    line = json_line(value)
    print(line if _writes_utf8() else "".join(c if c.isascii() else json_escape(c) for c in line))


def json_line(value: Any) -> str:
    """A value as JSON in one line, also where a text of it has half of a surrogate pair."""
    try:
        return escaped(orjson.dumps(value).decode())
    except TypeError:  # such a text, the name of a file that is no UTF-8, is none to orjson
        return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _writes_utf8() -> bool:
    """Whether JSON can be read as it is: in another encoding it has to be ASCII."""
    return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def heading(text: str) -> None:
    """A line on stdout that stands out on a terminal."""
    from rich.text import Text

    Console().print(Text(escaped(text), style="bold"), soft_wrap=True)


class Table:
    """A table for a person. Its cells are texts as they are: nothing in them is markup."""

    def __init__(self, *, show_header: bool = True) -> None:
        from rich.table import Table as RichTable

        self._table = RichTable(box=None, pad_edge=False, show_header=show_header)

    def add_column(
        self,
        name: str = "",
        *,
        style: str | None = None,
        justify: Literal["left", "right"] = "left",
        no_wrap: bool = False,
        overflow: OverflowMethod = "ellipsis",
        ratio: int | None = None,
    ) -> None:
        """Add a column; `ratio` is its share of the width that is left."""
        self._table.add_column(
            name, style=style, justify=justify, no_wrap=no_wrap, overflow=overflow, ratio=ratio
        )

    def add_row(self, *cells: Cell) -> None:
        """Add a row, a cell a column."""
        from rich.text import Text

        lines = ([cell] if isinstance(cell, str) else cell for cell in cells)
        self._table.add_row(*(Text("\n".join(map(escaped, some))) for some in lines))

    def print(self) -> None:
        """Write the table on stdout."""
        Console().print(self._table)
