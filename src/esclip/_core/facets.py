"""Facets: what documents have in a field, counted.

Facets ─► Facet of a field ─┬─ texts, booleans     the most frequent values with their counts
                            └─ numbers and dates   minimum, maximum, a histogram
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from esclip._core.markup import render_table
from esclip._core.schema import Field, FieldType
from esclip._core.types import json_metadata
from esclip._errors import one_line
from esclip._errors.counts import pluralize

Number: TypeAlias = int | float | datetime

VALUE_TYPES = frozenset({FieldType.KEYWORD, FieldType.KEYWORDS, FieldType.BOOLEAN})
"""Fields whose values are counted one by one."""
NUMBER_TYPES = frozenset({FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE})
"""Fields whose values are counted by ranges."""

MAX_SHOWN = 3
"""Values of a field in a `repr`."""


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value, and how many documents have it."""

    value: str | bool
    count: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A range of values, and how many documents have one in it."""

    start: Number
    """Included."""
    end: Number | None
    """Not included; None where the field's type has no higher value."""
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """What documents have in one field."""

    field: Field
    missing: int
    """Documents without a value."""
    values: tuple[ValueCount, ...] = ()
    """The most frequent values, most frequent first, ties by value. Counts are exact."""
    others: int = 0
    """Documents with other values; one with several of them is counted for each."""
    exact: bool = True
    """Whether `values` are the most frequent ones; else one that is left out may be as frequent as these."""
    minimum: Number | None = None
    maximum: Number | None = None
    buckets: tuple[Bucket, ...] = ()
    """Ranges of equal width from the minimum to the maximum, without a gap."""

    def to_json(self) -> dict[str, Any]:
        """The facet as the command line prints it with `--json`."""
        data: dict[str, Any] = {"type": self.field.type.value}
        if self.field.type in VALUE_TYPES:
            values = [{"value": one.value, "count": one.count} for one in self.values]
            data |= {"values": values, "others": self.others, "exact": self.exact}
        else:
            buckets = [
                {"from": _json(one.start), "to": _json(one.end), "count": one.count} for one in self.buckets
            ]
            data |= {"minimum": _json(self.minimum), "maximum": _json(self.maximum), "buckets": buckets}
        return data | {"missing": self.missing}

    def __str__(self) -> str:
        """The facet in a few words."""
        if self.minimum is not None:
            return f"{_text(self.minimum)} to {_text(self.maximum)}"
        shown = [f"{_text(one.value)} {one.count:,}" for one in self.values[:MAX_SHOWN]]
        return (
            ", ".join([*shown, *(["..."] if len(self.values) > MAX_SHOWN or self.others else [])]) or "none"
        )


@dataclass(frozen=True, repr=False)
class Facets(Mapping[str, Facet]):
    """The facets of some documents, by the names of the fields."""

    documents: int
    """How many documents were counted: all that the filter leaves."""
    of_fields: tuple[Facet, ...]
    """In the order of the fields."""

    def __getitem__(self, name: str) -> Facet:
        for facet in self.of_fields:
            if facet.field.name == name:
                return facet
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (facet.field.name for facet in self.of_fields)

    def __len__(self) -> int:
        return len(self.of_fields)

    def __repr__(self) -> str:
        shown = "; ".join(f"{name}: {facet}" for name, facet in self.items())
        return f"<Facets of {pluralize(self.documents, 'document')}{': ' * bool(shown)}{shown}>"

    def _repr_html_(self) -> str:
        rows = [(name, f"{facet}; missing: {facet.missing:,}") for name, facet in self.items()]
        return render_table([("documents", f"{self.documents:,}"), *rows])

    def to_json(self) -> dict[str, Any]:
        """The facets as the command line prints them with `--json`."""
        return {
            "documents": self.documents,
            "facets": {name: facet.to_json() for name, facet in self.items()},
        }


def _json(value: Number | None) -> Any:
    return None if value is None else json_metadata({"value": value})["value"]


def _text(value: str | bool | Number | None) -> str:
    return one_line(str(_json(value) if isinstance(value, datetime) else value), 40)
