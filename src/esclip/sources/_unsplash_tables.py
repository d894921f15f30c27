"""The files of an Unsplash dataset, row by row, and nothing lost on the way.

    folder ─► table_parts("photos") ─► TablePart(path, columns) ─► rows() ─► Row | BrokenRow
              photos.tsv000, .csv001.gz ...

The dialect is Postgres's `COPY ... CSV`: fields separated by tabs whatever the file's extension, quoted
with `"` where they hold a tab, a newline or a quote, which is then doubled. A row that isn't in this dialect
is a `BrokenRow`, and reading goes on at the next line that looks like a row. DuckDB, which reads the large
tables (`_unsplash_joins`), can't do that: told to skip broken rows, it skips all behind an open quote.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from esclip._errors import SourceError

__all__ = ["BrokenRow", "Row", "TablePart", "is_table_part", "table_parts"]

LONGEST_ROW = 32 * 1024 * 1024
"""Bytes of a row that are read before it counts as broken: memory stays bounded behind an open quote."""

COPIED_BYTES = 1024 * 1024

BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row with as many values as its file's header; an empty value is null."""

    line: int
    values: list[str]


class BrokenRow(NamedTuple):
    """A row that can't be read, with the line it begins in and why."""

    line: int
    problem: str


def is_table_part(path: Path | os.DirEntry[str], table: str) -> bool:
    """Whether this is a file of the `table`: `photos.tsv`, `photos.csv000`, `photos.tsv001.gz`."""
    return _part_number(path.name, table) is not None and path.is_file()


def table_parts(folder: Path, table: str) -> list[TablePart]:
    """The table's files in the order of their numbers; those that hold nothing at all are left out.

    A part that lies there both packed and unpacked counts once.

    Raises `SourceError` when one can't be read or has no header with `photo_id`.
    """
    numbers: dict[str, int] = {}
    with _reading(folder):
        for path in folder.iterdir():
            number = _part_number(path.name, table)
            if number is not None and path.is_file():
                numbers[path.name] = number
    names = [name for name in numbers if name.removesuffix(".gz") not in numbers.keys() - {name}]
    parts = [TablePart(folder / name) for name in sorted(names, key=lambda name: (numbers[name], name))]
    return [part for part in parts if part.columns]


def _part_number(name: str, table: str) -> int | None:
    matched = re.fullmatch(rf"{table}\.[tc]sv(\d*)(\.gz)?", name, re.ASCII)
    return None if matched is None else int(matched[1] or -1)


class TablePart:
    """One file of a table: its columns, which may be in another order than its neighbour's, and its rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        with self._opened() as stream:
            self._stamp = _stamp(path)
            header = next(_rows(_Lines(stream), None), Row(1, []))
        if isinstance(header, Row):
            self.columns = tuple(header.values)
        if isinstance(header, BrokenRow) or (header.values and "photo_id" not in header.values):
            raise SourceError(
                f"{path}: expected a first line with column names separated by tabs, photo_id among them"
            )

    def position(self, *names: str) -> int | None:
        """Where the first of these columns that the file has is in a row; None where it has none."""
        return next((self.columns.index(name) for name in names if name in self.columns), None)

    def rows(self) -> Iterator[Row | BrokenRow]:
        """All rows below the header, in order.

        Raises `SourceError` when the file can't be read to its end, or isn't the same any more.
        """
        with self._opened() as stream:
            if _stamp(self.path) != self._stamp:
                raise SourceError(f"{self.path} changed while it was in use: start again")
            lines = _Lines(stream)
            next(_rows(lines, None), None)
            yield from _rows(lines, len(self.columns))

    @contextmanager
    def unpacked(self, folder: Path) -> Iterator[Path]:
        """The file as it is when nothing packs it: itself, or a copy in `folder` while it is needed."""
        if not self._is_packed:
            yield self.path
            return
        copy = folder / self.path.stem
        with self._opened() as stream, copy.open("wb") as file:
            shutil.copyfileobj(stream, file, COPIED_BYTES)
        try:
            yield copy
        finally:
            copy.unlink()

    @property
    def _is_packed(self) -> bool:
        return self.path.suffix == ".gz"

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with _reading(self.path), self.path.open("rb") as file:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if self._is_packed else file
            if stream.read(len(BOM)) != BOM:
                stream.seek(0)
            yield stream


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} can't be read: {error}") from error


def _rows(lines: _Lines, columns: int | None) -> Iterator[Row | BrokenRow]:
    """Rows of so many columns; None: of any number, as the header has."""
    # The limit is the process's own; a field is at most as long as a row, which `_Lines` bounds.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_ROW))
    reader = csv.reader(lines, delimiter="\t", strict=True)
    while True:
        begin = lines.begin_row()
        try:
            values = next(reader, None)
            problem = ""
        except csv.Error as error:
            values, problem = [], str(error)
        if values is None:
            return
        if values and columns not in (None, len(values)):
            problem = f"{len(values)} columns where the header has {columns}"
        if problem:
            lines.leave_row(tabs=(columns or 1) - 1)
            yield BrokenRow(begin, problem)
        elif values:
            yield Row(begin, values)


class _Lines:
    """A file's lines as `csv.reader` pulls them; those of the row at hand are kept, to go back to."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ahead: deque[bytes] = deque()
        self._row: list[bytes] = []
        self._row_bytes = 0
        self._given = 0

    def begin_row(self) -> int:
        """Forget the lines of the row before; returns the next one's line number."""
        self._row.clear()
        self._row_bytes = 0
        return self._given + 1

    def leave_row(self, tabs: int) -> None:
        """Go back to the first further line of this row that has as many tabs as a whole row.

        So a quote that is never closed costs its own row and not the thousands behind it.
        """
        rest = next(
            (i for i, line in enumerate(self._row) if i and line.count(b"\t") == tabs), len(self._row)
        )
        self._ahead.extendleft(reversed(self._row[rest:]))
        self._given -= len(self._row) - rest

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read_line()
        if not line:
            raise StopIteration
        self._given += 1
        self._row.append(line)
        self._row_bytes += len(line)
        if self._row_bytes >= LONGEST_ROW:
            raise csv.Error(f"longer than {LONGEST_ROW} bytes, perhaps by a quote that is never closed")
        if b"\0" in line:
            raise csv.Error("it holds a NUL byte")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise csv.Error(f"it isn't UTF-8: {error.reason}") from error

    def _read_line(self) -> bytes:
        line = rest = self._stream.readline(LONGEST_ROW)
        while len(rest) == LONGEST_ROW and not rest.endswith(b"\n"):
            rest = self._stream.readline(LONGEST_ROW)
        return line
