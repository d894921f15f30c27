"""The files of an Unsplash dataset: those of a table, their columns, packed or not.

folder ─► find_parts("photos") ─► TablePart(path, columns) ─► rows() ─► Row | BrokenRow
          photos.tsv000, .csv001.gz ...

A part may be in UTF-16 with a byte order mark, as spreadsheets write it. A link may lead to a part only.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

from esclip._errors import SourceError, error_text
from esclip._errors.counts import pluralize
from esclip._files.regular import open_beside
from esclip._files.text import MAX_MARK_BYTES, Utf8, detect_encoding
from esclip.sources.tables.csv_rows import READ_ERRORS, BrokenRow, Lines, Row, read_rows

COPY_CHUNK_BYTES = 1024 * 1024
MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO = 256 << 20, 200
"""A packed table may unpack to the larger of both; the dataset's unpack to 3 to 20 times their size."""

BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"

log = logging.getLogger("esclip")


def is_table_part(path: Path | os.DirEntry[str], table: str) -> bool:
    """Whether this is a file of the `table`: `photos.tsv`, `photos.csv000`, `photos.tsv001.gz`."""
    return _part_number(path.name, table) is not None and path.is_file()


def find_parts(folder: Path, table: str) -> list[TablePart]:
    """The table's files in the order of their numbers. Logs a warning when a number is missing in between.

    Of a part that is there packed and unpacked, the unpacked one is used.

    Raises `SourceError` when one can't be read or has no header with `photo_id`.
    """
    numbers: dict[str, int] = {}
    with _reading(folder):
        for path in folder.iterdir():
            number = _part_number(path.name, table)
            if number is not None and path.is_file():
                numbers[path.name] = number
    names = [name for name in numbers if name.removesuffix(".gz") not in numbers.keys() - {name}]
    names.sort(key=lambda name: (numbers[name], name))
    for before, name in pairwise(names):
        if numbers[before] >= 0 and numbers[name] > numbers[before] + 1:
            log.warning("%s: parts are missing between %s and %s", folder, before, name)
    return [TablePart(folder / name) for name in names]


def _part_number(name: str, table: str) -> int | None:
    matched = re.fullmatch(rf"{table}\.[tc]sv(\d*)(\.gz)?", name, re.ASCII)
    return None if matched is None else int(matched[1] or -1)


class TablePart:
    """One file of a table: its columns, which may be in another order than its neighbour's, and its rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path), open_beside(path) as file:
            self._is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC  # regardless of its name
        with _reading(path), self._stream() as stream:
            self._is_utf8 = detect_encoding(stream.read(MAX_MARK_BYTES)) == "utf-8"
        with self._open_lines() as lines:
            self._stamp = _stamp(path)
            header = next(read_rows(lines, None), None)
        self.columns: tuple[str, ...] = tuple(header.values) if isinstance(header, Row) else ()
        if problem := _header_problem(header):
            raise SourceError(f"{path}, line {header.line if header else 1}: {problem}")

    def position(self, *names: str) -> int | None:
        """The index of the first of these columns that the file has; None where it has none."""
        return next((self.columns.index(name) for name in names if name in self.columns), None)

    def rows(self) -> Iterator[Row | BrokenRow]:
        """All rows below the header, in order.

        Raises `SourceError` when the file can't be read to its end, or has changed.
        """
        with self._open_lines() as lines:
            if _stamp(self.path) != self._stamp:
                raise SourceError(f"{self.path} changed while it was in use: start again")
            next(read_rows(lines, None), None)
            yield from read_rows(lines, len(self.columns))

    @contextmanager
    def unpacked(self, folder: Path) -> Iterator[Path]:
        """Context manager: the file in UTF-8 and unpacked, itself or a temporary copy in `folder`."""
        if not self._is_packed and self._is_utf8:
            yield self.path
            return
        copy = folder / f"{self.path.name} unpacked"
        with _reading(self.path), self._stream() as stream, copy.open("wb") as file:
            self._copy(self._in_utf8(stream), file)
        try:
            yield copy
        finally:
            copy.unlink()

    def _copy(self, stream: IO[bytes], file: IO[bytes]) -> None:
        """Copy up to a limit: a decompression bomb would fill the disk."""
        packed = self.path.stat().st_size
        limit = max(MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO * packed)
        while chunk := stream.read(COPY_CHUNK_BYTES):
            if file.tell() + len(chunk) > limit:
                raise SourceError(
                    f"{self.path}: its {packed} bytes unpack to more than {limit}, as no table's do; "
                    "unpack it yourself if it is one"
                )
            file.write(chunk)

    @contextmanager
    def _open_lines(self) -> Iterator[Lines]:
        with _reading(self.path), self._stream() as packed:
            stream = self._in_utf8(packed)
            if self._is_utf8 and stream.read(len(BOM)) != BOM:
                stream.seek(0)
            yield Lines(stream, self.path)

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        """The file's bytes, unpacked."""
        with open_beside(self.path) as file:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if self._is_packed else file

    def _in_utf8(self, stream: IO[bytes]) -> IO[bytes]:
        return stream if self._is_utf8 else io.BufferedReader(Utf8(stream))


def _header_problem(header: Row | BrokenRow | None) -> str:
    expected = "expected column names separated by tabs, photo_id among them"
    match header:
        case None:
            return f"{expected}, but the file is empty: unzip the dataset again, or remove the file"
        case BrokenRow(_, problem):
            return f"{expected}: {problem}"
        case Row(_, values) if "photo_id" not in values:
            return f"{expected}, not {', '.join(values)[:200]!a}"
        case Row(_, values):
            [(name, times)] = Counter(values).most_common(1)
            return f"the column {name!a} comes {pluralize(times, 'time')}" if times > 1 else ""


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        raise SourceError(f"{path} can't be read: {error_text(error)}") from error
