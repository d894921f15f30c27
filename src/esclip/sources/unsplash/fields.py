"""The text of a photo's row as values: the fields of its metadata, and the URL of its picture.

A cell that can't be parsed gives no value: parsers return None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from esclip._core.picture_color import COLOR
from esclip._core.schema import Field, FieldType
from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import GeoPoint, MetadataValue
from esclip.sources.unsplash.joins import PhotoDetails

SIDE = 224
"""Pixels of a downloaded picture's shortest side: the input size of most encoders."""

WIDTH_UNKNOWN = 640
"""Requested width where the picture's shape is unknown: enough for panoramas up to 20:7."""

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
    COLOR: FieldType.KEYWORD,
    "point": FieldType.GEO_POINT,
    "landmark_point": FieldType.GEO_POINT,
    "keywords": FieldType.KEYWORDS,
    "keywords_from": FieldType.KEYWORD,
    "colors": FieldType.KEYWORDS,
    "collections": FieldType.KEYWORDS,
}
"""Fields computed from several columns, or from another table."""

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


def photo_metadata(row: Mapping[str, str], details: PhotoDetails) -> dict[str, MetadataValue]:
    """The metadata of a photo, from its row without nulls and from the other tables.

    Values that can't be parsed are left out.
    """
    metadata: dict[str, MetadataValue | None] = {
        name: PARSERS[type](row[column]) for name, (column, type) in COLUMN_FIELDS.items() if column in row
    }
    names = (row.get("photographer_first_name"), row.get("photographer_last_name"))
    metadata |= {
        "photographer": " ".join(name for name in names if name),
        "orientation": _orientation(metadata.get("width"), metadata.get("height")),
        COLOR: blur_hash_color(row.get("blur_hash", "")),
        "point": _point(row, "photo_location"),
        "landmark_point": _point(row, "ai_primary_landmark"),
        **details._asdict(),
    }
    return {name: value for name, value in metadata.items() if value is not None and value not in ("", ())}


_BASE_83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blur_hash_color(blur_hash: str) -> str | None:
    """The mean colour of a picture that its BlurHash has in its third to sixth character.

    As https://github.com/woltapp/blurhash describes: the same that `_images/color.py` computes.
    """
    digits = [_BASE_83.find(character) for character in blur_hash]
    if len(digits) < 6 or min(digits) < 0:
        return None
    columns, rows = digits[0] % 9 + 1, digits[0] // 9 + 1
    value = sum(digit * 83**power for power, digit in enumerate(reversed(digits[2:6])))
    is_whole = len(digits) == 4 + 2 * columns * rows and value < 1 << 24
    return f"#{value:06x}" if is_whole else None


def _point(row: Mapping[str, str], prefix: str) -> MetadataValue | None:
    return parse_point(row.get(f"{prefix}_latitude", ""), row.get(f"{prefix}_longitude", ""))


def _orientation(width: MetadataValue | None, height: MetadataValue | None) -> str | None:
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        return None
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"


def sized_url(url: str, width: int | None, height: int | None, side: int = SIDE) -> str:
    """Add the parameters by which the image host scales the picture's shortest side down to `side` pixels.

    Other parameters are kept, on any host. `fit=max` never enlarges; `fm=jpg` gives every client the same
    bytes, where `auto=format` depends on the client. A URL that can't be parsed is returned unchanged.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"[\s\x00-\x1f]", url):
        return url
    added = {"fm": "jpg", "q": "80", "fit": "max", "w": str(_width(width, height, side))}
    # surrogateescape: percent-escapes that aren't UTF-8 come back as they were.
    kept = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
    query = [(name, value) for name, value in kept if name not in added] + list(added.items())
    return parts._replace(query=urlencode(query, errors="surrogateescape")).geturl()


def preview_url(url: str, height: int) -> str:
    """The URL of a small rendition of a picture; unchanged where its host is not known to make any."""
    parts = urlsplit(url)
    if parts.hostname != UNSPLASH_HOST or parts.query:
        return url
    return f"{url}?h={height}&fm=jpg&q=80&fit=max"


def _width(width: int | None, height: int | None, side: int) -> int:
    if not width or not height or min(width, height) < 1:
        return WIDTH_UNKNOWN
    if width <= height:
        return min(side, width)
    return min(-(-side * width // height), width)


def parse_integer(text: str) -> int | None:
    """A whole number of 64 bits; `400.0` is one too."""
    if not re.fullmatch(r"[+-]?\d{1,19}(\.0*)?", text, re.ASCII):
        return None
    number = int(text.partition(".")[0])
    return number if -(2**63) <= number < 2**63 else None


def parse_number(text: str) -> float | None:
    """A finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def parse_flag(text: str) -> bool | None:
    """A boolean, as Postgres writes it."""
    return {"t": True, "true": True, "f": False, "false": False}.get(text.lower())


def parse_date(text: str) -> datetime | None:
    """A time to the millisecond, in UTC; without a time zone it is taken as UTC."""
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def parse_point(latitude: str, longitude: str) -> GeoPoint | None:
    """A point on earth. A latitude above 90 was swapped with its longitude (datasets up to 1.2.2)."""
    lat, lon = parse_number(latitude), parse_number(longitude)
    if lat is None or lon is None:
        return None
    if abs(lat) > 90:
        lat, lon = lon, lat
    return GeoPoint(lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


PARSERS: Mapping[FieldType, Callable[[str], MetadataValue | None]] = {
    FieldType.KEYWORD: str,
    FieldType.TEXT: str,
    FieldType.INTEGER: parse_integer,
    FieldType.FLOAT: parse_number,
    FieldType.BOOLEAN: parse_flag,
    FieldType.DATE: parse_date,
}
