"""Tables of pictures by URL, path or bytes: a row each, the other columns its metadata.

list.csv, .tsv, .txt, .parquet ─► rows (`rows.py`) ─► what each column is ─► MemorySource

    url, image_url, ...         the picture, or the column that `url_column` names
    id                          the id, or the column that `id_column` names; else it is made of the URL
    caption, description, text  the description, or the column that `captions` names
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from esclip._concurrency.streams import owned
from esclip._core.field_names import is_field_name
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord, id_problem, text_id
from esclip._errors import ConfigError, Hint, SourceError, one_line, suggest
from esclip._files.archives import member_path
from esclip._files.opening import AnyFile, absolute
from esclip._files.paths import path_text
from esclip.sources.memory.given_record import RECORD_KEYS, GivenRecord
from esclip.sources.memory.source import MemorySource
from esclip.sources.tables.columnar import ColumnarRecords
from esclip.sources.tables.columns import (
    CAPTION_NAMES,
    URL_NAMES,
    RecordColumns,
    below_folder,
    picture_key,
)
from esclip.sources.tables.rows import ParquetTable, Table, open_table, table_kind

log = logging.getLogger("esclip")


def is_table(path: AnyFile) -> bool:
    """Whether a path is a table's file, by its name; one of URLs alone by its first line."""
    return table_kind(path) is not None


class TableSource(MemorySource):
    """The rows of a table's file. Paths in it are relative to its folder."""

    def __init__(self, path: AnyFile, columns: RecordColumns, index_fields: Sequence[Field] = ()) -> None:
        """Read the table's columns and first rows; the index's fields keep their types.

        Raises `SourceError` for a file that can't be read, or has no pictures, and `ConfigError` for a column
        that it lacks.
        """
        types = {field.name: field.type for field in index_fields}
        self._table = open_table(absolute(path), types)
        self._rows = _Rows(self._table, columns)
        own = {name: kind for name, kind in self._rows.types.items() if name not in types}
        super().__init__(self._rows, own, index_fields, captioned=columns.captions is not None)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Each row's record, in the order of the table."""
        if (batches := self._rows.batches()) is None:
            yield from super().records(cancelled)
            return
        plain = ColumnarRecords(self._fields, self._facts_of_others, captioned=self._captioned)
        number = 0
        with owned(batches):
            for columns in batches:
                for place, record in enumerate(plain.of_batch(columns)):
                    number += 1
                    yield record or self._record(GivenRecord.of(number, self._rows.row(columns, place)))

    def total(self) -> int | None:
        """The number of rows, where the file says it."""
        return self._table.count


class _Rows:
    """A table's rows as `MemorySource` takes them, as often as they are wanted."""

    def __init__(self, table: Table, columns: RecordColumns) -> None:
        self._table = table
        self._keys = keys_of(table, columns)
        self.types = metadata_types(table, self._keys)
        if unused := [name for name in table.types if name not in self._keys]:
            shown = one_line(", ".join(unused), 200)
            log.warning("%s: columns that can't be fields are left out: %s", path_text(table.path), shown)

    def batches(self) -> Iterator[dict[str, list[Any]]] | None:
        """A few hundred rows at once by their columns; None for a table that has rows, or pictures itself."""
        table = self._table
        if not isinstance(table, ParquetTable) or next(iter(self._keys)) in table.pictures:
            return None
        return table.batches(self._keys)

    def row(self, columns: Mapping[str, list[Any]], place: int) -> dict[str, Any]:
        """One row of these columns, as an iteration gives it."""
        return below_folder({key: column[place] for key, column in columns.items()}, self._table.path.parent)

    def __iter__(self) -> Iterator[Mapping[str, Any] | Rejection]:
        return placed_rows(self._table, self._keys)


def placed_rows(table: Table, keys: Mapping[str, str]) -> Iterator[dict[str, Any] | Rejection]:
    """The rows of a table by these keys, each with the place of its picture: a path below the table's folder,
    or the row itself.
    """
    picture = next(iter(keys), None)
    inside = "" if picture in table.pictures[:1] else f"/{picture}"  # the column, where it is not the first
    for number, row in enumerate(table.rows(keys)):
        if isinstance(row, Rejection):
            yield row
            continue
        if picture in table.pictures:
            row = _located(row, path_text(member_path(table.path, f"{number}{inside}")))
        yield below_folder(row, table.path.parent)


def _located(row: dict[str, Any], location: str) -> dict[str, Any]:
    """A row whose picture is in the table at this location, unless it has a URL."""
    value = row["image"]
    if isinstance(value, dict):
        if value["bytes"] is None:
            return {**row, "image": value["path"]}
        row.setdefault("file_name", value["path"] and Path(value["path"]).name)
    if value is not None:
        if not row.get("url"):
            row["location"] = location
        if row.get("id") is None:
            row["id"] = text_id(location) if id_problem(location) else location
    return row


def metadata_types(table: Table, keys: Mapping[str, str]) -> dict[str, FieldType]:
    """The types of the columns that are metadata; pictures in a table have the names of their files, too."""
    types = {
        name: kind for name, key in keys.items() if key not in RECORD_KEYS and (kind := table.types[name])
    }
    if next(iter(keys), None) in table.pictures:
        types.setdefault("file_name", FieldType.KEYWORD)
    return types


def keys_of(
    table: Table,
    columns: RecordColumns,
    *,
    urls: Sequence[str] = URL_NAMES,
    ids: Sequence[str] = ("id",),
) -> dict[str, str]:
    """The columns that are used, each with the key that `MemorySource` knows it by; first the pictures'.

    `urls` and `ids` are what they are usually called; columns that hold pictures come before any URL. Raises
    `SourceError` for a table that has none of both; without such names, it need not have any.
    """
    url = _usual(table, urls)
    picture = _find_column(table, columns.url, "url_column") or next(iter(table.pictures), url)
    if picture is None and urls:
        names = one_line(", ".join(table.types), 300)
        raise SourceError(
            f"{path_text(table.path)} has no column called {', '.join(URL_NAMES)}, but {names}",
            Hint.URL_COLUMN,
        )
    id = _find_column(table, columns.id, "id_column") or _usual(table, ids)
    caption = _find_column(table, columns.captions, "captions") or _usual(table, CAPTION_NAMES)
    keys = {picture: "image" if picture in table.pictures else picture_key(picture)} if picture else {}
    others = [(id, "id"), (caption, "description"), (_usual(table, ("page",)), "page")]
    if picture in table.pictures and url and picture_key(url) == "url":
        others.append((url, "url"))
    keys |= {column: key for column, key in others if column and column not in keys}
    return keys | {name: name for name in table.types if name not in keys and _is_field(table, name)}


def _is_field(table: Table, name: str) -> bool:
    """Whether a column can be a field of metadata."""
    return is_field_name(name) and table.types[name] is not None and name not in RECORD_KEYS


def _find_column(table: Table, column: str | None, option: str) -> str | None:
    """The column that an option names. Raises `ConfigError` where there is none."""
    if column is not None and column not in table.types:
        near = suggest(column, list(table.types))
        raise ConfigError(
            f"{option}: {path_text(table.path)} has no column {column!r:.80}; it may be {near:.400}"
        )
    return column


def _usual(table: Table, names: Sequence[str]) -> str | None:
    """The first column that is called so, in any case."""
    by_name = {column.casefold(): column for column in reversed([*table.types])}
    return next((by_name[name] for name in names if name in by_name), None)
