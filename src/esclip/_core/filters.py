"""Filters of stores: a tree of typed conditions on metadata fields.

Condition ─┬─ OneOf · Range · Exists      on a field's value
           ├─ StartsWith                  on the beginning of a text
           ├─ Near · Inside               on a geographic point
           ├─ HasId                       on the document's id
           ├─ HasWords                    on the words of all its texts
           └─ Not · AllOf · AnyOf         on other conditions

A document without a value for the field does not match conditions on it, and so matches their `Not`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from esclip._core.schema import Field

Value: TypeAlias = str | int | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a text, as a value of a filter by field name: `{"file_name": Prefix("IMG")}`."""

    text: str
    """Not empty. Compared character by character."""

    def __str__(self) -> str:
        return f"{self.text}*"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field's value, or one of its several values (`KEYWORDS`), is one of these."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number or date within bounds; None means unbounded."""

    field: Field
    at_least: int | float | datetime | None = None
    above: int | float | datetime | None = None
    at_most: int | float | datetime | None = None
    below: int | float | datetime | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value; an empty list counts as none."""

    field: Field


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The field's text (`KEYWORD`), or one of its several texts (`KEYWORDS`), begins with one of these."""

    field: Field
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A point within a great-circle distance of `meters` from another."""

    field: Field
    lat: float
    lon: float
    meters: float


@dataclass(frozen=True, slots=True)
class Inside:
    """A point in a box of latitudes and longitudes; with `west` above `east`, it crosses the date line."""

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
class HasWords:
    """The document has all of these words in its description and metadata, as keyword search knows them."""

    words: tuple[tuple[str, ...], ...]
    """Of each word the forms in which it may be stored, of which one is enough: its own, as
    `_core.analysis.analyze_query` gives it, and the one of older versions."""


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not match."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition matches."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition matches."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = (
    OneOf | Range | Exists | StartsWith | Near | Inside | HasId | HasWords | Not | AllOf | AnyOf
)
