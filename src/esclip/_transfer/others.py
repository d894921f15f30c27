"""Reads vectors that other programs have made, with what they say of the pictures.

FOLDER/img_emb/img_emb_0.npy + metadata/metadata_0.parquet    clip-retrieval, LAION
*.parquet                                                     a column of lists: Hugging Face's data sets
features.npy + photo_ids.csv                                  an array, and a table with a row for each of its

find_vectors ─► Shard(vectors, table) ... ─► rows as an ingest of the table has them ─► OtherVectors
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from esclip._core.document_tables import document_table
from esclip._core.record_json import to_read_again
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, FieldType, IndexSchema, Space
from esclip._core.settings import UNSPLASH_PAGE
from esclip._core.types import MEMORY_SCHEME, ImageRecord, StoredDocument, Vector, Vectors, file_id
from esclip._errors import ConfigError, Hint, SourceError, error_text, map_errors, one_line
from esclip._errors.counts import pluralize
from esclip._files.opening import AnyFile
from esclip._transfer.importing import VectorTables
from esclip._transfer.options import ImportOptions
from esclip.sources.memory.source import MemorySource
from esclip.sources.tables.columns import URL_NAMES, RecordColumns
from esclip.sources.tables.rows import Table, open_table, table_kind
from esclip.sources.tables.source import keys_of, metadata_types, placed_rows
from esclip.stores.vector_cache.reading import PAGE_ROWS, PARQUET_ERRORS

ID_NAMES = ("id", "photo_id", "image_id")
IDS_FILES = ("photo_ids.csv", "ids.csv", "ids.tsv", "ids.parquet", "metadata.parquet", "metadata.csv")
"""What the table beside an array may be called, in this order; before these, as the array itself."""

GONE = "file://"
"""Before the path of a picture that isn't there."""

_SHARD = re.compile(r"img_emb_(\d+)\.npy")


@dataclass(frozen=True, slots=True)
class Shard:
    """Some vectors, and the table with a row for each of them."""

    path: Path
    rows: int
    dim: int
    pages: Callable[[], Iterator[Vectors]]
    table: Path


@dataclass(frozen=True, slots=True)
class OtherVectors:
    """Vectors of another program, with records as an ingest of its tables has them."""

    shards: Sequence[Shard]
    source: MemorySource
    space: Space

    def documents(self) -> Mapping[str, VectorTables]:
        """In the form of `read_cache`."""
        schema = IndexSchema(self.space, tuple(self.source.fields))
        rows = sum(shard.rows for shard in self.shards)
        return {"": VectorTables(schema, rows, lambda: _pages(self.shards, self.source, schema))}

    def first_pairs(self) -> Sequence[tuple[ImageRecord | Rejection, Vector]]:
        """The first records with their vectors, thousands."""
        return next(_pairs(self.shards, self.source), [])


def read_others(path: Path, space: Space, options: ImportOptions, known: Sequence[Field]) -> OtherVectors:
    """The vectors in a path; `known` are the index's fields.

    Raises `SourceError` for what can't be read or doesn't fit together, `ConfigError` for options that don't
    fit it.
    """
    shards = find_vectors(path, options)
    for shard in shards:
        if shard.dim != space.dim:
            raise SourceError(
                f"{_shown(shard.path)} has vectors of {shard.dim} dimensions, and those of "
                f"{one_line(space.model, 200)} have {space.dim}",
                Hint.ENCODER,
            )
    types = {field.name: field.type for field in known}
    rows = _Rows(shards, options, types)
    own = {name: kind for name, kind in rows.types.items() if name not in types}
    return OtherVectors(shards, MemorySource(rows, own, known), space)


def find_vectors(path: Path, options: ImportOptions) -> list[Shard]:
    """The arrays or files in a path, each with its table. Raises `SourceError`."""
    if not path.exists():
        raise SourceError(f"{_shown(path)} is not there")
    if path.is_file():
        files = [path]
    elif arrays := _clip_retrieval_arrays(path):
        return [_array(array, _beside_shard(path, number, arrays)) for number, array in arrays.items()]
    else:
        files = sorted(one for one in path.iterdir() if one.suffix.lower() in (".parquet", ".npy"))
        arrays_only = [one for one in files if one.suffix.lower() == ".npy"]
        files = arrays_only or files
    if not files or any(one.suffix.lower() not in (".parquet", ".npy") for one in files):
        raise SourceError(
            f"{_shown(path)} has no vectors: neither a vector cache, nor img_emb/img_emb_0.npy, nor a "
            ".parquet or .npy file"
        )
    if files[0].suffix.lower() == ".parquet":
        return [_parquet(one, options["vector_column"]) for one in files]
    if len(files) > 1:
        raise SourceError(f"{_shown(path)} has {pluralize(len(files), 'array')}; name one of them")
    return [_array(files[0], _ids_beside(files[0], options["ids"]))]


