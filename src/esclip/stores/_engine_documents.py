"""A document as an engine's `_source` has it, there and back.

ImageRecord, vector ─► source ─► {"id": ..., "vector": [...], "country": "Norway", ...}
Hit, Document       ◄──────────┘   a field that is null was removed by an update
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

from esclip._schema import Field, FieldType, IndexSchema
from esclip._types import (
    Document,
    Fingerprint,
    GeoPoint,
    Hit,
    ImageRecord,
    Metadata,
    MetadataValue,
    Vector,
    json_metadata,
    unit_rows,
)
from esclip.stores._dialects import cosine
from esclip.stores._fields import kept_date

__all__ = ["document", "fingerprint", "full_source", "hit", "partial_source"]


def full_source(record: ImageRecord, vector: Vector) -> dict[str, Any]:
    """A whole document; it replaces all that was there, so what is absent is left out."""
    present = {name: value for name, value in _source(record).items() if value is not None}
    return present | {"vector": vector}


def partial_source(record: ImageRecord, schema: IndexSchema) -> dict[str, Any]:
    """All of a document but its vector. What the record lacks is null: that takes it out of the index."""
    return {field.name: None for field in schema.fields} | _source(record)


def _source(record: ImageRecord) -> dict[str, Any]:
    kept = {
        name: kept_date(value) if isinstance(value, datetime) else value
        for name, value in record.metadata.items()
    }
    own = {
        "id": record.id,
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "pixels_fingerprint": record.fingerprint.pixels,
        "record_fingerprint": record.fingerprint.record,
    }
    return json_metadata(kept) | own


def fingerprint(source: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of a stored document."""
    return Fingerprint(source["pixels_fingerprint"], source["record_fingerprint"])


def hit(found: Mapping[str, Any], schema: IndexSchema) -> Hit:
    """A search's hit, its score the true cosine; not ranked yet."""
    source = found["_source"]
    return Hit(
        rank=0,
        id=found["_id"],
        score=cosine(found["_score"]),
        location=source["location"],
        page=source.get("page"),
        description=source["description"],
        metadata=_metadata(source, schema.fields),
    )


def document(found: Mapping[str, Any], schema: IndexSchema) -> Document:
    """A stored document. How its picture was read is not stored: that is where a person finds it."""
    source = found["_source"]
    record = ImageRecord(
        id=found["_id"],
        location=source["location"],
        picture=source["location"],
        version="",
        page=source.get("page"),
        description=source["description"],
        metadata=_metadata(source, schema.fields),
    )
    return Document(record, unit_rows([source["vector"]])[0])


def _metadata(source: Mapping[str, Any], fields: Iterable[Field]) -> Metadata:
    return {
        field.name: _value(source[field.name], field.type)
        for field in fields
        if source.get(field.name) is not None
    }


def _value(value: Any, kind: FieldType) -> MetadataValue:
    match kind:
        case FieldType.KEYWORD | FieldType.TEXT:
            return str(value)
        case FieldType.KEYWORDS:
            return tuple(value)
        case FieldType.INTEGER:
            return int(value)
        case FieldType.FLOAT:
            return float(value)
        case FieldType.BOOLEAN:
            return bool(value)
        case FieldType.DATE:
            return kept_date(datetime.fromisoformat(value))
        case FieldType.GEO_POINT:
            return GeoPoint(value["lat"], value["lon"])
        case _:
            assert_never(kind)
