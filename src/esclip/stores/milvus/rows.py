"""Documents and schema as Milvus keeps them.

id | vector | location | page | description | pixels_fingerprint | record_fingerprint | content_fingerprint
   | words                 between spaces, for `like`
   | m_country, m_likes    dynamic fields: a server of any version, and Milvus Lite, gets new ones at any time
properties  esclip: the index's schema as JSON
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from esclip._core.analysis import analyze_record
from esclip._core.histogram import from_milliseconds, to_milliseconds
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    MAX_ID_BYTES,
    GeoPoint,
    Hit,
    MetadataValue,
    StoredDocument,
    Vectors,
    truncate_date,
)
from esclip.stores.milvus.filters import join_texts
from esclip.stores.milvus.names import joined_key, latitude_key, longitude_key, value_key
from esclip.stores.serialization import document_from_source, hit_from_source

SCHEMA_KEY = "esclip"
"""The property of a collection that keeps the index's schema."""

MAX_TEXT_BYTES = 65_535
"""Of a text in Milvus, in UTF-8; of all metadata of a document together, as JSON, too."""

FINGERPRINTS = ("pixels_fingerprint", "record_fingerprint")
CONTENT = "content_fingerprint"
TEXTS = ("location", "page", "description", *FINGERPRINTS, CONTENT, "words")


def collection_schema(pymilvus: Any, dim: int) -> Any:
    """The fields of an index's collection, as pymilvus describes them."""
    kinds = pymilvus.DataType
    schema = pymilvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=MAX_ID_BYTES)
    schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dim)
    for name in TEXTS:
        schema.add_field(name, kinds.VARCHAR, max_length=MAX_TEXT_BYTES, nullable=name == "page")
    return schema


def schema_text(schema: IndexSchema) -> str:
    """The schema as a collection's property keeps it."""
    return orjson.dumps(schema.to_json()).decode()


def read_schema(properties: Mapping[str, Any]) -> IndexSchema:
    """The schema in a collection's properties. Raises `ValueError` or `KeyError` for those of others."""
    return IndexSchema.from_json(orjson.loads(properties[SCHEMA_KEY]))


def document_row(document: StoredDocument, schema: IndexSchema) -> dict[str, Any]:
    """A document as a row; keys of metadata that it lacks are null."""
    record, fingerprint = document.record, document.fingerprint
    row = {
        "id": record.id,
        "vector": np.asarray(document.vector, dtype=np.float32),
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
        CONTENT: document.content,
        "words": f" {' '.join(analyze_record(record))} ",
    }
    # Milvus Lite merges a document into that which has its id: without nulls, former metadata would stay
    row |= dict.fromkeys(metadata_keys(schema.fields))
    values = record.all_metadata
    for field in schema.fields:
        if (value := values.get(field.name)) is not None and value != ():
            row |= _pairs(field, value)
    return row


def row_problem(row: Mapping[str, Any]) -> str | None:
    """Why Milvus can't keep a row, in one line; None when it can."""
    if len(row["id"].encode()) > MAX_ID_BYTES:
        return f"the id is longer than {MAX_ID_BYTES} bytes"
    for name in TEXTS:
        if (size := len((row[name] or "").encode())) > MAX_TEXT_BYTES:
            return f"its {name} has {size:,} bytes, of which Milvus keeps {MAX_TEXT_BYTES:,}"
    own = {"id", "vector", *TEXTS}
    metadata = {name: value for name, value in row.items() if name not in own and value is not None}
    if (size := len(orjson.dumps(metadata))) > MAX_TEXT_BYTES:
        return f"its metadata has {size:,} bytes as JSON, of which Milvus keeps {MAX_TEXT_BYTES:,}"
    return None


def row_size(row: Mapping[str, Any]) -> int:
    """About how many bytes a row is in a request."""
    texts = sum(len(row[name] or "") for name in TEXTS)
    return 4 * len(row["vector"]) + 2 * texts + 64 * len(row)


def metadata_keys(fields: Iterable[Field]) -> list[str]:
    """The dynamic fields that metadata may have."""
    return [key for field in fields for key in (*_value_keys(field), *_joined_keys(field))]


def hit_columns(fields: Iterable[Field]) -> list[str]:
    """What a hit is read from."""
    keys = [key for field in fields for key in _value_keys(field)]
    return ["location", "page", "description", CONTENT, *keys]


def read_hit(row: Mapping[str, Any], score: float, fields: Sequence[Field]) -> Hit:
    """A row as a hit without rank."""
    return hit_from_source(row["id"], score, _source(row, fields), fields)


def read_document(row: Mapping[str, Any], fields: Sequence[Field]) -> StoredDocument:
    """A row as a document."""
    vector = np.array(row["vector"], dtype=np.float32)
    return document_from_source(row["id"], vector, _source(row, fields), fields)


def read_vectors(rows: Sequence[Mapping[str, Any]], dim: int) -> Vectors:
    """The rows' vectors, shape (n, dim)."""
    return np.array([row["vector"] for row in rows], dtype=np.float32).reshape(-1, dim)


def _value_keys(field: Field) -> list[str]:
    if field.type is FieldType.GEO_POINT:
        return [latitude_key(field), longitude_key(field)]
    return [value_key(field)]


def _joined_keys(field: Field) -> list[str]:
    return [joined_key(field)] if field.type is FieldType.KEYWORDS else []


def _pairs(field: Field, value: MetadataValue) -> dict[str, Any]:
    """The dynamic fields of a value."""
    if isinstance(value, GeoPoint):
        return {latitude_key(field): float(value.lat), longitude_key(field): float(value.lon)}
    if isinstance(value, tuple):
        return {value_key(field): list(value), joined_key(field): join_texts(map(str, value))}
    return {value_key(field): to_milliseconds(truncate_date(value)) if isinstance(value, datetime) else value}


def _source(row: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """A row as `serialization` reads documents."""
    source = {name: row.get(name) for name in ("location", "page", "description", CONTENT)}
    return source | {field.name: _value(row, field) for field in fields}


def _value(row: Mapping[str, Any], field: Field) -> Any:
    if field.type is FieldType.GEO_POINT:
        lat, lon = row.get(latitude_key(field)), row.get(longitude_key(field))
        return None if lat is None or lon is None else {"lat": lat, "lon": lon}
    value = row.get(value_key(field))
    return from_milliseconds(value) if field.type is FieldType.DATE and value is not None else value
