"""Whether a record fulfils a condition: what every store's filter means, in Python."""

from __future__ import annotations

import math
import operator
from datetime import datetime
from typing import Any, assert_never

from esclip._conditions import AllOf, AnyOf, Condition, Exists, HasId, Inside, Near, Not, OneOf, Range
from esclip._types import GeoPoint, ImageRecord, MetadataValue
from esclip.stores._fields import kept_date

__all__ = ["EARTH_RADIUS", "fulfils"]

EARTH_RADIUS = 6_371_008.7714
"""Meters: the mean radius that Lucene computes with (`GeoUtils.EARTH_MEAN_RADIUS_METERS`)."""


def fulfils(record: ImageRecord, condition: Condition) -> bool:
    """Whether the condition holds for the record's metadata."""
    match condition:
        case Not(inner):
            return not fulfils(record, inner)
        case AllOf(parts):
            return all(fulfils(record, part) for part in parts)
        case AnyOf(parts):
            return any(fulfils(record, part) for part in parts)
        case HasId(ids):
            return record.id in ids
        case OneOf() | Range() | Exists() | Near() | Inside():
            value = record.all_metadata.get(condition.field.name)
            return value is not None and value != () and _holds(value, condition)
        case _:
            assert_never(condition)


def _holds(value: MetadataValue, condition: OneOf | Range | Exists | Near | Inside) -> bool:
    match condition:
        case Exists():
            return True
        case OneOf(_, values):
            wanted = {_kept(one) for one in values}
            held = value if isinstance(value, tuple) and not isinstance(value, GeoPoint) else (_kept(value),)
            return not wanted.isdisjoint(held)
        case Range():
            return _between(_kept(value), condition)
        case Near(_, lat, lon, meters):
            return isinstance(value, GeoPoint) and _distance(value, lat, lon) <= meters
        case Inside(_, south, west, north, east):
            return isinstance(value, GeoPoint) and (
                south <= value.lat <= north
                and (west <= value.lon <= east if west <= east else value.lon >= west or value.lon <= east)
            )
        case _:
            assert_never(condition)


def _between(value: Any, bounds: Range) -> bool:
    """Whether a number or a date is between bounds of its own type."""
    tests = (
        (bounds.at_least, operator.ge),
        (bounds.above, operator.gt),
        (bounds.at_most, operator.le),
        (bounds.below, operator.lt),
    )
    return all(bound is None or holds(value, _kept(bound)) for bound, holds in tests)


def _kept(value: Any) -> Any:
    """A value as stores keep it."""
    return kept_date(value) if isinstance(value, datetime) else value


def _distance(place: GeoPoint, lat: float, lon: float) -> float:
    """Meters between two places by the haversine formula."""
    south, north = math.radians(place.lat), math.radians(lat)
    across = math.radians(lon - place.lon)
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, half)))
