"""Places in filters: `near(...)` and `inside(...)` by their numbers, in the order that they go."""

from __future__ import annotations

import re
from collections.abc import Sequence

from esclip._core.filters import Inside, Near
from esclip._core.schema import Field, FieldType
from esclip._errors import ConfigError, one_line
from esclip._search.filter_values import EXPECTED

__all__ = ["CALLS", "inside", "near", "place_field"]

CALLS = {
    "exists": "exists(FIELD)",
    "near": "near(FIELD, LATITUDE, LONGITUDE, 50km), or a distance in m",
    "inside": "inside(FIELD, SOUTH, WEST, NORTH, EAST) in degrees",
}

FARTHEST = 21_000_000.0
"""Meters: no place is farther from another. Larger numbers mean the same; engines refuse the largest."""

_DISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m)")


def place_field(field: Field, call: str) -> None:
    """Raise `ConfigError` when the field holds no places."""
    if field.type is not FieldType.GEO_POINT:
        raise ConfigError(
            f"filter {call}({field.name}, ...): {field.name} holds no places; it {EXPECTED[field.type]}"
        )


def near(field: Field, numbers: Sequence[str]) -> Near:
    """Places around one. Raises `ConfigError` for degrees that no place has, else `ValueError`."""
    lat, lon, radius = numbers
    distance = _DISTANCE.fullmatch(radius)
    if distance is None:
        raise ValueError(radius)
    place = _place(field, "near", lat, lon)
    return Near(field, *place, min(FARTHEST, float(distance[1]) * (1000 if distance[2] == "km" else 1)))


def inside(field: Field, numbers: Sequence[str]) -> Inside:
    """Places in a box. Raises `ConfigError` for one that none can be in, `ValueError` for other faults."""
    south, west, north, east = numbers
    box = Inside(field, *_place(field, "inside", south, west), *_place(field, "inside", north, east))
    if box.south > box.north:
        raise ConfigError(
            f"filter inside({field.name}, ...): its south {_told(south)} is north of its north "
            f"{_told(north)}; write {CALLS['inside']}"
        )
    return box


def _place(field: Field, call: str, lat: str, lon: str) -> tuple[float, float]:
    degrees = float(lat), float(lon)
    if abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180:
        return degrees
    exchanged = abs(degrees[1]) <= 90 and abs(degrees[0]) <= 180
    hint = "are latitude and longitude exchanged? " if exchanged else ""
    raise ConfigError(
        f"filter {call}({field.name}, ...): there is no latitude {_told(lat)} with longitude {_told(lon)}; "
        f"{hint}write {CALLS[call]}"
    )


def _told(degrees: str) -> str:
    return one_line(degrees, 20)
