"""What a picture's EXIF says of how, when and where it was taken, as metadata. Nothing in it is trusted.

bytes ─► few and short enough? ─► Pillow ─► each tag by itself ─► a value that can be right, or none

A tag that can't be read, is out of range or makes no sense is left out, and leaves the others as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from PIL import ExifTags, Image

from esclip._core.text_forms import is_unicode
from esclip._core.types import GeoPoint, Metadata, MetadataValue

MAX_ENTRIES = 2000
"""Entries of all directories: cameras write a hundred or two."""

MAX_VALUE_BYTES = 1 << 18
"""Bytes that the entries refer to, together: four times what fits into a JPEG."""

MAX_TEXT = 128
"""Characters of a camera's name."""

FIRST_YEAR = 1826
"""Of the oldest photograph."""

EXIF_HEADER = b"Exif\0\0"

_TYPE_SIZES = dict(zip(range(1, 14), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), strict=True))
_TYPE_SIZES |= {16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type."""

_POINTER_TYPES = (4, 13)

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

_MOMENT = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d*)?(Z|[+-]\d\d:\d\d)?")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


def read_exif(data: bytes) -> Metadata:
    """The facts in the bytes of an EXIF block, which is a TIFF, with or without its header."""
    data = data.removeprefix(EXIF_HEADER)
    if not _is_small(data):
        return {}
    tags = Image.Exif()
    details: Mapping[int, Any] = {}
    place: Mapping[int, Any] = {}
    with suppress(Exception):  # Pillow raises almost anything on damaged bytes
        tags.load(data)
    with suppress(Exception):
        details = tags.get_ifd(ExifTags.IFD.Exif)
    with suppress(Exception):
        place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    facts: dict[str, Callable[[], MetadataValue | None]] = {
        "taken_at": lambda: _taken_at(details),
        "camera_make": lambda: _text(tags.get(ExifTags.Base.Make)),
        "camera_model": lambda: _text(tags.get(ExifTags.Base.Model)),
        "point": lambda: _point(place),
    }
    found: dict[str, MetadataValue] = {}
    for name, read in facts.items():
        with suppress(Exception):
            if (value := read()) is not None:
                found[name] = value
    return found


def _is_small(data: bytes) -> bool:
    """Whether Pillow reads its directories in milliseconds: their entries may all refer to the same bytes."""
    entries = size = 0
    pending, seen = [_number(data, 4, 4)], set[int]()
    while pending:
        directory = pending.pop()
        if directory in seen or directory >= len(data):
            continue
        seen.add(directory)
        count = _number(data, directory, 2)
        entries += count
        if entries > MAX_ENTRIES:
            return False
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, length = (_number(data, entry + at, width) for at, width in ((0, 2), (2, 2), (4, 4)))
            size += _TYPE_SIZES.get(kind, 0) * length
            if tag in _DIRECTORIES:
                if kind not in _POINTER_TYPES or length != 1:
                    return False
                pending.append(_number(data, entry + 8, 4))
    return size <= MAX_VALUE_BYTES


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little" if data.startswith(b"II") else "big")


def _taken_at(details: Mapping[int, Any]) -> datetime | None:
    """When the picture was taken, else when it was scanned; in UTC where no offset is given."""
    for moment, offset in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    ):
        with suppress(ValueError, OverflowError):
            if (value := _moment(details.get(moment), details.get(offset))) is not None:
                return value
    return None


def _moment(value: Any, offset: Any) -> datetime | None:
    """Raises `ValueError` or `OverflowError` for what no calendar has."""
    parts = _MOMENT.match(_text(value) or "")
    if parts is None:
        return None
    year, *others = map(int, parts.groups()[:6])
    zone = parts[7] or _text(offset) or ""
    naive = datetime(year, *others)  # type: ignore[arg-type]
    moment = datetime.fromisoformat(f"{naive.isoformat()}{zone if _OFFSET.fullmatch(zone) else 'Z'}")
    return moment.astimezone(UTC) if year >= FIRST_YEAR else None


def _text(value: Any) -> str | None:
    """A text without control characters and needless spaces; None where it is empty, too long or no text."""
    if isinstance(value, bytes):
        value = value.decode("ascii")
    if not isinstance(value, str):
        return None
    text = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", value[: 4 * MAX_TEXT]).split())
    return text if 0 < len(text) <= MAX_TEXT and is_unicode(text) else None


def _point(place: Mapping[int, Any]) -> GeoPoint | None:
    """Where the picture was taken; 0, 0 is what devices write that don't know."""
    lat = _degrees(place.get(ExifTags.GPS.GPSLatitude), place.get(ExifTags.GPS.GPSLatitudeRef), "NS")
    lon = _degrees(place.get(ExifTags.GPS.GPSLongitude), place.get(ExifTags.GPS.GPSLongitudeRef), "EW")
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180 or lat == lon == 0:
        return None
    return GeoPoint(lat, lon)


def _degrees(value: Any, reference: Any, signs: str) -> float | None:
    """Degrees, minutes and seconds as degrees, negative by the second of the `signs`."""
    sign = (_text(reference) or "").upper()
    if not isinstance(value, tuple) or not 1 <= len(value) <= 3 or sign not in tuple(signs):
        return None
    degrees: float = sum(float(part) / 60**power for power, part in enumerate(value))
    if not math.isfinite(degrees) or degrees < 0 or any(float(part) < 0 for part in value):
        return None
    return float(round(-degrees if sign == signs[1] else degrees, 7))
