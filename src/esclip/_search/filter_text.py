"""Conditions in words, as a user writes them in a filter: for what is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import assert_never

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
from esclip._text.forms import composed

__all__ = ["filter_text", "value_text"]

SHOWN = 5
"""Values and tests of a list that are written out."""


def filter_text(condition: Condition) -> str:
    """The condition as an expression, cut short where it is long."""
    match condition:
        case OneOf(field, values):
            return f"{field.name}={_list(_texts(values), ',')}"
        case Not(OneOf(field, values)):
            return f"{field.name}!={_list(_texts(values), ',')}"
        case Range(field):
            lower = ((">=", condition.at_least), (">", condition.above))
            upper = (("<=", condition.at_most), ("<", condition.below))
            tests = [
                f"{field.name}{sign}{value_text(bound)}"
                for sign, bound in (*lower, *upper)
                if bound is not None
            ]
            return " & ".join(tests) or f"exists({field.name})"
        case Exists(field):
            return f"exists({field.name})"
        case Near(field, lat, lon, meters):
            return f"near({field.name}, {lat:g}, {lon:g}, {meters:g}m)"
        case Inside(field, south, west, north, east):
            return f"inside({field.name}, {south:g}, {west:g}, {north:g}, {east:g})"
        case HasId(ids):
            return f"an id of {len(ids):,}"
        case Not(inner):
            return f"!{_inner(inner)}"
        case AllOf(parts):
            return _list(map(_inner, parts), " & ")
        case AnyOf(parts):
            return _list(map(_inner, parts), " | ")
        case _:
            assert_never(condition)


def _texts(values: Iterable[Value]) -> Iterable[str]:
    """The values, those that are one text in two forms once."""
    return dict.fromkeys(composed(value_text(value)) for value in values)


def value_text(value: Value) -> str:
    """A value as it stands in an expression."""
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().removesuffix("T00:00:00+00:00").replace("+00:00", "Z")
        case str() if not value or value != value.strip() or any(sign in value for sign in '|&,()"*'):
            return '"' + value.replace('"', '""') + '"'
        case _:
            return str(value)


def _inner(condition: Condition) -> str:
    text = filter_text(condition)
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text


def _list(texts: Iterable[str], between: str) -> str:
    begin = list(islice(texts, SHOWN + 1))
    return between.join([*begin[:SHOWN], *(["..."] if len(begin) > SHOWN else [])])
