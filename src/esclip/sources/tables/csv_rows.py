"""Parses the lines of a table of comma- or tab-separated values into rows, each broken row reported.

    file ─► Lines ─► read_rows(columns) ─► Row | BrokenRow

The dialect is Postgres's `COPY ... CSV`: fields separated by a delimiter, quoted with `"` where they hold it,
a newline or a quote, which is then doubled. A row that isn't in this dialect is a `BrokenRow`, and reading
goes on at the next line that looks like a row. DuckDB, which reads the dataset's large tables
(`sources.unsplash.database`), can't: where it ignores broken rows, it skips all behind an open quote.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO, NamedTuple

from esclip._errors import SourceError, error_text
from esclip._errors.counts import pluralize
from esclip._files.opening import AnyFile
from esclip._files.packing import PACKING_ERRORS
from esclip._files.text import NotText

MAX_ROW_BYTES = 32 * 1024 * 1024
"""A longer row counts as broken: memory stays bounded behind an open quote."""

READ_ERRORS = (OSError, *PACKING_ERRORS, NotText)
"""The exceptions of reading a file, packed or not."""


class Row(NamedTuple):
    """A row with as many values as its file's header; an empty value is null."""

    line: int
    values: list[str]


class BrokenRow(NamedTuple):
    """A row that can't be parsed, with its first line's number and the problem."""

    line: int
    problem: str


def read_rows(lines: Lines, columns: int | None, delimiter: str = "\t") -> Iterator[Row | BrokenRow]:
    """Rows of this number of columns; None: of any number, for the header."""
    # The limit is global to the process; a field is at most as long as a row, which `Lines` bounds.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begin = lines.begin_row()
        try:
            values = next(reader, None)
            problem = ""
        except csv.Error as error:
            values, problem = [], "a line ends with CR alone" if "new-line" in str(error) else str(error)
        if values is None:
            return
        if values and columns not in (None, len(values)):
            problem = f"{pluralize(len(values), 'column')} where the header has {columns}"
        elif columns and lines.in_row > 1 and _holds_row(values, columns, delimiter):
            problem = "a quote that is closed in a later row only"
        if problem:
            lines.leave_row(delimiter, (columns or 1) - 1)
            yield BrokenRow(begin, problem)
        elif values:
            yield Row(begin, values)


def _holds_row(values: list[str], columns: int, delimiter: str) -> bool:
    """Whether a value contains what looks like a whole row: a further line with all of the delimiters."""
    return columns > 2 and any(
        line.count(delimiter) == columns - 1 for value in values for line in value.split("\n")[1:]
    )


class Lines:
    """A file's lines as `csv.reader` pulls them; those of the current row are kept, to go back to."""

    def __init__(self, stream: IO[bytes], path: AnyFile) -> None:
        self._stream = stream
        self._path = path
        self._ahead: deque[bytes] = deque()
        self._row: list[bytes] = []
        self._row_bytes = 0
        self._line_number = 0

    @property
    def in_row(self) -> int:
        """The number of lines of the current row so far."""
        return len(self._row)

    def begin_row(self) -> int:
        """Start the next row; returns the number of its first line."""
        self._row.clear()
        self._row_bytes = 0
        return self._line_number + 1

    def leave_row(self, delimiter: str, number: int) -> None:
        """Go back to the first further line of this row that has as many delimiters as a whole row.

        So a quote that is never closed breaks its own row only, not the thousands behind it.
        """
        mark = delimiter.encode()
        rest = next(
            (i for i, line in enumerate(self._row) if i and line.count(mark) == number), len(self._row)
        )
        self._ahead.extendleft(reversed(self._row[rest:]))
        self._line_number -= len(self._row) - rest

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read_line()
        if not line:
            raise StopIteration
        self._line_number += 1
        self._row.append(line)
        self._row_bytes += len(line)
        if self._row_bytes >= MAX_ROW_BYTES:
            raise csv.Error(f"longer than {MAX_ROW_BYTES} bytes, perhaps by a quote that is never closed")
        if b"\0" in line:
            raise csv.Error("it holds a NUL byte, as UTF-16 does")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise csv.Error(f"it isn't UTF-8: {error.reason}") from error

    def _read_line(self) -> bytes:
        try:
            line = rest = self._stream.readline(MAX_ROW_BYTES)
            while len(rest) == MAX_ROW_BYTES and not rest.endswith(b"\n"):
                rest = self._stream.readline(MAX_ROW_BYTES)
        except READ_ERRORS as error:
            raise SourceError(
                f"{self._path} can't be read behind line {self._line_number}: {error_text(error)}"
            ) from error
        return line
