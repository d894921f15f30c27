"""Conditions as the embedded store's SQL. Pure functions.

A column without a value is NULL, and so is what is compared with it, which counts as false; `NOT` of it would
be NULL as well, and is made true.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from esclip._core import filters
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import truncate_date
from esclip.stores.filter_eval import EARTH_RADIUS
from esclip.stores.lance.rows import WORDS

_SEPARATOR = f"\x1f{secrets.token_hex(8)}\x1f"
"""Joins the texts of a list so that the beginning of each can be found. Random, so that no text has it."""


def filter_sql(where: Iterable[filters.Condition], columns: Collection[str]) -> str | None:
    """The conditions, all of which must hold, as SQL on these columns; None when there are none."""
    return " AND ".join(_sql(condition, columns) for condition in where) or None


def filter_columns(dataset: Any, schema: IndexSchema) -> set[str]:
    """The columns that conditions may name."""
    return {field.name for field in schema.fields} | ({WORDS} & set(dataset.schema.names))


def has_word_sql(forms: Iterable[str]) -> str:
    """SQL that is true where a document has the word in one of its forms."""
    return " OR ".join(f"array_has({WORDS}, {quote(form)})" for form in forms)


def in_sql(column: str, values: Iterable[str]) -> str:
    """SQL that is true where the column has one of these values, of which there is one at least."""
    return f"{column} IN ({', '.join(quote(value) for value in values)})"


def _sql(condition: filters.Condition, columns: Collection[str]) -> str:
    match condition:
        case filters.Not(inner):
            return f"(NOT coalesce({_sql(inner, columns)}, false))"
        case filters.AllOf(parts):
            return f"({' AND '.join(_sql(part, columns) for part in parts) or 'true'})"
        case filters.AnyOf(parts):
            return f"({' OR '.join(_sql(part, columns) for part in parts) or 'false'})"
        case filters.HasId(ids):
            return in_sql("id", ids) if ids else "false"
        case filters.HasWords(words):
            tests = " AND ".join(f"({has_word_sql(forms)})" for forms in words) or "true"
            return f"({tests})" if WORDS in columns else "false"  # an index of an older version may lack it
        case (
            filters.OneOf()
            | filters.Range()
            | filters.Exists()
            | filters.StartsWith()
            | filters.Near()
            | filters.Inside()
        ):
            # a field that another process has just added, or that the index never had
            return f"({_test(condition)})" if condition.field.name in columns else "false"
        case _:
            assert_never(condition)


def _test(
    condition: filters.OneOf
    | filters.Range
    | filters.Exists
    | filters.StartsWith
    | filters.Near
    | filters.Inside,
) -> str:
    column = f"`{condition.field.name}`"
    match condition:
        case filters.Exists(field):
            return (
                f"array_length({column}) > 0" if field.type is FieldType.KEYWORDS else f"{column} IS NOT NULL"
            )
        case filters.OneOf(field, values):
            return _equal(field, values) if values else "false"
        case filters.StartsWith(field, prefixes):
            return " OR ".join(_begins(field, prefix) for prefix in prefixes) or "false"
        case filters.Range(_, at_least, above, at_most, below):
            bounds = ((">=", at_least), (">", above), ("<=", at_most), ("<", below))
            tests = [f"{column} {sign} {_literal(bound)}" for sign, bound in bounds if bound is not None]
            return " AND ".join(tests) or f"{column} IS NOT NULL"
        case filters.Near(_, lat, lon, meters):
            return f"{_haversine(column, lat, lon)} <= {_half_chord(meters)!r}"
        case filters.Inside(_, south, west, north, east):
            across = "AND" if west <= east else "OR"
            return (
                f"{column}.lat >= {south!r} AND {column}.lat <= {north!r} "
                f"AND ({column}.lon >= {west!r} {across} {column}.lon <= {east!r})"
            )
        case _:
            assert_never(condition)


def _equal(field: Field, values: Sequence[filters.Value]) -> str:
    """Lists, because a chain of thousands of OR is nested, and ends the process by its stack."""
    listed = ", ".join(map(_literal, values))
    if field.type is FieldType.KEYWORDS:
        return f"array_has_any(`{field.name}`, [{listed}])"
    return f"`{field.name}` IN ({listed})"


def _begins(field: Field, prefix: str) -> str:
    if field.type is not FieldType.KEYWORDS:
        return f"starts_with(`{field.name}`, {quote(prefix)})"
    separator = quote(_SEPARATOR)
    joined = f"concat({separator}, array_to_string(`{field.name}`, {separator}))"
    return f"(array_length(`{field.name}`) > 0 AND contains({joined}, {quote(_SEPARATOR + prefix)}))"


def _literal(value: filters.Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"CAST({quote(str(value))} AS BIGINT)"
        case float():
            return f"CAST({quote(repr(value))} AS DOUBLE)"
        case datetime():
            # A cast number, because how a date is spelt in SQL and in which zone it is read vary.
            milliseconds = round(truncate_date(value).timestamp() * 1000)
            return f"arrow_cast({milliseconds}, 'Timestamp(Millisecond, Some(\"UTC\"))')"
        case str():
            return quote(value)
        case _:
            assert_never(value)


def _haversine(column: str, lat: float, lon: float) -> str:
    """The square of half the chord between two places, on a sphere of radius 1."""
    north, across = f"radians({lat!r} - {column}.lat) / 2", f"radians({lon!r} - {column}.lon) / 2"
    shrink = f"cos(radians({column}.lat)) * {math.cos(math.radians(lat))!r}"
    return f"(power(sin({north}), 2) + {shrink} * power(sin({across}), 2))"


def _half_chord(meters: float) -> float:
    """The same for a distance along the surface, of half the circumference at most."""
    return math.sin(min(meters / EARTH_RADIUS, math.pi) / 2) ** 2


def quote(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