def _clip_retrieval_arrays(folder: Path) -> dict[int, Path]:
    """Arrays of clip-retrieval's by their numbers, in order."""
    place = folder / "img_emb" if (folder / "img_emb").is_dir() else folder
    arrays = {int(match[1]): one for one in place.iterdir() if (match := _SHARD.fullmatch(one.name))}
    return dict(sorted(arrays.items()))


def _beside_shard(folder: Path, number: int, arrays: Mapping[int, Path]) -> Path:
    digits = _SHARD.fullmatch(arrays[number].name)
    assert digits
    place = folder / "metadata" if (folder / "metadata").is_dir() else folder
    table = place / f"metadata_{digits[1]}.parquet"
    if not table.is_file():
        raise SourceError(f"{_shown(table)} is missing, the table of {_shown(arrays[number])}")
    return table


def _ids_beside(array: Path, named: Any) -> Path:
    if named is not None:
        if table_kind(Path(named)) is None:
            raise ConfigError(f"ids: {_shown(Path(named))} is no table: a .csv, .tsv or .parquet file")
        return Path(named).absolute()
    own = [array.with_suffix(suffix).name for suffix in (".csv", ".tsv", ".parquet")]
    for name in (*own, *IDS_FILES):
        if table_kind(array.parent / name):
            return array.parent / name
    raise SourceError(
        f"{_shown(array)} has no table beside it that says what its rows are, such as {IDS_FILES[0]}",
        Hint.VECTOR_IDS,
    )


def _array(path: Path, table: Path) -> Shard:
    try:
        if not path.is_file():
            raise ValueError("it is no regular file")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
            kind = f"of type {array.dtype}, shape {array.shape}" if isinstance(array, np.ndarray) else "none"
            raise ValueError(f"it is no array of vectors: {kind}")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        has_objects = "allow_pickle" in str(error) or "Python objects" in str(error)
        told = "it has Python objects, which are not loaded" if has_objects else error_text(error, 200)
        raise SourceError(f"{_shown(path)} can't be read: {told}") from error

    def pages() -> Iterator[Vectors]:
        for start in range(0, len(array), PAGE_ROWS):
            yield _float32(np.asarray(array[start : start + PAGE_ROWS]))

    return Shard(path, array.shape[0], array.shape[1], pages, table)


def _parquet(path: Path, column: str | None) -> Shard:
    with map_errors(PARQUET_ERRORS, path):
        schema, count = pq.read_schema(path), pq.read_metadata(path).num_rows
        column = _vector_column(schema, column, path)
        dim = _dimension(pq.ParquetFile(path), column)

    def pages() -> Iterator[Vectors]:
        with map_errors(PARQUET_ERRORS, path):
            for batch in pq.ParquetFile(path).iter_batches(PAGE_ROWS, columns=[column]):
                yield _rows_of_lists(batch.column(0), dim, path)

    return Shard(path, count, dim, pages, path)


def _dimension(file: pq.ParquetFile, column: str) -> int:
    """The length of the first list of a column that isn't missing; 0 where all are."""
    for batch in file.iter_batches(PAGE_ROWS, columns=[column]):
        if len(lists := batch.column(0).drop_null()):
            return len(lists[0])
    return 0


def _vector_column(schema: pa.Schema, named: str | None, path: Path) -> str:
    lists = [column.name for column in schema if _is_vector(column.type)]
    if named is not None:
        if named not in lists:
            raise ConfigError(
                f"vector_column: {_shown(path)} has no column {named!r:.80} of lists of floats; it may be "
                f"{one_line(', '.join(lists), 200) or 'of another file'}"
            )
        return named
    if len(lists) == 1:
        return str(lists[0])
    several = f"several columns of lists of floats: {one_line(', '.join(lists), 200)}"
    raise SourceError(
        f"{_shown(path)} has {several if lists else 'no column of lists of floats'}",
        Hint.VECTOR_COLUMN if lists else None,
    )


def _is_vector(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and pa.types.is_floating(kind.value_type))


def _rows_of_lists(column: pa.Array, dim: int, path: Path) -> Vectors:
    """The lists as rows; a missing one is NaN. Raises `SourceError` where they differ in length."""
    rows = np.full((len(column), dim), np.nan, dtype=np.float32)
    valid = column.drop_null()
    numbers = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    flat = valid.flatten().to_numpy(zero_copy_only=False)
    if not pc.all(pc.equal(pc.list_value_length(valid), dim), min_count=0).as_py():
        raise SourceError(f"{_shown(path)} has vectors that are not all of {dim} dimensions")
    rows[numbers] = _float32(flat.reshape(-1, dim))
    return rows


