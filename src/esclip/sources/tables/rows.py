"""Rows of tables in files of several formats, in bounded memory.

.csv .tsv     separated values, packed or not, in UTF-8 or UTF-16; types by the first rows
.txt          URLs, one a line
.parquet      by pyarrow, a few megabytes at a time

open_table ─► Table(columns with their types) ─► rows(keys) ─► mappings | Rejection
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import FieldType
from esclip._errors import SourceError, error_text, one_line
from esclip._errors.reasons import Reason
from esclip._files.archives import PARQUET, picture_columns
from esclip._files.opening import AnyFile, is_file, open_file
from esclip._files.paths import path_text
from esclip.sources.tables.csv_rows import BrokenRow, Lines, Row, read_rows
from esclip.sources.tables.packed_text import open_lines, open_text, unpacked_suffix

DELIMITERS = {".csv": ",", ".tsv": "\t"}

TYPED_BY = 1000
"""Rows of separated values by which the columns' types are found."""

BATCH_BYTES = 4 << 20
MAX_BATCH_ROWS = 4096
"""What is read of a Parquet file at once."""

COLUMN_BYTES = 1 << 20
"""What is read of one column at once: a request each where the file is in a bucket."""

ROWS_AT_ONCE = 256
"""Rows that become Python objects at once."""

_URL_LINE = re.compile(r"https?://\S+", re.IGNORECASE)


class Table(ABC):
    """A table in a file.

    Attributes:
        path: Its absolute path.
        types: The columns, with the type of field for their values; None: there is none.
        pictures: The columns that hold pictures' bytes.
        count: The number of rows; None: not known without reading them.
    """

    path: AnyFile
    types: dict[str, FieldType | None]
    pictures: Sequence[str] = ()
    count: int | None = None

    @abstractmethod
    def rows(self, keys: Mapping[str, str]) -> Iterator[dict[str, Any] | Rejection]:
        """All rows, as mappings of these columns, by the key of each. Raises `SourceError`."""


def table_kind(path: AnyFile) -> str | None:
    """The suffix of a table's file, without that of packing; None for another file."""
    suffix = unpacked_suffix(path)
    if suffix in DELIMITERS or (suffix in PARQUET and path.suffix.lower() == suffix):
        return suffix if is_file(path) else None
    return suffix if suffix == ".txt" and _begins_with_url(path) else None


def open_table(path: AnyFile, index_types: Mapping[str, FieldType]) -> Table:
    """The table in a file; columns of separated values take the index's types where it has them.

    Raises `SourceError` where it can't be read.
    """
    kind = table_kind(path)
    if kind in PARQUET:
        return ParquetTable(path)
    return CsvTable(path, DELIMITERS[kind], index_types) if kind in DELIMITERS else UrlList(path)


def _begins_with_url(path: AnyFile) -> bool:
    try:
        with open_text(path) as stream:
            begin = stream.read(1 << 12).decode(errors="replace")
    except SourceError:
        return False
    return bool(_URL_LINE.fullmatch(next(filter(None, map(_url_of, begin.splitlines())), "")))


def _url_of(line: str) -> str:
    """The line's text; empty for a comment."""
    text = line.strip()
    return "" if text.startswith("#") else text


class UrlList(Table):
    """URLs, one a line; empty lines, and those that begin with #, are none."""

    def __init__(self, path: AnyFile) -> None:
        self.path = path
        self.types = {"url": FieldType.KEYWORD}

    def rows(self, keys: Mapping[str, str]) -> Iterator[dict[str, Any] | Rejection]:
        """A mapping for each line; a rejection of a broken one."""
        [key] = keys.values()
        with open_lines(self.path) as lines:
            for line in lines:
                if isinstance(line, BrokenRow):
                    yield reject_row(self.path, line)
                elif url := _url_of(line):
                    yield {key: url}


class CsvTable(Table):
    """Separated values with a header; an empty one is missing."""

    def __init__(self, path: AnyFile, delimiter: str, index_types: Mapping[str, FieldType]) -> None:
        self.path = path
        self._delimiter = delimiter
        with open_text(path) as stream:
            lines = Lines(stream, path)
            header = next(read_rows(lines, None, delimiter), None)
            if not isinstance(header, Row):
                problem = header.problem if header else "the file is empty"
                raise SourceError(f"{path_text(path)}, line 1: no columns' names: {problem}")
            columns = Counter(name.strip() for name in header.values)
            if twice := next((name for name, number in columns.items() if number > 1), None):
                raise SourceError(f"{path_text(path)}, line 1: there are two columns {one_line(twice, 80)!r}")
            self._places = {name: place for place, name in enumerate(columns)}
            head = [row for row in islice(self._read(lines), TYPED_BY) if isinstance(row, Row)]
        self.types = {
            name: index_types.get(name) or _type_of(row.values[place] for row in head)
            for name, place in self._places.items()
        }

    def rows(self, keys: Mapping[str, str]) -> Iterator[dict[str, Any] | Rejection]:
        """Each row, with numbers and truth values in columns of these; a rejection of a broken one."""
        used = [
            (
                self._places[name],
                key,
                _PARSERS.get(self.types[name] or FieldType.KEYWORD) if name == key else None,
            )
            for name, key in keys.items()
        ]
        with open_text(self.path) as stream:
            lines = Lines(stream, self.path)
            next(read_rows(lines, None, self._delimiter), None)
            for row in self._read(lines):
                if isinstance(row, BrokenRow):
                    yield reject_row(self.path, row)
                else:
                    values = row.values
                    yield {
                        key: parse(value) if parse else value
                        for place, key, parse in used
                        if (value := values[place])
                    }

    def _read(self, lines: Lines) -> Iterator[Row | BrokenRow]:
        return read_rows(lines, len(self._places), self._delimiter)


