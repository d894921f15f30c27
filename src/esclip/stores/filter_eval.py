"""Whether records fulfil conditions: what every store's filter means, in Python."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, assert_never

from esclip._core.filters import AllOf, AnyOf, Condition, Exists, HasId, Inside, Near, Not, OneOf, Range
from esclip._core.types import GeoPoint, ImageRecord, MetadataValue
from esclip.stores.validation import stored_date

__all__ = ["EARTH_RADIUS", "matcher"]

EARTH_RADIUS = 6_371_008.7714
"""Meters: the mean radius that Lucene computes with (`GeoUtils.EARTH_MEAN_RADIUS_METERS`)."""


def matcher(conditions: Iterable[Condition]) -> Callable[[ImageRecord], bool]:
    """Tells whether all conditions hold for a record. Made once for many records: filters have long lists."""
    tests = [_matcher(condition) for condition in conditions]
    return lambda record: all(test(record) for test in tests)


def _matcher(condition: Condition) -> Callable[[ImageRecord], bool]:
    match condition:
        case Not(inner):
            test = _matcher(inner)
            return lambda record: not test(record)
        case AllOf(parts):
            return matcher(parts)
        case AnyOf(parts):
            tests = [_matcher(part) for part in parts]
            return lambda record: any(test(record) for test in tests)
        case HasId(ids):
            wanted = frozenset(ids)
            return lambda record: record.id in wanted
        case OneOf() | Range() | Exists() | Near() | Inside():
            name, holds = condition.field.name, _value_test(condition)

            def fulfilled(record: ImageRecord) -> bool:
                value = record.all_metadata.get(name)
                return value is not None and value != () and holds(value)

            return fulfilled
        case _:
            assert_never(condition)


def _value_test(condition: OneOf | Range | Exists | Near | Inside) -> Callable[[MetadataValue], bool]:
    match condition:
        case Exists():
            return lambda _: True
        case OneOf(_, values):
            wanted = frozenset(map(_kept, values))
            return lambda value: not wanted.isdisjoint(_several(value))
        case Range():
            return lambda value: _between(_kept(value), condition)
        case Near(_, lat, lon, meters):
            return lambda value: isinstance(value, GeoPoint) and _distance(value, lat, lon) <= meters
        case Inside():
            return lambda value: isinstance(value, GeoPoint) and _in_box(value, condition)
        case _:
            assert_never(condition)


def _several(value: MetadataValue) -> Iterable[Any]:
    """The values that a field has: of several (`KEYWORDS`) each."""
    return value if isinstance(value, tuple) and not isinstance(value, GeoPoint) else (_kept(value),)


def _in_box(place: GeoPoint, box: Inside) -> bool:
    if not box.south <= place.lat <= box.north:
        return False
    if box.west <= box.east:
        return box.west <= place.lon <= box.east
    return place.lon >= box.west or place.lon <= box.east


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
    return stored_date(value) if isinstance(value, datetime) else value


def _distance(place: GeoPoint, lat: float, lon: float) -> float:
    """Meters between two places by the haversine formula."""
    south, north = math.radians(place.lat), math.radians(lat)
    across = math.radians(lon - place.lon)
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, half)))
