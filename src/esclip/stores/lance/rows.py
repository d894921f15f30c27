"""Documents and schema as the embedded store keeps them. Pure functions.

columns   id | vector | content_fingerprint | words
             | _source | location | page | description | pixels_fingerprint | record_fingerprint | fields ...
                 └ the record as JSON, from which hits are read: each column read takes 0.1 ms.
                   The others are for filters, and for other programs.
metadata  esclip: the index's schema as JSON

Some indexes of older versions lack `_source`; `LanceStore.ensure_index` adds other missing columns, filled
with null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, assert_never

import numpy as np
import orjson
import pyarrow as pa

from esclip._core.analysis import analyze_record
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Fingerprint,
    GeoPoint,
    Hit,
    ImageRecord,
    MetadataValue,
    StoredDocument,
    Vectors,
)
from esclip._errors import StoreError
from esclip.stores.serialization import document_from_source, hit_from_source, record_source
from esclip.stores.validation import truncate_date

CONTENT = "content_fingerprint"
"""The column of `StoredDocument.content`."""

WORDS = "words"
"""The column of a record's words."""

SCHEMA_KEY = "esclip"
"""The metadata key of the index's schema."""

MAX_SCHEMA_LENGTH = 1 << 22
"""Characters: enough for thousands of fields and a thousand labels."""

_SOURCE = "_source"

_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two processes that write the same new id concurrently write it twice (lancedb #2463)."""


def arrow_schema(schema: IndexSchema) -> pa.Schema:
    """All columns of an index."""
    vector = pa.field("vector", pa.list_(pa.float32(), schema.space.dim))
    id, *others = _record_columns(schema.fields)
    return pa.schema([id, vector, pa.field(CONTENT, pa.string()), *others])


def optional_columns(fields: Iterable[Field]) -> list[pa.Field]:
    """The columns that an index may lack: of metadata fields, and two that older versions did not write."""
    return [pa.field(CONTENT, pa.string()), _words_column(), *_field_columns(fields)]


def document_table(documents: Sequence[StoredDocument], schema: IndexSchema) -> pa.Table:
    """Documents as rows of all columns."""
    flat = np.concatenate([document.vector for document in documents], dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), schema.space.dim)
    contents = pa.array([document.content or None for document in documents], pa.string())
    table = record_table([document.record for document in documents], schema)
    columns = arrow_schema(schema)
    table = table.add_column(1, columns.field("vector"), vectors)
    return table.add_column(2, columns.field(CONTENT), contents).cast(columns)


def record_table(records: Sequence[ImageRecord], schema: IndexSchema) -> pa.Table:
    """Records as rows of all columns but vector and content; missing metadata is null."""
    columns = pa.schema(_record_columns(schema.fields))
    return pa.Table.from_pylist([_row(record) for record in records], schema=columns)


def select_present(table: Any, dataset: Any) -> Any:
    """The columns of `table` that the dataset has: an older version may have created it with fewer."""
    present = set(dataset.schema.names)
    return table.select([name for name in table.column_names if name in present])


def schema_metadata(schema: IndexSchema) -> dict[str, str]:
    """The dataset metadata that keeps the schema."""
    return {SCHEMA_KEY: orjson.dumps(schema.to_json()).decode()}


def read_schema(dataset: Any) -> IndexSchema:
    """The schema in a dataset's metadata. Raises `StoreError` when it can't be parsed."""
    try:
        return _parse_schema(dataset.schema_metadata[SCHEMA_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{dataset.uri} was made by another version of esclip, or is damaged; ingest again"
        ) from error


@lru_cache(maxsize=8)
def _parse_schema(text: str) -> IndexSchema:
    """Cached, because every call of the store opens the dataset anew."""
    if len(text) > MAX_SCHEMA_LENGTH:
        raise ValueError("the schema is too long")
    return IndexSchema.from_json(orjson.loads(text))


def hit_columns(present: Sequence[str]) -> list[str]:
    """The columns that a hit is read from, out of the `present` ones."""
    if _SOURCE in present:
        return [name for name in ("id", CONTENT, _SOURCE) if name in present]
    return [name for name in present if name not in ("vector", WORDS)]


def read_hit(row: Mapping[str, Any], score: float, fields: Iterable[Field]) -> Hit:
    """A row as a hit without rank."""
    return hit_from_source(row["id"], score, _row_source(row), fields)


def read_documents(table: Any, schema: IndexSchema) -> dict[str, StoredDocument]:
    """Rows of all columns as documents by id."""
    vectors = read_vectors(table, schema)
    rows = table.drop_columns(["vector"]).to_pylist()
    return {
        row["id"]: document_from_source(row["id"], vector, _row_source(row), schema.fields)
        for row, vector in zip(rows, vectors, strict=True)
    }


def read_vectors(table: Any, schema: IndexSchema) -> Vectors:
    """The rows' vectors."""
    vectors: Vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, schema.space.dim)
    return vectors


def read_fingerprint(row: Mapping[str, Any]) -> Fingerprint:
    """The fingerprints in a row."""
    return Fingerprint(row["pixels_fingerprint"], row["record_fingerprint"])


def _row_source(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record's JSON with the content, or without that JSON the columns, which have the same names."""
    text = row.get(_SOURCE)
    return {**(row if text is None else orjson.loads(text)), CONTENT: row.get(CONTENT)}


def _record_columns(fields: Iterable[Field]) -> list[pa.Field]:
    names = (_SOURCE, "location", "page", "description", "pixels_fingerprint", "record_fingerprint")
    id = pa.field("id", pa.string(), nullable=False, metadata=_PRIMARY_KEY)
    return [
        id,
        *(pa.field(name, pa.string()) for name in names),
        _words_column(),
        *_field_columns(fields),
    ]


def _field_columns(fields: Iterable[Field]) -> list[pa.Field]:
    return [pa.field(field.name, _arrow_type(field.type)) for field in fields]


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
    columns = {
        "id": record.id,
        _SOURCE: orjson.dumps(record_source(record)).decode(),
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
        WORDS: analyze_record(record),
    }
    return columns | {name: _arrow_value(value) for name, value in record.all_metadata.items()}


def _arrow_value(value: MetadataValue) -> Any:
    match value:
        case datetime():
            return truncate_date(value)
        case GeoPoint():
            return value._asdict()
        case tuple():
            return list(value)
        case _:
            return value
