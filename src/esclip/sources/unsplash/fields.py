"""The metadata of a photo: which fields there are, and how a row's text becomes their typed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from esclip._core.schema import Field, FieldType
from esclip._core.types import MetadataValue
from esclip.sources.unsplash.joins import PhotoDetails
from esclip.sources.unsplash.values import date, flag, integer, place, real

__all__ = ["FIELDS", "KNOWN_COLUMNS", "photo_metadata"]

COLUMN_FIELDS: Mapping[str, tuple[str, FieldType]] = {
    "ai_description": ("ai_description", FieldType.TEXT),
    "photographer_username": ("photographer_username", FieldType.KEYWORD),
    "camera_make": ("exif_camera_make", FieldType.KEYWORD),
    "camera_model": ("exif_camera_model", FieldType.KEYWORD),
    "iso": ("exif_iso", FieldType.INTEGER),
    "aperture": ("exif_aperture_value", FieldType.FLOAT),
    "focal_length": ("exif_focal_length", FieldType.FLOAT),
    "exposure_time": ("exif_exposure_time", FieldType.KEYWORD),
    "place": ("photo_location_name", FieldType.KEYWORD),
    "country": ("photo_location_country", FieldType.KEYWORD),
    "city": ("photo_location_city", FieldType.KEYWORD),
    "landmark": ("ai_primary_landmark_name", FieldType.KEYWORD),
    "landmark_confidence": ("ai_primary_landmark_confidence", FieldType.FLOAT),
    "width": ("photo_width", FieldType.INTEGER),
    "height": ("photo_height", FieldType.INTEGER),
    "aspect_ratio": ("photo_aspect_ratio", FieldType.FLOAT),
    "submitted_at": ("photo_submitted_at", FieldType.DATE),
    "featured": ("photo_featured", FieldType.BOOLEAN),
    "views": ("stats_views", FieldType.INTEGER),
    "downloads": ("stats_downloads", FieldType.INTEGER),
}
"""Fields that are one column's value, and that column."""

OTHER_FIELDS: Mapping[str, FieldType] = {
    "photographer": FieldType.KEYWORD,
    "orientation": FieldType.KEYWORD,
    "point": FieldType.GEO_POINT,
    "landmark_point": FieldType.GEO_POINT,
    "keywords": FieldType.KEYWORDS,
    "keywords_from": FieldType.KEYWORD,
    "colors": FieldType.KEYWORDS,
    "collections": FieldType.KEYWORDS,
}
"""Fields that are made of several columns, or of another table."""

FIELDS = (
    *(Field(name, type) for name, (_, type) in COLUMN_FIELDS.items()),
    *(Field(name, type) for name, type in OTHER_FIELDS.items()),
)

KNOWN_COLUMNS = frozenset(column for column, _ in COLUMN_FIELDS.values()) | {
    "photo_id",
    "photo_url",
    "photo_image_url",
    "photo_description",
    "photographer_first_name",
    "photographer_last_name",
    "photo_location_latitude",
    "photo_location_longitude",
    "ai_primary_landmark_latitude",
    "ai_primary_landmark_longitude",
    "blur_hash",
}

PARSERS: Mapping[FieldType, Callable[[str], MetadataValue | None]] = {
    FieldType.KEYWORD: str,
    FieldType.TEXT: str,
    FieldType.INTEGER: integer,
    FieldType.FLOAT: real,
    FieldType.BOOLEAN: flag,
    FieldType.DATE: date,
}


def photo_metadata(row: Mapping[str, str], details: PhotoDetails) -> dict[str, MetadataValue]:
    """What a row, by column and without nulls, and other tables tell; what can't be parsed is left out."""
    found: dict[str, MetadataValue | None] = {
        name: PARSERS[type](row[column]) for name, (column, type) in COLUMN_FIELDS.items() if column in row
    }
    names = (row.get("photographer_first_name"), row.get("photographer_last_name"))
    found |= {
        "photographer": " ".join(name for name in names if name),
        "orientation": _orientation(found.get("width"), found.get("height")),
        "point": _place(row, "photo_location"),
        "landmark_point": _place(row, "ai_primary_landmark"),
        **details._asdict(),
    }
    return {name: value for name, value in found.items() if value is not None and value not in ("", ())}


def _place(row: Mapping[str, str], prefix: str) -> MetadataValue | None:
    return place(row.get(f"{prefix}_latitude", ""), row.get(f"{prefix}_longitude", ""))


def _orientation(width: MetadataValue | None, height: MetadataValue | None) -> str | None:
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        return None
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"
