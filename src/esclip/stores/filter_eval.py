"""Evaluates filters on records in Python: what the filters of every store mean."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, assert_never

from esclip._core import filters
from esclip._core.analysis import analyze_document
from esclip._core.types import GeoPoint, ImageRecord, MetadataValue, truncate_date

EARTH_RADIUS = 6_371_008.7714
"""Meters: Lucene's mean radius (`GeoUtils.EARTH_MEAN_RADIUS_METERS`)."""


def compile_filter(conditions: Iterable[filters.Condition]) -> Callable[[ImageRecord], bool]:
    """A function that tells whether a record fulfils all conditions. Compiled once for many records."""
    tests = [_compile(condition) for condition in conditions]
    return lambda record: all(test(record) for test in tests)


def _compile(condition: filters.Condition) -> Callable[[ImageRecord], bool]:
    match condition:
        case filters.Not(inner):
            test = _compile(inner)
            return lambda record: not test(record)
        case filters.AllOf(conditions):
            return compile_filter(conditions)
        case filters.AnyOf(conditions):
            tests = [_compile(condition) for condition in conditions]
            return lambda record: any(test(record) for test in tests)
        case filters.HasId(ids):
            id_set = frozenset(ids)
            return lambda record: record.id in id_set
        case filters.HasWords(words):
            return lambda record: _has_words(record, words)
        case (
            filters.OneOf()
            | filters.Range()
            | filters.Exists()
            | filters.StartsWith()
            | filters.Near()
            | filters.Inside()
        ):
            name, matches_value = condition.field.name, _compile_value_test(condition)

            def matches(record: ImageRecord) -> bool:
                value = record.all_metadata.get(name)
                return value is not None and value != () and matches_value(value)

            return matches
        case _:
            assert_never(condition)


def _has_words(record: ImageRecord, words: Iterable[tuple[str, ...]]) -> bool:
    record_words = analyze_document(record.description, record.all_metadata)
    return all(not record_words.isdisjoint(forms) for forms in words)


def _compile_value_test(
    condition: filters.OneOf
    | filters.Range
    | filters.Exists
    | filters.StartsWith
    | filters.Near
    | filters.Inside,
) -> Callable[[MetadataValue], bool]:
    match condition:
        case filters.Exists():
            return lambda _: True
        case filters.OneOf(_, values):
            value_set = frozenset(map(_stored_value, values))
            return lambda value: not value_set.isdisjoint(_values(value))
        case filters.StartsWith(_, prefixes):
            return lambda value: any(text.startswith(prefixes) for text in _values(value))
        case filters.Range():
            return lambda value: _in_range(_stored_value(value), condition)
        case filters.Near(_, lat, lon, meters):
            return lambda value: isinstance(value, GeoPoint) and _distance(value, lat, lon) <= meters
        case filters.Inside():
            return lambda value: isinstance(value, GeoPoint) and _in_box(value, condition)
        case _:
            assert_never(condition)


def _values(value: MetadataValue) -> Iterable[Any]:
    """The values of a field, which are several in a field of `KEYWORDS`."""
    return value if isinstance(value, tuple) and not isinstance(value, GeoPoint) else (_stored_value(value),)


def _in_box(point: GeoPoint, box: filters.Inside) -> bool:
    if not box.south <= point.lat <= box.north:
        return False
    if box.west <= box.east:
        return box.west <= point.lon <= box.east
    return point.lon >= box.west or point.lon <= box.east


def _in_range(value: Any, bounds: filters.Range) -> bool:
    """Whether a number or a date is within bounds of its own type."""
    tests = (
        (bounds.at_least, operator.ge),
        (bounds.above, operator.gt),
        (bounds.at_most, operator.le),
        (bounds.below, operator.lt),
    )
    return all(bound is None or compare(value, _stored_value(bound)) for bound, compare in tests)


def _stored_value(value: Any) -> Any:
    """A value as stores keep it."""
    return truncate_date(value) if isinstance(value, datetime) else value


def _distance(point: GeoPoint, lat: float, lon: float) -> float:
    """Meters between two points, by the haversine formula."""
    lat1, lat2 = math.radians(point.lat), math.radians(lat)
    lon_difference = math.radians(lon - point.lon)
    haversine = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(lon_difference / 2) ** 2
    )
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, haversine)))
