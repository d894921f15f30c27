"""Conditions as expressions of Milvus. Pure functions.

What a document lacks is null, and comparisons with it are neither true nor false: so each test of a value
asks first whether there is one. Lists are tested as one text as well (`join_texts`), which Milvus Lite does
twenty times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, assert_never

from esclip._core import filters
from esclip._core.histogram import to_milliseconds
from esclip._core.schema import Field, FieldType
from esclip._core.types import truncate_date
from esclip.stores.filter_eval import EARTH_RADIUS
from esclip.stores.milvus.names import joined_key, latitude_key, longitude_key, value_key

EVERY, NONE = 'id != ""', 'id == ""'
"""True and false: no id is empty."""

FEW_VALUES = 32
"""Texts of a list that are searched for in it as one text; more are compared with its members."""

_SEPARATOR = "\x1f"
_CODES = str.maketrans({"\x1e": "\x1ee", "\x1f": "\x1es", "%": "\x1ep", "_": "\x1eu", "\\": "\x1eb"})
"""No text has a separator or what has a meaning in `like`, whose escapes servers read differently."""

_LITERAL = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Filter(NamedTuple):
    """An expression that is true for all documents that fulfil some conditions."""

    expression: str
    exact: bool
    """Whether it is true for no others; else these have to be taken out of what it finds."""


def compile_expression(where: Iterable[filters.Condition]) -> Filter:
    """The expression of simplified conditions, all of which must hold."""
    return _all([_compile(condition) for condition in where])


def join_texts(texts: Iterable[str]) -> str:
    """Texts as one, in which each and the beginning of each can be searched for."""
    return _SEPARATOR + "".join(text.translate(_CODES) + _SEPARATOR for text in texts)


def quote(text: str) -> str:
    """A string in an expression."""
    return f'"{text.translate(_LITERAL)}"'


def as_argument(expression: str) -> str:
    """The expression as requests take it: none at all for one that is true for every document."""
    return "" if expression == EVERY else expression


def in_expression(name: str, values: Iterable[str]) -> str:
    """True where the field has one of these texts, of which there is one at least."""
    return f"{name} in [{', '.join(map(quote, values))}]"


def words_expression(forms: Iterable[str]) -> str:
    """True where a document has the word in one of its forms, which are letters and digits."""
    return _any_of(f"words like {quote(f'% {form} %')}" for form in forms)


def both(first: str, second: str) -> str:
    """True where two expressions are."""
    return second if first == EVERY else first if second == EVERY else f"({first}) and ({second})"


def _compile(condition: filters.Condition) -> Filter:
    match condition:
        case filters.Not(inner):
            expression, exact = _compile(inner)
            return Filter(f"not ({expression})", True) if exact else Filter(EVERY, False)
        case filters.AllOf(parts):
            return _all([_compile(part) for part in parts])
        case filters.AnyOf(parts):
            compiled = [_compile(part) for part in parts]
            expression = _any_of(part.expression for part in compiled)
            return Filter(expression, all(part.exact for part in compiled))
        case filters.HasId(ids):
            return Filter(in_expression("id", ids) if ids else NONE, True)
        case filters.HasWords(words):
            return _all([Filter(words_expression(forms), True) for forms in words])
        case filters.Near(field, lat, lon, meters):
            return Filter(_present(latitude_key(field), _around(field, lat, lon, meters)), False)
        case filters.Inside():
            return Filter(_present(latitude_key(condition.field), _inside(condition)), True)
        case filters.OneOf() | filters.Range() | filters.Exists() | filters.StartsWith():
            key = value_key(condition.field)
            if condition.field.type is FieldType.GEO_POINT:
                key = latitude_key(condition.field)
            return Filter(_present(key, _test(condition)), True)
        case _:
            assert_never(condition)


def _all(parts: list[Filter]) -> Filter:
    expressions = [part.expression for part in parts if part.expression != EVERY]
    joined = " and ".join(f"({expression})" for expression in expressions)
    return Filter(joined or EVERY, all(part.exact for part in parts))


def _any_of(expressions: Iterable[str]) -> str:
    return " or ".join(f"({expression})" for expression in expressions) or NONE


def _present(key: str, test: str) -> str:
    return NONE if test == NONE else both(f"exists {key}", test)


def _test(condition: filters.OneOf | filters.Range | filters.Exists | filters.StartsWith) -> str:
    """A test of a value that is there."""
    field, key = condition.field, value_key(condition.field)
    match condition:
        case filters.Exists():
            return EVERY
        case filters.OneOf(_, values):
            return _one_of(field, values) if values else NONE
        case filters.StartsWith(_, prefixes):
            if field.type is FieldType.KEYWORDS:
                beginnings = (quote(f"%{join_texts([prefix])[:-1]}%") for prefix in prefixes)
                return _any_of(f"{joined_key(field)} like {beginning}" for beginning in beginnings)
            return _any_of(_begins(key, prefix) for prefix in prefixes)
        case filters.Range(_, at_least, above, at_most, below):
            bounds = ((">=", at_least), (">", above), ("<=", at_most), ("<", below))
            tests = [f"{key} {sign} {_literal(field, bound)}" for sign, bound in bounds if bound is not None]
            return " and ".join(tests) or EVERY
        case _:
            assert_never(condition)


def _one_of(field: Field, values: tuple[filters.Value, ...]) -> str:
    literals = [_literal(field, value) for value in values]
    if field.type is FieldType.FLOAT and 0 in values:
        literals += ["0.0", "-0.0"]  # which are not the same to `in` of Milvus Lite
    if field.type is FieldType.BOOLEAN:
        return _any_of(f"{value_key(field)} == {literal}" for literal in literals)
    if field.type is not FieldType.KEYWORDS:
        return f"{value_key(field)} in [{', '.join(literals)}]"
    if len(values) > FEW_VALUES:
        return f"json_contains_any({value_key(field)}, [{', '.join(literals)}])"
    wanted = (quote(f"%{join_texts([str(value)])}%") for value in values)
    return _any_of(f"{joined_key(field)} like {text}" for text in wanted)


def _begins(key: str, prefix: str) -> str:
    """A range of texts: in `like`, servers read escapes differently."""
    if not prefix:
        return EVERY
    end = prefix.rstrip(chr(0x10FFFF))
    if not end:
        return f"{key} >= {quote(prefix)}"
    following = ord(end[-1]) + 1
    end = end[:-1] + chr(0xE000 if following == 0xD800 else following)  # beyond the surrogates
    return f"{key} >= {quote(prefix)} and {key} < {quote(end)}"


def _literal(field: Field, value: filters.Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return str(to_milliseconds(truncate_date(value)))
        case int() | float():
            return repr(float(value)) if field.type is FieldType.FLOAT else repr(value)
        case str():
            return quote(value)
        case _:
            assert_never(value)


def _inside(box: filters.Inside) -> str:
    lat, lon = latitude_key(box.field), longitude_key(box.field)
    across = "and" if box.west <= box.east else "or"
    return (
        f"{lat} >= {float(box.south)!r} and {lat} <= {float(box.north)!r} "
        f"and ({lon} >= {float(box.west)!r} {across} {lon} <= {float(box.east)!r})"
    )


def _around(field: Field, lat: float, lon: float, meters: float) -> str:
    """True in a box around a circle, which Milvus can't test."""
    angle = meters / EARTH_RADIUS * 1.0001 + 1e-7  # at least half a metre beyond the circle
    height = math.degrees(angle)
    south, north = max(-90.0, lat - height), min(90.0, lat + height)
    west, east = -180.0, 180.0
    if south > -90 and north < 90 and (sine := math.sin(angle) / math.cos(math.radians(lat))) < 1:
        width = math.degrees(math.asin(sine))
        west, east = lon - width, lon + width
        if west < -180:
            west += 360
        if east > 180:
            east -= 360
    return _inside(filters.Inside(field, south, west, north, east))
