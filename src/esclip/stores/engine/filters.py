"""Conditions as the JSON of OpenSearch and Elasticsearch, which agree on it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from esclip._concurrency.streams import batches
from esclip._core.filters import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    HasId,
    Inside,
    Near,
    Not,
    OneOf,
    Range,
    Value,
)
from esclip._core.types import json_metadata
from esclip.stores.validation import stored_date

__all__ = ["clause"]

CLOSEST = 0.02
"""Meters: engines refuse 0, and keep a place to a centimetre."""

THIN = 1e-7
"""Degrees: a centimetre."""

TERMS = 65_536
"""The most terms that an engine takes in one list (`index.max_terms_count`)."""


def clause(condition: Condition) -> dict[str, Any]:
    """What filters by the condition, without a score."""
    match condition:
        case Not(inner):
            return {"bool": {"must_not": [clause(inner)]}}
        case AllOf(parts):
            return {"bool": {"filter": _clauses(parts)}}
        case AnyOf(parts):
            return _any(_clauses(parts))
        case HasId(ids):
            return _terms("id", ids)
        case Exists(field):
            return {"exists": {"field": field.name}}
        case OneOf(field, values):
            return _terms(field.name, [_json(value) for value in values])
        case Range(field, at_least, above, at_most, below):
            bounds = {"gte": at_least, "gt": above, "lte": at_most, "lt": below}
            return {"range": {field.name: {sign: _json(b) for sign, b in bounds.items() if b is not None}}}
        case Near(field, lat, lon, meters):
            return {
                "geo_distance": {
                    "distance": f"{max(meters, CLOSEST)!r}m",
                    field.name: {"lat": lat, "lon": lon},
                }
            }
        case Inside(field, south, west, north, east):
            south, north = _apart(south, north, 90)
            west, east = _apart(west, east, 180)
            corners = {"top_left": {"lat": north, "lon": west}, "bottom_right": {"lat": south, "lon": east}}
            return {"geo_bounding_box": {field.name: corners}}
        case _:
            assert_never(condition)


def _clauses(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    return [clause(condition) for condition in conditions]


def _apart(one: float, other: float, most: float) -> tuple[float, float]:
    """Two sides of a box, a centimetre apart where they are the same, which engines refuse."""
    if one != other:
        return one, other
    return max(-most, one - THIN), min(most, other + THIN)


def _terms(field: str, values: Sequence[Any]) -> dict[str, Any]:
    parts = [{"terms": {field: list(some)}} for some in batches(values, TERMS)]
    return parts[0] if len(parts) == 1 else _any(parts)


def _any(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    if not clauses:
        return {"match_none": {}}
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def _json(value: Value) -> Any:
    return json_metadata({"value": stored_date(value) if isinstance(value, datetime) else value})["value"]
