"""Documents as the embedded store's columns have them, and back; conditions as its SQL. Pure functions.

id | vector | location | page | description | pixels_fingerprint | record_fingerprint | one per field
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

import numpy as np
import pyarrow as pa

from esclip._schema import Condition, Field, FieldType, IndexSchema
from esclip._types import Document, Fingerprint, GeoPoint, Hit, ImageRecord, Metadata, MetadataValue
from esclip.stores._fields import kept_date

__all__ = [
    "arrow_schema",
    "document_table",
    "field_columns",
    "filter_sql",
    "hit_of",
    "ids_sql",
    "read_document",
    "read_fingerprint",
    "record_table",
]

_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two processes that write the same new id at once leave it twice (lancedb #2463)."""


def arrow_schema(schema: IndexSchema) -> pa.Schema:
    """All columns of an index."""
    vector = pa.field("vector", pa.list_(pa.float32(), schema.space.dim))
    id, *others = _own_columns()
    return pa.schema([id, vector, *others, *field_columns(schema.fields)])


def field_columns(fields: Iterable[Field]) -> list[pa.Field]:
    """The columns of metadata fields."""
    return [pa.field(field.name, _arrow_type(field.type)) for field in fields]


def document_table(documents: Sequence[Document], schema: IndexSchema) -> pa.Table:
    """Documents as rows of all columns."""
    flat = np.concatenate([document.vector for document in documents], dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), schema.space.dim)
    table = record_table([document.record for document in documents], schema)
    columns = arrow_schema(schema)
    return table.add_column(1, columns.field("vector"), vectors).cast(columns)


def record_table(records: Sequence[ImageRecord], schema: IndexSchema) -> pa.Table:
    """Records as rows of all columns but the vector; metadata that a record lacks is null."""
    columns = pa.schema([*_own_columns(), *field_columns(schema.fields)])
    return pa.Table.from_pylist([_row(record) for record in records], schema=columns)


def hit_of(row: Mapping[str, Any], fields: Iterable[Field]) -> Hit:
    """A found row as a hit without rank."""
    score = min(1.0, max(-1.0, 1.0 - row["_distance"]))
    metadata = _read_metadata(row, fields)
    return Hit(0, row["id"], score, row["location"], row["page"], row["description"], metadata)


def read_document(row: Mapping[str, Any], fields: Iterable[Field]) -> Document:
    """A row as a document. Of the picture's version only a fingerprint is kept: it comes back empty."""
    record = ImageRecord(
        id=row["id"],
        location=row["location"],
        picture=row["location"],
        version="",
        page=row["page"],
        description=row["description"],
        metadata=_read_metadata(row, fields),
    )
    return Document(record, np.asarray(row["vector"], dtype=np.float32))


def read_fingerprint(row: Mapping[str, Any]) -> Fingerprint:
    """The fingerprints that were written with a row."""
    return Fingerprint(row["pixels_fingerprint"], row["record_fingerprint"])


def filter_sql(where: Iterable[Condition]) -> str | None:
    """The conditions, all of which must hold, as SQL; None when there are none."""
    return " AND ".join(_condition_sql(condition) for condition in where) or None


def ids_sql(ids: Iterable[str]) -> str:
    """SQL that is true for these ids."""
    return f"id IN ({', '.join(_quoted(id) for id in ids)})"


def _own_columns() -> list[pa.Field]:
    names = ("location", "page", "description", "pixels_fingerprint", "record_fingerprint")
    id = pa.field("id", pa.string(), nullable=False, metadata=_PRIMARY_KEY)
    return [id, *(pa.field(name, pa.string()) for name in names)]


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
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
    }
    return own | {name: _arrow_value(value) for name, value in record.metadata.items()}


def _arrow_value(value: MetadataValue) -> Any:
    match value:
        case datetime():
            return kept_date(value)
        case GeoPoint():
            return value._asdict()
        case tuple():
            return list(value)
        case _:
            return value


def _read_metadata(row: Mapping[str, Any], fields: Iterable[Field]) -> Metadata:
    return {
        field.name: _read_value(row[field.name], field.type)
        for field in fields
        if row.get(field.name) is not None
    }


def _read_value(value: Any, kind: FieldType) -> MetadataValue:
    match kind:
        case FieldType.KEYWORDS:
            return tuple(value)
        case FieldType.DATE:
            date: datetime = value
            return date.astimezone(UTC)
        case FieldType.GEO_POINT:
            return GeoPoint(value["lat"], value["lon"])
        case _:
            scalar: MetadataValue = value
            return scalar


def _condition_sql(condition: Condition) -> str:
    column = f"`{condition.field.name}`"
    value = condition.value
    match condition.field.type:
        case FieldType.KEYWORD | FieldType.TEXT:
            return f"{column} = {_quoted(str(value))}"
        case FieldType.KEYWORDS:
            return f"array_has({column}, {_quoted(str(value))})"
        case FieldType.INTEGER:
            return f"{column} = CAST({_quoted(str(value))} AS BIGINT)"
        case FieldType.FLOAT:
            return f"{column} = CAST({_quoted(repr(value))} AS DOUBLE)"
        case FieldType.BOOLEAN:
            return f"{column} = {'true' if value else 'false'}"
        case FieldType.DATE if isinstance(value, datetime):
            # A cast number, because how a date is spelt in SQL and in which zone it is read vary.
            milliseconds = round(kept_date(value).timestamp() * 1000)
            return f"{column} = arrow_cast({milliseconds}, 'Timestamp(Millisecond, Some(\"UTC\"))')"
        case FieldType.DATE | FieldType.GEO_POINT:
            raise ValueError(f"{condition.field.name} can't be compared with {value!r}.")
        case _:
            assert_never(condition.field.type)


def _quoted(text: str) -> str:
    """A string for SQL, whatever it holds: quotes are doubled, and nothing else means anything in it."""
    return "'" + text.replace("'", "''") + "'"
