"""Values in documents that other programs wrote, as those of esclip's types. Pure functions.

A mapping says how a value is indexed, not how it is written: a number may be a text, a date an integer, a
point a list, and each value a list of values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from esclip._core.schema import FieldType
from esclip._core.text_forms import is_unicode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_text(value: Any) -> str:
    """A value as one text; empty where it is none."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, str | int | float) else ""
    return text if is_unicode(text) else ""


def plain_value(value: Any, kind: FieldType) -> Any:
    """A value as esclip stores one of this type; None where it is none."""
    if kind is FieldType.KEYWORDS:
        values = value if isinstance(value, list) else [value]
        return [text for one in values if (text := plain_text(one))] or None
    if kind is FieldType.GEO_POINT:
        return _place(value)
    if isinstance(value, list):
        value = value[0] if value else None
    match kind:
        case FieldType.KEYWORD | FieldType.TEXT:
            return plain_text(value) or None
        case FieldType.INTEGER:
            number = _number(value)
            return int(number) if number is not None and -(2**63) <= number < 2**63 else None
        case FieldType.FLOAT:
            number = _number(value)
            return None if number is None else float(number)
        case FieldType.BOOLEAN:
            return {"true": True, "false": False}.get(plain_text(value))
        case FieldType.DATE:
            return _date(value)
        case _:
            assert_never(kind)


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        with suppress(ValueError):
            return _number(int(value))
        with suppress(ValueError):
            return _number(float(value))
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _date(value: Any) -> str | None:
    """A text in ISO 8601, of one without a time zone in UTC, or of milliseconds since 1970."""
    with suppress(ValueError, OverflowError):
        if isinstance(value, str) and not value.lstrip("-").isdecimal():
            date = datetime.fromisoformat(value)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).isoformat()
        number = _number(value)
        return None if number is None else (EPOCH + timedelta(milliseconds=number)).isoformat()
    return None


def _place(value: Any) -> dict[str, float] | None:
    """A point from any of the forms that engines take, but for hashes."""
    lat: Any = None
    lon: Any = None
    match value:
        case {"lat": lat, "lon": lon} | {"type": "Point" | "point", "coordinates": [lon, lat]}:
            pass
        case [int() | float() as lon, int() | float() as lat]:
            pass
        case [Mapping() as first, *_]:
            return _place(first)
        case str() if value.count(",") == 1:
            lat, lon = value.split(",")
    north, east = _number(lat), _number(lon)
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None
    return {"lat": float(north), "lon": float(east)}
