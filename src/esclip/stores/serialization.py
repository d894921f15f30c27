"""A document as JSON, there and back: what an engine calls its `_source`, and the embedded store a column.

ImageRecord    ─► source ─► {"id": ..., "location": ..., "country": "Norway", ...}
Hit, Document  ◄───────────┘   a field that is null was removed by an update
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

from esclip._core.analysis import analyze_record
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Document,
    Fingerprint,
    GeoPoint,
    Hit,
    ImageRecord,
    Metadata,
    MetadataValue,
    Vector,
    json_metadata,
)
from esclip.stores.validation import stored_date

__all__ = ["document", "fingerprint", "hit", "record_source", "score_hit", "to_partial_source", "to_source"]


def to_source(document: Document) -> dict[str, Any]:
    """A whole document; it replaces all that was there, so what is absent is left out."""
    content = {"content_fingerprint": document.content} if document.content else {}
    return _identified(document.record) | content | {"vector": document.vector}


def to_partial_source(record: ImageRecord, schema: IndexSchema) -> dict[str, Any]:
    """All of a document but its picture's. What the record lacks is null: that takes it out of the index."""
    absent = {"page": None, **{field.name: None for field in schema.fields}}
    return absent | _identified(record)


def _identified(record: ImageRecord) -> dict[str, Any]:
    fingerprint = record.fingerprint
    own = {
        "id": record.id,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
        "words": " ".join(analyze_record(record)),  # as one text: an engine takes longer for a list
    }
    return record_source(record) | own


def record_source(record: ImageRecord) -> dict[str, Any]:
    """What a hit is made of, but its id; what the record lacks is left out."""
    kept = {
        name: stored_date(value) if isinstance(value, datetime) else value
        for name, value in record.all_metadata.items()
    }
    own = {"location": record.location, "description": record.description}
    page = {} if record.page is None else {"page": record.page}
    return json_metadata(kept) | own | page


def fingerprint(record_source: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of a stored document."""
    return Fingerprint(_text(record_source, "pixels_fingerprint"), _text(record_source, "record_fingerprint"))


def hit(id: str, score: float, record_source: Mapping[str, Any], fields: Iterable[Field]) -> Hit:
    """A search's hit, its score the true cosine; not ranked yet."""
    return Hit(
        rank=0,
        id=id,
        score=score,
        location=_text(record_source, "location"),
        page=None if record_source.get("page") is None else _text(record_source, "page"),
        description=_text(record_source, "description"),
        metadata=_metadata(record_source, fields),
        content=_content(record_source),
    )


def score_hit(id: str, score: float) -> Hit:
    """A hit of a search for scores alone."""
    return Hit(rank=0, id=id, score=score, location="", page=None, description="", metadata={})


def document(id: str, vector: Vector, record_source: Mapping[str, Any], fields: Iterable[Field]) -> Document:
    """A stored document. How its picture was read is not stored: that is where a person finds it."""
    record = ImageRecord(
        id=id,
        location=_text(record_source, "location"),
        picture=_text(record_source, "location"),
        image_version="",
        page=None if record_source.get("page") is None else _text(record_source, "page"),
        description=_text(record_source, "description"),
        metadata=_metadata(record_source, fields),
    )
    return Document(record, vector, _content(record_source))


def _text(record_source: Mapping[str, Any], name: str) -> str:
    """A document's own text. Raises `KeyError` or `TypeError` for a document that lacks it."""
    value = record_source[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _content(record_source: Mapping[str, Any]) -> str:
    return _text(record_source, "content_fingerprint") if record_source.get("content_fingerprint") else ""


def _metadata(record_source: Mapping[str, Any], fields: Iterable[Field]) -> Metadata:
    return {
        field.name: _value(record_source[field.name], field.type)
        for field in fields
        if record_source.get(field.name) is not None
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
            # columns have dates, JSON has their text
            return stored_date(value if isinstance(value, datetime) else datetime.fromisoformat(value))
        case FieldType.GEO_POINT:
            return GeoPoint(float(value["lat"]), float(value["lon"]))
        case _:
            assert_never(kind)
