"""Values in filters: typed as the field is, and compared with it.

values by field name ─► normalize_where ─┐
expression ─► _Parser ─► texts ──────────┴─► parse_comparison · parse_near · parse_inside ─► Condition
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias, TypeVar

from esclip._core.analysis import analyze_query, former_words
from esclip._core.filters import (
    AnyOf,
    Condition,
    HasWords,
    Inside,
    Near,
    OneOf,
    Prefix,
    Range,
    StartsWith,
    Value,
)
from esclip._core.schema import Field, FieldType
from esclip._core.text_forms import compose, forms, is_unicode
from esclip._errors import ConfigError, FieldNotFound, one_line
from esclip._search.where import Given, Plain

CALLS = {
    "exists": "exists(FIELD)",
    "near": "near(FIELD, LATITUDE, LONGITUDE, 50km), or a distance in m",
    "inside": "inside(FIELD, SOUTH, WEST, NORTH, EAST) in degrees",
}

MAX_DISTANCE = 21_000_000.0
"""Meters: half of the Earth's circumference, rounded up. Engines refuse much larger numbers."""

_DISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m)")

T = TypeVar("T")

Period: TypeAlias = tuple[datetime, datetime | None]
"""The start and the exclusive end of a year, month or day; a moment and None."""

WORDS = "words"
"""What a filter calls the words of a document: its description and all texts of its metadata. No field has
this name."""

ORDERED_TYPES = (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE)

MAX_SHOWN = 120
"""Characters of a filter that an error quotes."""


def require_field(
    name: str,
    fields: Mapping[str, Field],
    *,
    kind: str = "filter",
    argument: str = "where",
    character: int | None = None,
) -> Field:
    """The index's field of this name. Raises `FieldNotFound` that names the nearest.

    `kind` is how the error calls what the name stands in; the others are attributes of the error.
    """
    name = compose(name)
    if name in fields:
        return fields[name]
    similar = next(iter(difflib.get_close_matches(name[:MAX_SHOWN], fields, n=1)), None)
    hint = f"did you mean {similar!r}?" if similar else f"it has: {', '.join(sorted(fields)) or 'none'}"
    shown = one_line(name, MAX_SHOWN)
    raise FieldNotFound(
        f"{kind} {shown}: the index has no such field; {hint}",
        field=shown,
        similar=similar,
        argument=argument,
        character=character,
    )


def parse_words(values: Sequence[Given], source_text: str) -> Condition:
    """`words~values` as a condition: of several values one must have all its words in the document.

    Raises `ConfigError` for a value without a word.
    """
    source_text = one_line(source_text, MAX_SHOWN)
    conditions = tuple(_has_words(value, source_text) for value in values)
    return conditions[0] if len(conditions) == 1 else AnyOf(conditions)


def _has_words(value: Given, source_text: str) -> HasWords:
    if isinstance(value, Prefix):
        raise ConfigError(
            f"filter {source_text}: words are compared whole, apart from their endings; leave out the *"
        )
    words = analyze_query(value) if isinstance(value, str) else ()
    if not words:
        raise ConfigError(f"filter {source_text}: {one_line(str(value), 40)!r} has no word to look for")
    former = former_words(str(value))
    return HasWords(tuple((word, *((former[word],) if word in former else ())) for word in words))


def parse_comparison(field: Field, operator: str, values: Sequence[Given], source_text: str) -> Condition:
    """`field operator values` as a condition; errors quote `source_text`.

    Raises `ConfigError` for values that are not of the field's type, and operators that it doesn't support.
    """
    source_text = one_line(source_text, MAX_SHOWN)
    if operator == "=":
        return _equal(field, values, source_text)
    if field.type not in ORDERED_TYPES:
        raise ConfigError(
            f"filter {source_text}: {field.name} has no order, so that {operator} can't be used"
        )
    if len(values) != 1:
        raise ConfigError(f"filter {source_text}: {operator} compares with one value")
    if isinstance(values[0], Prefix):
        raise ConfigError(
            f"filter {source_text}: {operator} compares with a whole value, not with its beginning"
        )
    return _convert(field, values[0], source_text, lambda value: _range(field, operator, value))


