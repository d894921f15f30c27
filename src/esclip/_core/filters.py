"""Filters as stores understand them: a tree of typed conditions on metadata fields.

Condition ─┬─ OneOf · Range · Exists      on a field's value
           ├─ Near · Inside               on a place
           ├─ HasId                       on the document's id
           └─ Not · AllOf · AnyOf         on other conditions

A document without a value for the field fulfils none of those on fields, and so fulfils their `Not`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from esclip._core.schema import Field

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Exists",
    "HasId",
    "Inside",
    "Near",
    "Not",
    "OneOf",
    "Range",
    "Value",
]

Value: TypeAlias = str | int | float | bool | datetime


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field's value is one of these; of several values (`KEYWORDS`) one is."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number or date between bounds, None being no bound."""

    field: Field
    at_least: int | float | datetime | None = None
    above: int | float | datetime | None = None
    at_most: int | float | datetime | None = None
    below: int | float | datetime | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value; an empty list of them is none."""

    field: Field


@dataclass(frozen=True, slots=True)
class Near:
    """A place within `meters` of another, along the surface of a sphere."""

    field: Field
    lat: float
    lon: float
    meters: float


@dataclass(frozen=True, slots=True)
class Inside:
    """A place in a box of latitudes and longitudes; where `west` is greater, it crosses the date line."""

    field: Field
    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True, slots=True)
class HasId:
    """The document has one of these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition isn't fulfilled."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition is fulfilled."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition is fulfilled."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = OneOf | Range | Exists | Near | Inside | HasId | Not | AllOf | AnyOf
