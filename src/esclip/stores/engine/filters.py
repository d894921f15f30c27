"""Filters as the JSON of OpenSearch and Elasticsearch, which is the same in both. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from esclip._concurrency.streams import batches
from esclip._core import filters
from esclip._core.types import json_metadata, truncate_date
from esclip.stores.engine.names import OWN_NAMES, FieldNames

MIN_DISTANCE = 0.02
"""Meters: engines refuse 0, and store points with a precision of a centimetre."""

MIN_EXTENT = 1e-7
"""Degrees, about a centimetre: engines refuse boxes without an extent."""

MAX_TERMS = 65_536
"""The most terms in one list (`index.max_terms_count`)."""


def filter_clause(condition: filters.Condition, names: FieldNames = OWN_NAMES) -> dict[str, Any]:
    """The query clause of a condition, which does not score."""
    match condition:
        case filters.Not(inner):
            return {"bool": {"must_not": [filter_clause(inner, names)]}}
        case filters.AllOf(conditions):
            return {"bool": {"filter": filter_clauses(conditions, names)}}
        case filters.AnyOf(conditions):
            return _any(filter_clauses(conditions, names))
        case filters.HasId(ids):
            return _terms(names.path(names.id), names.id_values(ids))
        case filters.HasWords(words):
            return {"bool": {"filter": [_terms(names.words, forms) for forms in words]}}
        case filters.Exists(field):
            return {"exists": {"field": names.path(field.name)}}
        case filters.OneOf(field, values):
            return _terms(names.path(field.name), [_json(value) for value in values])
        case filters.StartsWith(field, prefixes):
            return _any([{"prefix": {names.path(field.name): {"value": prefix}}} for prefix in prefixes])
        case filters.Range(field, at_least, above, at_most, below):
            bounds = {"gte": at_least, "gt": above, "lte": at_most, "lt": below}
            given = {sign: _json(bound) for sign, bound in bounds.items() if bound is not None}
            return {"range": {names.path(field.name): given}}
        case filters.Near(field, lat, lon, meters):
            return {
                "geo_distance": {
                    "distance": f"{max(meters, MIN_DISTANCE)!r}m",
                    names.path(field.name): {"lat": lat, "lon": lon},
                }
            }
        case filters.Inside(field, south, west, north, east):
            south, north = _widen(south, north, 90)
            west, east = _widen(west, east, 180)
            corners = {"top_left": {"lat": north, "lon": west}, "bottom_right": {"lat": south, "lon": east}}
            return {"geo_bounding_box": {names.path(field.name): corners}}
        case _:
            assert_never(condition)


def filter_clauses(
    conditions: Iterable[filters.Condition], names: FieldNames = OWN_NAMES
) -> list[dict[str, Any]]:
    """The query clauses of some conditions."""
    return [filter_clause(condition, names) for condition in conditions]


def _widen(low: float, high: float, limit: float) -> tuple[float, float]:
    """Two sides of a box, moved apart where they are equal."""
    if low != high:
        return low, high
    return max(-limit, low - MIN_EXTENT), min(limit, high + MIN_EXTENT)


def _terms(field: str, values: Sequence[Any]) -> dict[str, Any]:
    clauses = [{"terms": {field: list(batch)}} for batch in batches(values, MAX_TERMS)]
    return clauses[0] if len(clauses) == 1 else _any(clauses)


def _any(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    if not clauses:
        return {"match_none": {}}
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def _json(value: filters.Value) -> Any:
    return json_metadata({"value": truncate_date(value) if isinstance(value, datetime) else value})["value"]
