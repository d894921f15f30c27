"""Metadata of any Python types: which field each value needs, and the value as a store keeps it.

value ─► plain_value ─┬─► infer_type ─► the type of its field
  (NumPy's, pandas')  └─► convert(type) ─► MetadataValue
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, assert_never

import numpy as np

from esclip._core.field_names import is_field_name
from esclip._core.schema import FieldType
from esclip._core.text_forms import is_unicode
from esclip._core.types import GeoPoint, MetadataValue
from esclip._errors import one_line

_MISSING_TYPES = ("NaTType", "NAType")
"""pandas' missing values; pandas isn't imported for them."""

_SCALARS = frozenset({str, int, float, bool})

_COMMON_TYPES = {
    frozenset({FieldType.INTEGER, FieldType.FLOAT}): FieldType.FLOAT,
    frozenset({FieldType.KEYWORD, FieldType.KEYWORDS}): FieldType.KEYWORDS,
}
"""A type for the values of two."""


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, and what pandas has for them."""
    if type(value) is str:  # most are
        return False
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    return isinstance(value, float) and math.isnan(value)


def plain_value(value: object) -> object:
    """The value without the types of NumPy and pandas; None for a missing or an empty one."""
    if type(value) is str:
        return value or None
    if type(value) is int:
        return value
    if is_missing(value):
        return None
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    match value:
        case GeoPoint():
            return value
        case set() | frozenset():
            return sorted(map(plain_value, value), key=str) or None
        case list() | tuple():
            return [plain_value(one) for one in value] or None
        case str():
            return str(value) or None
        case Decimal():
            return float(value)
    return None if is_missing(value) else value


def infer_type(value: object) -> FieldType | None:
    """The type of field that keeps a plain value; None where no type does."""
    match value:
        case bool():
            return FieldType.BOOLEAN
        case int():
            return FieldType.INTEGER
        case float():
            return FieldType.FLOAT
        case str():
            return FieldType.KEYWORD
        case date():
            return FieldType.DATE
        case GeoPoint():
            return FieldType.GEO_POINT
        case Mapping() if value.keys() == {"lat", "lon"}:
            return FieldType.GEO_POINT
        case list() | tuple():
            return FieldType.KEYWORDS
    return None


def can_be_field(name: str, value: object) -> bool:
    """Whether a field can have this name, and some type of field keeps this value, or it is missing."""
    if not is_field_name(name):
        return False
    if type(value) in _SCALARS:  # most are
        return True
    plain = plain_value(value)
    kind = infer_type(plain)
    return plain is None or (_keywords(plain) if kind is FieldType.KEYWORDS else kind) is not None


def common_type(known: FieldType | None, other: FieldType) -> FieldType:
    """The type for values of both types; the known one where there is none."""
    if known is None:
        return other
    return _COMMON_TYPES.get(frozenset({known, other}), known)


def convert(value: object, kind: FieldType) -> MetadataValue:
    """A plain value as a field of this type keeps it. Raises `ValueError`, which says why it can't."""
    converted = _convert(value, kind)
    if converted is None:
        raise ValueError(f"is {kind.value}, which {one_line(repr(value), 80)} is not")
    return converted


def _convert(value: Any, kind: FieldType) -> MetadataValue | None:
    match kind:
        case FieldType.KEYWORD | FieldType.TEXT:
            return value if isinstance(value, str) and is_unicode(value) else None
        case FieldType.KEYWORDS:
            return _keywords(value)
        case FieldType.INTEGER:
            return value if type(value) is int and -(2**63) <= value < 2**63 else None
        case FieldType.FLOAT:
            return _float(value)
        case FieldType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case FieldType.DATE:
            return _date(value)
        case FieldType.GEO_POINT:
            return _geo_point(value)
        case _:
            assert_never(kind)


def _keywords(value: Any) -> tuple[str, ...] | None:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(one, str) and is_unicode(one) for one in texts):
        return None
    return tuple(texts)


def _float(value: Any) -> float | None:
    if type(value) not in (int, float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _date(value: Any) -> datetime | None:
    """A date or a text in ISO 8601, in UTC to the millisecond; one without a time zone is of UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time()) if isinstance(value, date) else None
    if value is None:
        return None
    try:
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None
    fields = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return datetime(*fields, moment.microsecond // 1000 * 1000, tzinfo=UTC)  # not pandas' subclass


def _geo_point(value: Any) -> GeoPoint | None:
    if isinstance(value, Mapping) and value.keys() == {"lat", "lon"}:
        value = GeoPoint(value["lat"], value["lon"])
    if not isinstance(value, GeoPoint):
        return None
    lat, lon = map(_float, value)
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None
    return GeoPoint(lat, lon)
