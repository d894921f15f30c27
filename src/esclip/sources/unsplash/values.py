"""What the text of a cell says: numbers, dates, places and addresses; None where it says nothing usable."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import GeoPoint

__all__ = ["date", "flag", "integer", "place", "preview_url", "real", "sized_url"]

SIDE = 224
"""Pixels that the shortest side of a picture needs for an encoder that looks at 224 by 224."""

WIDTH_UNKNOWN = 640
"""Width to ask for where the picture's shape is unknown: enough for panoramas up to 20 : 7."""


def integer(text: str) -> int | None:
    """A whole number of 64 bits; `400.0` is one too."""
    if not re.fullmatch(r"[+-]?\d{1,19}(\.0*)?", text, re.ASCII):
        return None
    number = int(text.partition(".")[0])
    return number if -(2**63) <= number < 2**63 else None


def real(text: str) -> float | None:
    """A finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def flag(text: str) -> bool | None:
    """Yes or no, as Postgres writes them."""
    return {"t": True, "true": True, "f": False, "false": False}.get(text.lower())


def date(text: str) -> datetime | None:
    """A time to the millisecond; in UTC where no time zone is given."""
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def place(latitude: str, longitude: str) -> GeoPoint | None:
    """A point on earth. A latitude beyond a pole was swapped with its longitude (datasets up to 1.2.2)."""
    lat, lon = real(latitude), real(longitude)
    if lat is None or lon is None:
        return None
    if abs(lat) > 90:
        lat, lon = lon, lat
    return GeoPoint(lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def sized_url(url: str, width: int | None, height: int | None, side: int = SIDE) -> str:
    """The picture's URL with the parameters that make it arrive with its shortest side at `side` or above.

    Other parameters are kept, whatever the host. `fit=max` never enlarges; `fm=jpg` gives the same bytes to
    everyone, where `auto=format` looks at who asks. A URL that can't be taken apart is returned unchanged.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"[\s\x00-\x1f]", url):
        return url
    ours = {"fm": "jpg", "q": "80", "fit": "max", "w": str(_width(width, height, side))}
    # surrogateescape: percent-escapes that aren't UTF-8 come back as they were.
    given = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
    query = [(name, value) for name, value in given if name not in ours] + list(ours.items())
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
