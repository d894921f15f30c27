"""A record as JSON, for ledgers and manifests, without loss; only credentials in its URLs are masked.

The fingerprint stays the same: a record that a retry has ingested is unchanged for the next ingest of its
source. A URL with credentials is not fetched, masked or not. orjson can't do it: a file's name may not be
UTF-8, and a number may be infinite.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from esclip._core.types import (
    PICTURE,
    TEXT,
    Fingerprint,
    GeoPoint,
    ImageRecord,
    MetadataValue,
    content_fingerprint,
)
from esclip._errors.secrets import mask
from esclip._files.archives import archive_of
from esclip._files.buckets import is_bucket_address
from esclip._files.paths import path_of


def escape_surrogates(text: str) -> str:
    """The text with lone surrogates, which UTF-8 can't encode, as escape sequences."""
    return text.encode("utf-8", "backslashreplace").decode()


def to_read_again(record: ImageRecord) -> ImageRecord | None:
    """The record with the place where its picture is read; None where that was in memory alone.

    Of a row of a table with pictures this is its location, and only the bytes that it has now are its own: a
    record that somebody else has made can name any place.
    """
    if not isinstance(record.picture, bytes):
        return record
    in_bucket = is_bucket_address(record.location)
    if archive_of(record.location) is None or ("://" in record.location and not in_bucket):
        return None
    held = record.picture  # empty once an ingest has let go of it; of bytes the version is their fingerprint
    content = content_fingerprint(held) if held else record.image_version
    picture = record.location if in_bucket else path_of(record.location)
    return replace(record, picture=picture, content=content)


def dump_record(record: ImageRecord) -> str:
    """Write the record as JSON, in ASCII. Its picture is not only in memory."""
    picture = record.picture
    assert not isinstance(picture, bytes)
    fields = {"picture_fields": record.picture_fields} if record.picture_fields else {}
    return json.dumps(
        {
            "id": record.id,
            "location": mask(record.location),
            "picture": mask(picture) if isinstance(picture, str) else {"file": str(picture)},
            "version": mask(record.image_version),
            "page": record.page,
            "description": "" if record.caption_by else record.description,  # a machine writes it again
            "captioned": record.captioned,
            "metadata": {name: _json_value(value) for name, value in record.metadata.items()},
            **fields,
            **({"kind": record.kind} if record.kind != PICTURE else {}),
            **({"content": record.content} if record.content is not None else {}),
            **({"stored_as": [*record.stored_as]} if record.stored_as is not None else {}),
        }
    )


def load_record(text: str) -> ImageRecord:
    """Read what `dump_record` wrote. Raises `LookupError`, `TypeError` or `ValueError` for other texts."""
    data = json.loads(text)
    picture = data["picture"]
    return ImageRecord(
        id=_text(data["id"]),
        location=_text(data["location"]),
        picture=picture if isinstance(picture, str) else Path(_text(picture["file"])),
        image_version=_text(data["version"]),
        page=None if data["page"] is None else _text(data["page"]),
        description=_text(data["description"]),
        captioned=_captioned(data.get("captioned")),
        picture_fields=tuple(map(_text, data.get("picture_fields", ()))),
        kind=TEXT if data.get("kind") == TEXT else PICTURE,
        content=_text(data["content"]) if "content" in data else None,
        stored_as=Fingerprint(*map(_text, data["stored_as"])) if "stored_as" in data else None,
        metadata={name: _value(value) for name, value in data["metadata"].items()},
    )


def _json_value(value: MetadataValue) -> Any:
    match value:
        case datetime():
            return {"date": value.isoformat()}
        case GeoPoint(lat, lon):
            return {"lat": lat, "lon": lon}
        case _:
            return value


def _value(value: Any) -> MetadataValue:
    match value:
        case {"date": date}:
            return datetime.fromisoformat(_text(date))
        case {"lat": int() | float() as lat, "lon": int() | float() as lon}:
            return GeoPoint(lat, lon)
        case list():
            return tuple(map(_text, value))
        case str() | int() | float():  # a boolean is an integer
            return value
        case _:
            raise TypeError("no metadata")


def _captioned(value: Any) -> bool | None:
    if not isinstance(value, bool | None):
        raise TypeError("neither captioned nor not")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
