"""Documents as the embedded store's columns have them, and back. Pure functions.

id | vector | content_fingerprint | words
   | _source | location | page | description | pixels_fingerprint | record_fingerprint | fields ...
       └ the record as JSON, which hits are read from: each column that is read takes 0.1 ms.
         The others are for filters, and for other programs.

Of indexes that were made before, some lack `_source`; those that lack other columns are given them by
`LanceStore.ensure_index`, empty for what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

import numpy as np
import orjson
import pyarrow as pa

from esclip._core.analysis import analyze_record
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Document,
    Fingerprint,
    GeoPoint,
    Hit,
    ImageRecord,
    MetadataValue,
    Vector,
    Vectors,
)
from esclip.stores.serialization import document, hit, record_source
from esclip.stores.validation import stored_date

__all__ = [
    "CONTENT",
    "WORDS",
    "added_columns",
    "arrow_schema",
    "document_table",
    "field_columns",
    "hit_columns",
    "hit_of",
    "read_documents",
    "read_fingerprint",
    "read_vectors",
    "record_table",
]

CONTENT = "content_fingerprint"
"""The column of `Document.content`."""

WORDS = "words"
"""The column of a record's words."""

_SOURCE = "_source"

_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two processes that write the same new id at once leave it twice (lancedb #2463)."""


def arrow_schema(schema: IndexSchema) -> pa.Schema:
    """All columns of an index."""
    vector = pa.field("vector", pa.list_(pa.float32(), schema.space.dim))
    id, *others = _own_columns()
    return pa.schema([id, vector, pa.field(CONTENT, pa.string()), *others, *field_columns(schema.fields)])


def added_columns(fields: Iterable[Field]) -> list[pa.Field]:
    """The columns that an index may lack and can be given: of metadata fields, and two that came later."""
    return [pa.field(CONTENT, pa.string()), _words_column(), *field_columns(fields)]


def field_columns(fields: Iterable[Field]) -> list[pa.Field]:
    """The columns of metadata fields."""
    return [pa.field(field.name, _arrow_type(field.type)) for field in fields]


def document_table(documents: Sequence[Document], schema: IndexSchema) -> pa.Table:
    """Documents as rows of all columns."""
    flat = np.concatenate([document.vector for document in documents], dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), schema.space.dim)
    contents = pa.array([document.content or None for document in documents], pa.string())
    table = record_table([document.record for document in documents], schema)
    columns = arrow_schema(schema)
    table = table.add_column(1, columns.field("vector"), vectors)
    return table.add_column(2, columns.field(CONTENT), contents).cast(columns)


def record_table(records: Sequence[ImageRecord], schema: IndexSchema) -> pa.Table:
    """Records as rows of all columns but the picture's; metadata that a record lacks is null."""
    columns = pa.schema([*_own_columns(), *field_columns(schema.fields)])
    return pa.Table.from_pylist([_row(record) for record in records], schema=columns)


def hit_columns(present: Sequence[str]) -> list[str]:
    """The columns that a hit is read from, of those that are there."""
    if _SOURCE in present:
        return [name for name in ("id", CONTENT, _SOURCE) if name in present]
    return [name for name in present if name not in ("vector", WORDS)]


def hit_of(row: Mapping[str, Any], score: float, fields: Iterable[Field]) -> Hit:
    """A found row as a hit without rank."""
    return hit(row["id"], score, _source_with_content(row), fields)


def read_documents(table: Any, schema: IndexSchema) -> dict[str, Document]:
    """Rows of all columns as documents by id."""
    vectors = read_vectors(table, schema)
    rows = table.drop_columns(["vector"]).to_pylist()
    return {row["id"]: _read_document(row, vector, schema) for row, vector in zip(rows, vectors, strict=True)}


def read_vectors(table: Any, schema: IndexSchema) -> Vectors:
    """The rows' vectors."""
    vectors: Vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, schema.space.dim)
    return vectors


def _read_document(row: Mapping[str, Any], vector: Vector, schema: IndexSchema) -> Document:
    return document(row["id"], vector, _source_with_content(row), schema.fields)


def _source_with_content(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**_read_source(row), CONTENT: row.get(CONTENT)}


def _read_source(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record in a row: its JSON, or without that the columns, which have the same names."""
    text = row.get(_SOURCE)
    return row if text is None else orjson.loads(text)


def read_fingerprint(row: Mapping[str, Any]) -> Fingerprint:
    """The fingerprints that were written with a row."""
    return Fingerprint(row["pixels_fingerprint"], row["record_fingerprint"])


def _own_columns() -> list[pa.Field]:
    names = (_SOURCE, "location", "page", "description", "pixels_fingerprint", "record_fingerprint")
    id = pa.field("id", pa.string(), nullable=False, metadata=_PRIMARY_KEY)
    return [id, *(pa.field(name, pa.string()) for name in names), _words_column()]


def _words_column() -> pa.Field:
    return pa.field(WORDS, pa.list_(pa.string()))


def _arrow_type(kind: FieldType) -> pa.DataType:
    match kind:
        case FieldType.KEYWORD | FieldType.TEXT:
            return pa.string()
        case FieldType.KEYWORDS:
            return pa.list_(pa.string())
        case FieldType.INTEGER:
            return pa.int64()
        case FieldType.FLOAT:
            return pa.float64()
        case FieldType.BOOLEAN:
            return pa.bool_()
        case FieldType.DATE:
            return pa.timestamp("ms", "UTC")
        case FieldType.GEO_POINT:
            return pa.struct([pa.field("lat", pa.float64()), pa.field("lon", pa.float64())])
        case _:
            assert_never(kind)


def _row(record: ImageRecord) -> dict[str, Any]:
    fingerprint = record.fingerprint
    own = {
        "id": record.id,
        _SOURCE: orjson.dumps(record_source(record)).decode(),
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
        WORDS: analyze_record(record),
    }
    return own | {name: _arrow_value(value) for name, value in record.all_metadata.items()}


def _arrow_value(value: MetadataValue) -> Any:
    match value:
        case datetime():
            return stored_date(value)
        case GeoPoint():
            return value._asdict()
        case tuple():
            return list(value)
        case _:
            return value
