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
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from esclip._core.analysis import analyze_record
from esclip._core.column_analysis import analyze_columns
from esclip._core.document_tables import OWN_COLUMNS, arrow_type, arrow_value, column_name, table_schema
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Fingerprint,
    Hit,
    ImageRecord,
    StoredDocument,
    Vectors,
)
from esclip._errors import StoreError
from esclip.stores.serialization import document_from_source, hit_from_source, record_source

CONTENT = "content_fingerprint"
"""The column of `StoredDocument.content`."""

WORDS = "words"
"""The column of a record's words."""

SCHEMA_KEY = "esclip"
"""The metadata key of the index's schema."""

MAX_SCHEMA_LENGTH = 1 << 22
"""Characters: enough for thousands of fields and a thousand labels."""

TEXT_TYPES = frozenset({FieldType.KEYWORD, FieldType.KEYWORDS, FieldType.TEXT})
"""Of fields whose values have words."""

_SOURCE = "_source"

_DATE = "%Y-%m-%dT%H:%M:%SZ"
"""Of milliseconds: Arrow writes them with their decimals."""

_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two merges of other programs write a new id that both have twice (lancedb #2463)."""


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
    table = record_table(
        [document.record for document in documents],
        schema,
        [document.fingerprint for document in documents],
    )
    columns = arrow_schema(schema)
    table = table.add_column(1, columns.field("vector"), vectors)
    return table.add_column(2, columns.field(CONTENT), contents).cast(columns)


def record_table(
    records: Iterable[ImageRecord], schema: IndexSchema, fingerprints: Iterable[Fingerprint] | None = None
) -> pa.Table:
    """Records as rows of all columns but vector and content; missing metadata is null.

    `fingerprints` are those of the documents, where they aren't the records'.
    """
    columns = pa.schema(_record_columns(schema.fields))
    records = list(records)
    known = fingerprints or (record.fingerprint for record in records)
    return pa.Table.from_pylist(list(map(_row, records, known)), schema=columns)


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


def whole_columns(present: Sequence[str], schema: IndexSchema) -> list[str]:
    """The columns that hold a document, out of the `present` ones: the others are made of these."""
    names = {CONTENT, *OWN_COLUMNS, *(field.name for field in schema.fields)}
    return [name for name in present if name in names]


def exchange_table(table: pa.Table, schema: IndexSchema) -> pa.Table:
    """Rows of these columns as stores hand over documents; a column that is missing has no values."""
    ours = {column_name(field): field.name for field in schema.fields} | {"content": CONTENT}
    columns = table_schema(schema)
    present = set(table.column_names)
    return pa.table(
        [
            table[name].cast(column.type) if name in present else pa.nulls(len(table), column.type)
            for column in columns
            for name in [ours.get(column.name, column.name)]
        ],
        schema=columns,
    )


def merge_table(table: pa.Table, schema: IndexSchema) -> pa.Table:
    """Documents as stores hand them over, as rows of all columns of an index; its fields stay its own."""
    names = {CONTENT: "content"} | {field.name: column_name(field) for field in schema.fields}
    present, columns = set(table.column_names), arrow_schema(schema)
    made = {_SOURCE: pa.array(_sources(table, schema), pa.string()), WORDS: _words(table, schema)}
    return pa.table(
        [
            made[column.name]
            if column.name in made
            else table[name].cast(column.type)
            if name in present
            else pa.nulls(len(table), column.type)
            for column in columns
            for name in [names.get(column.name, column.name)]
        ],
        schema=columns,
    )


def _sources(table: pa.Table, schema: IndexSchema) -> list[bytes]:
    """The records' JSON, made of the columns as `_row` makes it of records."""
    columns = {name: table[name] for name in ("location", "page", "description")}
    columns["description"] = pc.fill_null(columns["description"], "")
    for field in schema.fields:
        if (name := column_name(field)) in table.column_names:
            is_date = field.type is FieldType.DATE
            columns[field.name] = pc.strftime(table[name], format=_DATE) if is_date else table[name]
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    if not any(column.null_count for column in columns.values()):
        return [orjson.dumps(dict(zip(columns, row, strict=False))) for row in rows]
    return [
        orjson.dumps({name: value for name, value in zip(columns, row, strict=False) if value is not None})
        for row in rows
    ]


def _words(table: pa.Table, schema: IndexSchema) -> pa.Array:
    """The records' words."""
    names = {field.name: column_name(field) for field in schema.fields if field.type in TEXT_TYPES}
    present = set(table.column_names)
    columns = {field: table[name].combine_chunks() for field, name in names.items() if name in present}
    # a field may be called like the description, which is a column of its own
    spoken = {"": table["description"].combine_chunks()} | columns
    return analyze_columns(spoken, len(table))


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
    return [pa.field(field.name, arrow_type(field.type)) for field in fields]


def _words_column() -> pa.Field:
    return pa.field(WORDS, pa.list_(pa.string()))


def _row(record: ImageRecord, fingerprint: Fingerprint) -> dict[str, Any]:
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
    return columns | {name: arrow_value(value) for name, value in record.all_metadata.items()}
