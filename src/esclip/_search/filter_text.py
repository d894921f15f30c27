"""Conditions as the text of a filter expression, for messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import assert_never

from esclip._core import filters
from esclip._core.text_forms import compose

MAX_LISTED = 5
"""Values and tests of a list that are written out."""


def filter_text(condition: filters.Condition) -> str:
    """The condition as an expression; long lists are abbreviated."""
    match condition:
        case filters.OneOf(field, values):
            return f"{field.name}={_join(_texts(values), ',')}"
        case filters.Not(filters.OneOf(field, values)):
            return f"{field.name}!={_join(_texts(values), ',')}"
        case filters.StartsWith(field, prefixes):
            return f"{field.name}={_join(_prefix_texts(prefixes), ',')}"
        case filters.Not(filters.StartsWith(field, prefixes)):
            return f"{field.name}!={_join(_prefix_texts(prefixes), ',')}"
        case filters.Range(field):
            lower = ((">=", condition.at_least), (">", condition.above))
            upper = (("<=", condition.at_most), ("<", condition.below))
            tests = [
                f"{field.name}{sign}{value_text(bound)}"
                for sign, bound in (*lower, *upper)
                if bound is not None
            ]
            return " & ".join(tests) or f"exists({field.name})"
        case filters.Exists(field):
            return f"exists({field.name})"
        case filters.Near(field, lat, lon, meters):
            return f"near({field.name}, {lat:g}, {lon:g}, {meters:g}m)"
        case filters.Inside(field, south, west, north, east):
            return f"inside({field.name}, {south:g}, {west:g}, {north:g}, {east:g})"
        case filters.HasWords(words):
            return f"words~{value_text(' '.join(forms[0] for forms in words))}"
        case filters.HasId(ids):
            return f"an id of {len(ids):,}"
        case filters.Not(inner):
            return f"!{_inner(inner)}"
        case filters.AllOf(parts):
            return _join(map(_inner, parts), " & ")
        case filters.AnyOf(parts):
            return _join(map(_inner, parts), " | ")
        case _:
            assert_never(condition)


def exact_filter_text(condition: filters.OneOf | filters.Range | filters.Not) -> str:
    """The condition as an expression that means the same, whatever its values are."""
    match condition:
        case filters.OneOf(field, values):
            return f"{field.name}={','.join(map(_exact_text, values))}"
        case _:
            return filter_text(condition)


def _exact_text(value: filters.Value) -> str:
    """A value; a text in quotes, unless it can't be taken for anything else."""
    if not isinstance(value, str) or _PLAIN.fullmatch(value):
        return value_text(value)
    return '"' + value.replace('"', '""') + '"'


_PLAIN = re.compile(r"\w(?:[\w .+-]*\w)?")


def _texts(values: Iterable[filters.Value]) -> Iterable[str]:
    """The values; a text in two Unicode forms once."""
    return dict.fromkeys(compose(value_text(value)) for value in values)


def _prefix_texts(prefixes: Iterable[str]) -> Iterable[str]:
    """The same of beginnings of values."""
    return dict.fromkeys(f"{compose(value_text(prefix))}*" for prefix in prefixes)


def value_text(value: filters.Value) -> str:
    """A value as an expression has it."""
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat().removesuffix("T00:00:00+00:00").replace("+00:00", "Z")
        case str() if not value or value != value.strip() or any(sign in value for sign in '|&,()"*'):
            return '"' + value.replace('"', '""') + '"'
        case _:
            return str(value)


def _inner(condition: filters.Condition) -> str:
    text = filter_text(condition)
    return f"({text})" if isinstance(condition, filters.AllOf | filters.AnyOf) else text


def _join(texts: Iterable[str], separator: str) -> str:
    listed = list(islice(texts, MAX_LISTED + 1))
    return separator.join([*listed[:MAX_LISTED], *(["..."] if len(listed) > MAX_LISTED else [])])