def _equal(field: Field, values: Sequence[Given], source_text: str) -> Condition:
    whole = [value for value in values if not isinstance(value, Prefix)]
    prefixes = [value for value in values if isinstance(value, Prefix)]
    if not prefixes:
        return _equal_whole(field, whole, source_text)
    begins = _begins(field, prefixes, source_text)
    return AnyOf((_equal_whole(field, whole, source_text), begins)) if whole else begins


def _begins(field: Field, prefixes: Sequence[Prefix], source_text: str) -> StartsWith:
    if field.type not in (FieldType.KEYWORD, FieldType.KEYWORDS):
        raise ConfigError(
            f"filter {source_text}: a * stands for the rest of a text, and {field.name} "
            f"{EXPECTATIONS[field.type]}"
        )
    if not all(prefix.text for prefix in prefixes):
        raise ConfigError(
            f"filter {source_text}: every text begins with nothing; exists({field.name}) finds those with any"
        )
    texts = [_convert(field, prefix.text, source_text, str) for prefix in prefixes]
    return StartsWith(field, tuple(form for text in texts for form in forms(text)))


def _equal_whole(field: Field, values: Sequence[Plain], source_text: str) -> Condition:
    if field.type is FieldType.DATE:
        return _in_periods(field, [_convert(field, value, source_text, _period) for value in values])
    typed = [_convert(field, value, source_text, lambda given: _cast(given, field.type)) for value in values]
    return OneOf(field, _in_all_forms(typed))


def _convert(field: Field, value: Plain, source_text: str, convert: Callable[[Plain], T]) -> T:
    """The value, converted. Raises `ConfigError` that says what the field takes."""
    if isinstance(value, str) and not is_unicode(value):
        raise ConfigError(
            f"filter {source_text}: {value[:40]!r} is no valid Unicode, and no document has "
            "it; check its encoding"
        )
    try:
        return convert(value)
    except (KeyError, ValueError, OverflowError):
        which = "" if source_text.endswith(f"={value}") else f"{str(value)[:40]!r}: "
        raise ConfigError(f"filter {source_text}: {which}{field.name} {EXPECTATIONS[field.type]}") from None


def _in_all_forms(values: Sequence[Value]) -> tuple[Value, ...]:
    """The values, texts also in the Unicode forms in which older indexes may have them."""
    return tuple(form for value in values for form in (forms(value) if isinstance(value, str) else (value,)))


def _range(field: Field, operator: str, value: Plain) -> Range:
    """The values above or below one; for a year, month or day, those after or before all of it."""
    if field.type is FieldType.DATE:
        start, end = _period(value)
        match operator:
            case ">=":
                return Range(field, at_least=start)
            case ">":
                return Range(field, above=start) if end is None else Range(field, at_least=end)
            case "<":
                return Range(field, below=start)
            case _:
                return Range(field, at_most=start) if end is None else Range(field, below=end)
    typed = _cast(value, field.type)
    assert isinstance(typed, int | float)
    name = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}[operator]
    return Range(field, **{name: typed})


def _in_periods(field: Field, values: Sequence[Period]) -> Condition:
    """Equal to one of the moments or within one of the periods; adjoining periods are merged."""
    moments = tuple(start for start, end in values if end is None)
    periods: list[tuple[datetime, datetime]] = []
    for start, end in sorted((start, end) for start, end in values if end is not None):
        if periods and start <= periods[-1][1]:
            periods[-1] = periods[-1][0], max(end, periods[-1][1])
        else:
            periods.append((start, end))
    conditions: list[Condition] = [OneOf(field, moments)] if moments or not periods else []
    conditions += [Range(field, at_least=start, below=end) for start, end in periods]
    return conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))


def require_geo(field: Field, call: str) -> None:
    """Raise `ConfigError` for a field that holds no places."""
    if field.type is not FieldType.GEO_POINT:
        raise ConfigError(
            f"filter {call}({field.name}, ...): {field.name} holds no places; it {EXPECTATIONS[field.type]}"
        )


