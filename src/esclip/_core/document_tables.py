"""Documents as Arrow tables: as stores hand them over whole, and as vector caches keep them.

documents ─► document_table ─► id | content | pixels_fingerprint | record_fingerprint | vector
          ◄─ table_documents ◄─┘   | location | page | description | a column for each metadata field
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Fingerprint,
    GeoPoint,
    ImageRecord,
    MetadataValue,
    StoredDocument,
    Vectors,
    truncate_date,
)

OWN_COLUMNS = (
    "id",
    "content",
    "pixels_fingerprint",
    "record_fingerprint",
    "vector",
    "location",
    "page",
    "description",
)
"""The columns beside those of metadata fields, in their order."""

NEAR_UNIT = 1e-6
"""How far from 1 a length computed in float32 is that of a vector scaled to 1."""


def column_name(field: Field) -> str:
    """The column of a metadata field: its name, unless one of `OWN_COLUMNS` has that."""
    return f"metadata.{field.name}" if field.name in OWN_COLUMNS else field.name


def table_schema(schema: IndexSchema, *, half: bool = False) -> pa.Schema:
    """The columns of an index's documents; with `half`, vectors are float16."""
    number = pa.float16() if half else pa.float32()
    vector = pa.field("vector", pa.list_(number, schema.space.dim))
    own = [vector if name == "vector" else pa.field(name, pa.string()) for name in OWN_COLUMNS]
    return pa.schema([*own, *(pa.field(column_name(one), arrow_type(one.type)) for one in schema.fields)])


def arrow_type(kind: FieldType) -> pa.DataType:
    """The type of a metadata field's column."""
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


def arrow_value(value: MetadataValue) -> Any:
    """A metadata value as a column takes it."""
    match value:
        case datetime():
            return truncate_date(value)
        case GeoPoint():
            return value._asdict()
        case tuple():
            return list(value)
        case _:
            return value


def document_table(documents: Sequence[StoredDocument], schema: IndexSchema) -> pa.Table:
    """Documents as rows of the columns of `table_schema`."""
    columns = table_schema(schema)
    records = [document.record for document in documents]
    fingerprints = [document.fingerprint for document in documents]
    values: dict[str, Any] = {
        "id": [record.id for record in records],
        "content": [document.content or None for document in documents],
        "pixels_fingerprint": [fingerprint.pixels for fingerprint in fingerprints],
        "record_fingerprint": [fingerprint.record for fingerprint in fingerprints],
        "vector": vector_column([document.vector for document in documents], schema.space.dim),
        "location": [record.location for record in records],
        "page": [record.page for record in records],
        "description": [record.description for record in records],
    }
    metadata = [record.all_metadata for record in records]
    for field in schema.fields:
        values[column_name(field)] = [
            arrow_value(one[field.name]) if field.name in one else None for one in metadata
        ]
    return pa.table(
        [
            values[name] if name == "vector" else pa.array(values[name], columns.field(name).type)
            for name in columns.names
        ],
        schema=columns,
    )


def vector_column(vectors: Sequence[Any] | Vectors, dim: int) -> pa.Array:
    """Vectors, or rows of an array of shape (n, dim), as the column `vector`."""
    if not isinstance(vectors, np.ndarray):
        vectors = np.concatenate(vectors) if len(vectors) else np.empty(0, dtype=np.float32)
    flat = vectors.reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.astype(np.float32, copy=False)), dim)


def read_vectors(table: pa.Table) -> Vectors:
    """The column `vector`, of float32 or float16, as rows of shape (n, dim), float32."""
    return _vectors(table["vector"].combine_chunks())


def _vectors(column: pa.Array) -> Vectors:
    rows = column.flatten().to_numpy(zero_copy_only=False)
    vectors: Vectors = rows.astype(np.float32, copy=False).reshape(-1, column.type.list_size)
    return vectors


def vector_lengths(vectors: Vectors) -> npt.NDArray[np.float64]:
    """The length of each row: in float64, but for those so near to 1 that float32 is exact enough."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        lengths: npt.NDArray[np.float64] = np.sqrt(squares, dtype=np.float64)
        others = np.flatnonzero(~(np.abs(lengths - 1) < NEAR_UNIT))
        lengths[others] = np.linalg.norm(vectors[others].astype(np.float64), axis=1)
    return lengths


def row_problems(table: pa.Table, schema: IndexSchema) -> dict[int, str]:
    """Why no store can keep some of the rows, by their numbers."""
    chunks = [vector_lengths(_vectors(chunk)) for chunk in table["vector"].chunks]  # joined, they'd be copied
    lengths = np.concatenate([*chunks, np.empty(0)])
    usable = np.isfinite(lengths) & (lengths > 0)
    problems = dict.fromkeys(np.flatnonzero(~usable).tolist(), "the vector is zero or not finite")
    for name in ("id", "location", "pixels_fingerprint", "record_fingerprint"):
        problems |= dict.fromkeys(_rows_where(pc.is_null(table[name])), f"it has no {name}")
    present = set(table.column_names)
    for field in schema.fields:
        if (name := column_name(field)) not in present:
            continue
        if field.type is FieldType.FLOAT:
            wrong = pc.invert(pc.is_finite(table[name]))
        elif field.type is FieldType.GEO_POINT:
            wrong = _no_places(table[name])
        else:
            continue
        problem = f"field {field.name} is {field.type.value}, which its value is not"
        problems |= dict.fromkeys(_rows_where(pc.and_(pc.is_valid(table[name]), wrong)), problem)
    return problems


def _no_places(column: Any) -> Any:
    degrees = {name: pc.struct_field(column, name) for name in ("lat", "lon")}
    inside = [
        pc.fill_null(pc.less_equal(pc.abs(degrees[name]), limit), False)
        for name, limit in (("lat", 90.0), ("lon", 180.0))
    ]
    return pc.invert(pc.and_(*inside))


def _rows_where(mask: Any) -> list[int]:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False)).tolist()


def table_documents(table: pa.Table, schema: IndexSchema) -> list[StoredDocument]:
    """Rows of such a table as documents with the fields of `schema` that it has. A record's `picture` is its
    location.
    """
    vectors = read_vectors(table)
    own = {name: table[name].to_pylist() for name in OWN_COLUMNS if name != "vector"}
    present = set(table.column_names)
    fields = [
        (field, _values(table[name].to_pylist(), field.type))
        for field in schema.fields
        if (name := column_name(field)) in present
    ]
    documents: list[StoredDocument] = []
    for n, vector in enumerate(vectors):
        location = own["location"][n]
        record = ImageRecord(
            id=own["id"][n],
            location=location,
            picture=location,
            image_version="",
            page=own["page"][n],
            description=own["description"][n] or "",
            metadata={field.name: values[n] for field, values in fields if values[n] is not None},
            stored_as=Fingerprint(own["pixels_fingerprint"][n] or "", own["record_fingerprint"][n] or ""),
        )
        documents.append(StoredDocument(record, vector, own["content"][n] or ""))
    return documents


def _values(column: Iterable[Any], kind: FieldType) -> list[Any]:
    """A metadata field's column as values; None where a document has none."""
    match kind:
        case FieldType.KEYWORDS:
            return [None if value is None else tuple(value) for value in column]
        case FieldType.GEO_POINT:
            return [None if value is None else GeoPoint(value["lat"], value["lon"]) for value in column]
        case FieldType.DATE:
            return [None if value is None else value.replace(tzinfo=UTC) for value in column]
        case _:
            return list(column)