def _float32(rows: Any) -> Vectors:
    with np.errstate(over="ignore"):
        converted: Vectors = rows.astype(np.float32)
    return converted


class _Rows:
    """The rows of all tables as `MemorySource` takes them, as often as they are wanted."""

    def __init__(
        self, shards: Sequence[Shard], options: ImportOptions, known: Mapping[str, FieldType]
    ) -> None:
        columns = RecordColumns(options["url_column"], options["id_column"])
        self._tables: list[tuple[Table, dict[str, str]]] = []
        self.types: dict[str, FieldType] = {}
        for shard in shards:
            table = open_table(shard.table, known)
            if table.count is not None and table.count != shard.rows:
                raise SourceError(
                    f"{_shown(shard.table)} has {pluralize(table.count, 'row')}, and {_shown(shard.path)} "
                    f"{pluralize(shard.rows, 'vector')}"
                )
            keys = _keys(table, columns)
            self._tables.append((table, keys))
            self.types = metadata_types(table, keys) | self.types

    def __iter__(self) -> Iterator[Mapping[str, Any] | Rejection]:
        for table, keys in self._tables:
            of_unsplash = any(name.casefold() == "photo_id" and key == "id" for name, key in keys.items())
            for row in placed_rows(table, keys):
                yield row if isinstance(row, Rejection) else _with_place(row, of_unsplash=of_unsplash)


def _keys(table: Table, columns: RecordColumns) -> dict[str, str]:
    """The columns that are used; a table need not say where its pictures are, if it has ids."""
    has_pictures = columns.url or table.pictures or {*URL_NAMES} & {name.casefold() for name in table.types}
    keys = keys_of(table, columns, urls=URL_NAMES if has_pictures else (), ids=ID_NAMES)
    if not has_pictures and "id" not in keys.values():
        raise SourceError(
            f"{_shown(table.path)} says of no row which picture it is: it has neither a column "
            f"called {', '.join(URL_NAMES)} nor {', '.join(ID_NAMES)}",
            Hint.URL_COLUMN,
        )
    return keys


def _with_place(row: dict[str, Any], *, of_unsplash: bool) -> dict[str, Any]:
    """The row, with a picture that can't be read named by where it was."""
    picture = row.get("image") or row.get("url")
    if picture is None and (id := row.get("id")):
        if of_unsplash:
            return row | {"url": f"{UNSPLASH_PAGE}{id}", "page": f"{UNSPLASH_PAGE}{id}"}
        return row | {"url": f"memory://{id}", "location": f"{MEMORY_SCHEME}{id}"}
    path = Path(picture) if isinstance(picture, str) and picture.startswith("/") else None
    if path is not None and not os.path.isfile(path):  # noqa: PTH113 - False also for impossible names
        row = {name: value for name, value in row.items() if name != "image"}
        return {"id": file_id(path), "location": str(path)} | row | {"url": f"{GONE}{path}"}
    return row


def _pages(
    shards: Sequence[Shard], source: MemorySource, schema: IndexSchema
) -> Iterator[pa.Table | Rejection]:
    """Documents of vectors and records, a page each."""
    for pairs in _pairs(shards, source):
        yield from (item for item, _ in pairs if isinstance(item, Rejection))
        # an ingest of the same pictures reads what they say of themselves
        documents = [
            StoredDocument(replace(item, picture_fields=()), vector)
            for item, vector in pairs
            if not isinstance(item, Rejection)
        ]
        if documents:
            yield document_table(documents, schema)


def _pairs(
    shards: Sequence[Shard], source: MemorySource
) -> Iterator[list[tuple[ImageRecord | Rejection, Vector]]]:
    """Records with their vectors, a list for each page. Raises `SourceError` where some are left over."""
    records = source.records(Event())
    for shard in shards:
        for vectors in shard.pages():
            items = [_without_bytes(item) for item in islice(records, len(vectors))]
            if len(items) < len(vectors):
                raise SourceError(f"{_shown(shard.table)} has fewer rows than {_shown(shard.path)} vectors")
            yield list(zip(items, vectors, strict=True))
    if next(records, None) is not None:
        raise SourceError(f"{_shown(shards[-1].table)} has more rows than {_shown(shards[-1].path)} vectors")


def _without_bytes(item: ImageRecord | Rejection) -> ImageRecord | Rejection:
    """The record of a row that holds its picture, to be read again from there: a page has thousands."""
    return item if isinstance(item, Rejection) else to_read_again(item) or item


def _shown(path: AnyFile) -> str:
    return one_line(str(path), 300)
