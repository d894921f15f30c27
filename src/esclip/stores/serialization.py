"""A document as JSON and back: an engine's `_source`, and a column of the embedded store.

StoredDocument       ─► to_source      ─► {"id": ..., "location": ..., "country": "Norway", ...}
Hit, StoredDocument  ◄─ ..._from_source ◄─┘   a field that is null was removed by an update
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

from esclip._core.analysis import analyze_record
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import (
    Fingerprint,
    GeoPoint,
    Hit,
    ImageRecord,
    Metadata,
    MetadataValue,
    StoredDocument,
    Vector,
    json_metadata,
    truncate_date,
)


def to_source(document: StoredDocument) -> dict[str, Any]:
    """A whole document, which replaces an existing one: missing values are left out."""
    content = {"content_fingerprint": document.content} if document.content else {}
    return _indexed_source(document.record, document.fingerprint) | content | {"vector": document.vector}


def to_partial_source(record: ImageRecord, schema: IndexSchema) -> dict[str, Any]:
    """A document without vector and content. Missing values are null, which removes them from the index."""
    absent = {"page": None, **{field.name: None for field in schema.fields}}
    return absent | _indexed_source(record, record.fingerprint)


def record_source(record: ImageRecord) -> dict[str, Any]:
    """What a hit is read from, without the id; missing values are left out."""
    metadata = {
        name: truncate_date(value) if isinstance(value, datetime) else value
        for name, value in record.all_metadata.items()
    }
    texts = {"location": record.location, "description": record.description}
    page = {} if record.page is None else {"page": record.page}
    return json_metadata(metadata) | texts | page


def fingerprint_from_source(source: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of a stored document."""
    return Fingerprint(_text(source, "pixels_fingerprint"), _text(source, "record_fingerprint"))


def hit_from_source(id: str, score: float, source: Mapping[str, Any], fields: Iterable[Field]) -> Hit:
    """A hit that is not ranked yet."""
    return Hit(
        rank=0,
        id=id,
        score=score,
        location=_text(source, "location"),
        page=None if source.get("page") is None else _text(source, "page"),
        description=_text(source, "description"),
        metadata=_metadata(source, fields),
        content=_content(source),
    )


def scored_id(id: str, score: float) -> Hit:
    """A hit of a search for scores only."""
    return Hit(rank=0, id=id, score=score, location="", page=None, description="", metadata={})


def document_from_source(
    id: str, vector: Vector, source: Mapping[str, Any], fields: Iterable[Field]
) -> StoredDocument:
    """A stored document. Its record's `picture` is the location: how it was read is not stored."""
    location = _text(source, "location")
    record = ImageRecord(
        id=id,
        location=location,
        picture=location,
        image_version="",
        page=None if source.get("page") is None else _text(source, "page"),
        description=_text(source, "description"),
        metadata=_metadata(source, fields),
    )
    return StoredDocument(record, vector, _content(source))


def _indexed_source(record: ImageRecord, fingerprint: Fingerprint) -> dict[str, Any]:
    indexed = {
        "id": record.id,
        "pixels_fingerprint": fingerprint.pixels,
        "record_fingerprint": fingerprint.record,
        "words": " ".join(analyze_record(record)),  # one text: an engine takes longer for a list
    }
    return record_source(record) | indexed


def _text(source: Mapping[str, Any], name: str) -> str:
    """A text of a stored document. Raises `KeyError` or `TypeError` where it has none."""
    value = source[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _content(source: Mapping[str, Any]) -> str:
    return _text(source, "content_fingerprint") if source.get("content_fingerprint") else ""


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
            # a column has dates, JSON texts
            return truncate_date(value if isinstance(value, datetime) else datetime.fromisoformat(value))
        case FieldType.GEO_POINT:
            return GeoPoint(float(value["lat"]), float(value["lon"]))
        case _:
            assert_never(kind)