def parse_near(field: Field, numbers: Sequence[str]) -> Near:
    """A point and a distance. Raises `ConfigError` for an impossible point, else `ValueError`."""
    lat, lon, radius = numbers
    distance = _DISTANCE.fullmatch(radius)
    if distance is None:
        raise ValueError(radius)
    point = _point(field, "near", lat, lon)
    return Near(field, *point, min(MAX_DISTANCE, float(distance[1]) * (1000 if distance[2] == "km" else 1)))


def parse_inside(field: Field, numbers: Sequence[str]) -> Inside:
    """The numbers of a box. Raises `ConfigError` for an impossible box, `ValueError` for a syntax error."""
    south, west, north, east = numbers
    box = Inside(field, *_point(field, "inside", south, west), *_point(field, "inside", north, east))
    if box.south > box.north:
        raise ConfigError(
            f"filter inside({field.name}, ...): its south {_shorten(south)} is north of its north "
            f"{_shorten(north)}; write {CALLS['inside']}"
        )
    return box


def _point(field: Field, call: str, lat: str, lon: str) -> tuple[float, float]:
    degrees = float(lat), float(lon)
    if abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180:
        return degrees
    swapped = abs(degrees[1]) <= 90 and abs(degrees[0]) <= 180
    hint = "are latitude and longitude exchanged? " if swapped else ""
    raise ConfigError(
        f"filter {call}({field.name}, ...): there is no latitude {_shorten(lat)} with longitude "
        f"{_shorten(lon)}; {hint}write {CALLS[call]}"
    )


def _shorten(degrees: str) -> str:
    return one_line(degrees, 20)


EXPECTATIONS = {
    FieldType.KEYWORD: "takes text",
    FieldType.KEYWORDS: "takes text",
    FieldType.INTEGER: "takes a whole number",
    FieldType.FLOAT: "takes a number",
    FieldType.BOOLEAN: "takes true or false",
    FieldType.DATE: "takes a date such as 2024, 2024-05-01 or 2024-05-01T12:30:00Z",
    FieldType.TEXT: "holds sentences, which can't be compared as a whole; words~WORD finds their words",
    FieldType.GEO_POINT: "holds places: use near(...) or inside(...)",
}
"""What an error says of a field that can't have a value."""

_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{8}")
_MOMENT = re.compile(r"\d{4}-?\d\d-?\d\d[T ].+")


def _period(value: Plain) -> Period:
    """The period of a year, month or day, or a moment; in UTC where no zone is given.

    Raises `ValueError` or `OverflowError` for what is no date of the calendar.
    """
    match value:
        case datetime():
            return _in_utc(value), None
        case date():
            return _period(value.isoformat())
        case str() if parts := _YEAR_OR_MONTH.fullmatch(value):
            year, month = int(parts[1]), int(parts[2] or 1)
            start = datetime(year, month, 1, tzinfo=UTC)
            return start, start.replace(year=year + 1) if parts[2] is None else _next_month(start)
        case str() if _DAY.fullmatch(value):
            start = datetime.fromisoformat(value).replace(tzinfo=UTC)
            return start, start + timedelta(days=1)
        case str() if _MOMENT.fullmatch(value):
            return _in_utc(datetime.fromisoformat(value)), None
        case _:
            raise ValueError(value)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _next_month(start: datetime) -> datetime:
    return (start + timedelta(days=31)).replace(day=1)


BOOLEANS = {
    "true": True,
    "t": True,
    "yes": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}


def _cast(value: Plain, kind: FieldType) -> Value:
    """The value in the field's type. Raises `ValueError` or `KeyError` when it has no such value."""
    match kind, value:
        case ((FieldType.KEYWORD | FieldType.KEYWORDS), str()):
            return value
        case FieldType.BOOLEAN, bool():
            return value
        case FieldType.BOOLEAN, str():
            return BOOLEANS[value.lower()]
        case _, bool():
            raise ValueError(value)
        case FieldType.INTEGER, int() | float() | str():
            return _integer(value)
        case FieldType.FLOAT, int() | float() | str() if math.isfinite(float(value)):
            return float(value)
        case _:
            raise ValueError(value)


def _integer(value: int | float | str) -> int:
    """A 64-bit integer. Raises `ValueError` or `OverflowError` for others."""
    number = int(value)
    if not -(2**63) <= number < 2**63 or (isinstance(value, float) and value != number):
        raise ValueError(value)
    return number