def reject_row(path: AnyFile, row: BrokenRow) -> Rejection:
    """The rejection of a row of this file."""
    location = f"{path_text(path)}:{row.line}"
    return Rejection("", location, Stage.READ, Reason.BAD_ROW, f"line {row.line}: {row.problem}")


_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
"""Without a zero before, which would be lost."""
_FLOAT = re.compile(r"-?\d+\.\d*(?:[eE][+-]?\d+)?|-?\d+[eE][+-]?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def _parse_integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _parse_float(text: str) -> float | str:
    return float(text) if _FLOAT.fullmatch(text) or _INTEGER.fullmatch(text) else text


def _parse_boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text.lower(), text)


_PARSERS: Mapping[FieldType, Callable[[str], object]] = {
    FieldType.INTEGER: _parse_integer,
    FieldType.FLOAT: _parse_float,
    FieldType.BOOLEAN: _parse_boolean,
}
"""Texts as values of a type; a text that is none stays, and is rejected for it."""


def _type_of(texts: Iterable[str]) -> FieldType:
    """The type that all of these texts have, without the empty ones."""
    kinds = {_type_of_text(text) for text in texts if text}
    if len(kinds) == 1:
        return kinds.pop()
    return FieldType.FLOAT if kinds == {FieldType.INTEGER, FieldType.FLOAT} else FieldType.KEYWORD


def _type_of_text(text: str) -> FieldType:
    if _INTEGER.fullmatch(text):
        return FieldType.INTEGER
    if _FLOAT.fullmatch(text):
        return FieldType.FLOAT
    if text.lower() in _BOOLEANS:
        return FieldType.BOOLEAN
    if _DATE.fullmatch(text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return FieldType.KEYWORD
        return FieldType.DATE
    return FieldType.KEYWORD


class ParquetTable(Table):
    """A Parquet file, whose columns have types."""

    def __init__(self, path: AnyFile) -> None:
        self.path = path
        with self._open() as file:
            schema = file.schema_arrow
            self.pictures = picture_columns(schema)
            self._classes = _class_names(schema)
            self.types = {field.name: _arrow_type(field.type) for field in schema}
            self.types |= dict.fromkeys(self._classes, FieldType.KEYWORD)
            self.count = file.metadata.num_rows
            groups = (
                file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)
            )
            row_bytes = sum(groups) // max(self.count, 1)
        self._batch = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // max(row_bytes, 1)))

    def rows(self, keys: Mapping[str, str]) -> Iterator[dict[str, Any] | Rejection]:
        """Each row, read by batches of a few megabytes."""
        for columns in self.batches(keys):
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))

    def batches(self, keys: Mapping[str, str]) -> Iterator[dict[str, list[Any]]]:
        """The values of a few hundred rows at once, of these columns by the key of each."""
        classes = {keys[name]: names for name, names in self._classes.items() if name in keys}
        with self._open() as file:
            for batch in file.iter_batches(self._batch, columns=list(keys), use_threads=False):
                named = batch.select(list(keys)).rename_columns(list(keys.values()))
                for start in range(0, named.num_rows, ROWS_AT_ONCE):
                    columns = named.slice(start, ROWS_AT_ONCE).to_pydict()
                    for key, names in classes.items():
                        columns[key] = [_class_name(number, names) for number in columns[key]]
                    yield columns

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with (
                open_file(self.path) as stream,  # each column is read through a buffer of its own
                pq.ParquetFile(stream.raw, buffer_size=COLUMN_BYTES) as file,
            ):
                yield file
        except (OSError, pa.ArrowException) as error:
            problem = one_line(error_text(error) if isinstance(error, OSError) else str(error), 300)
            raise SourceError(f"{path_text(self.path)} can't be read: {problem}") from error


def _class_names(schema: Any) -> dict[str, list[str]]:
    """The names of classes by column, where Hugging Face's description of the columns has them."""
    try:
        features = orjson.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {
            name: [str(one) for one in feature["names"]]
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel" and name in schema.names
        }
    except (LookupError, TypeError, AttributeError, ValueError):
        return {}  # another description, or none


def _class_name(number: Any, names: Sequence[str]) -> str | None:
    """The name of a class by its number; -1 is none."""
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else None


def _arrow_type(type: Any) -> FieldType | None:
    """The type of field for values of an Arrow type; None: there is none."""
    import pyarrow.types as is_a

    if is_a.is_dictionary(type):
        return _arrow_type(type.value_type)
    if is_a.is_list(type) or is_a.is_large_list(type):
        return FieldType.KEYWORDS if _arrow_type(type.value_type) is FieldType.KEYWORD else None
    checks: tuple[tuple[Callable[[Any], bool], FieldType], ...] = (
        (is_a.is_string, FieldType.KEYWORD),
        (is_a.is_large_string, FieldType.KEYWORD),
        (is_a.is_string_view, FieldType.KEYWORD),
        (is_a.is_integer, FieldType.INTEGER),
        (is_a.is_floating, FieldType.FLOAT),
        (is_a.is_decimal, FieldType.FLOAT),
        (is_a.is_boolean, FieldType.BOOLEAN),
        (is_a.is_timestamp, FieldType.DATE),
        (is_a.is_date, FieldType.DATE),
    )
    return next((kind for check, kind in checks if check(type)), None)
