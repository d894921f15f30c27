"""Values in filters: those of a field's type, from text or Python's; comparisons become conditions."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias, TypeVar

from esclip._core.filters import AnyOf, Condition, OneOf, Range, Value
from esclip._core.schema import Field, FieldType
from esclip._errors import ConfigError, one_line
from esclip._search.filter_input import Plain
from esclip._text.forms import composed, forms, is_unicode

__all__ = ["EXPECTED", "LONGEST", "compared", "known_field"]

T = TypeVar("T")

Span: TypeAlias = tuple[datetime, datetime | None]
"""A time from its beginning to what comes after it, or a moment and None."""

ORDERED = (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE)

LONGEST = 120
"""Characters of a filter that an error repeats."""


def known_field(name: str, known: Mapping[str, Field]) -> Field:
    """The index's field of this name. Raises `ConfigError` that names the nearest."""
    name = composed(name)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}"
    raise ConfigError(f"filter {one_line(name, LONGEST)}: the index has no such field; {hint}")


def compared(field: Field, operator: str, values: Sequence[Plain], told: str) -> Condition:
    """`field operator values` as a condition; `told` is how the user put it.

    Raises `ConfigError` for values that are not of the field's type, and comparisons that it doesn't know.
    """
    told = one_line(told, LONGEST)
    if operator == "=":
        return _equal(field, values, told)
    if field.type not in ORDERED:
        raise ConfigError(f"filter {told}: {field.name} has no order, so that {operator} can't be used")
    if len(values) != 1:
        raise ConfigError(f"filter {told}: {operator} compares with one value")
    return _fitting(field, values[0], told, lambda value: _ordered(field, operator, value))


def _equal(field: Field, values: Sequence[Plain], told: str) -> Condition:
    if field.type is FieldType.DATE:
        return _in_time(field, [_fitting(field, value, told, _span) for value in values])
    typed = [_fitting(field, value, told, lambda one: _typed(one, field.type)) for value in values]
    return OneOf(field, _in_all_forms(typed))


def _fitting(field: Field, value: Plain, told: str, read: Callable[[Plain], T]) -> T:
    """The value, read. Raises `ConfigError` that says what the field takes."""
    if isinstance(value, str) and not is_unicode(value):
        raise ConfigError(
            f"filter {told}: {value[:40]!r} is no valid Unicode, and no document has it; check its encoding"
        )
    try:
        return read(value)
    except (KeyError, ValueError, OverflowError):
        which = "" if told.endswith(f"={value}") else f"{str(value)[:40]!r}: "
        raise ConfigError(f"filter {told}: {which}{field.name} {EXPECTED[field.type]}") from None


def _in_all_forms(values: Sequence[Value]) -> tuple[Value, ...]:
    """The values, texts also in the form in which an index of before may have them."""
    return tuple(form for value in values for form in (forms(value) if isinstance(value, str) else (value,)))


def _ordered(field: Field, operator: str, value: Plain) -> Range:
    """The values above or below one; of a date less exact than a moment, after or before all of it."""
    if field.type is FieldType.DATE:
        first, after = _span(value)
        match operator:
            case ">=":
                return Range(field, at_least=first)
            case ">":
                return Range(field, above=first) if after is None else Range(field, at_least=after)
            case "<":
                return Range(field, below=first)
            case _:
                return Range(field, at_most=first) if after is None else Range(field, below=after)
    typed = _typed(value, field.type)
    assert isinstance(typed, int | float)
    name = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}[operator]
    return Range(field, **{name: typed})


def _in_time(field: Field, values: Sequence[Span]) -> Condition:
    """One of some moments, or in one of some years, months or days; what adjoins is one time."""
    moments = tuple(first for first, after in values if after is None)
    times: list[tuple[datetime, datetime]] = []
    for first, after in sorted((first, after) for first, after in values if after is not None):
        if times and first <= times[-1][1]:
            times[-1] = times[-1][0], max(after, times[-1][1])
        else:
            times.append((first, after))
    parts: list[Condition] = [OneOf(field, moments)] if moments or not times else []
    parts += [Range(field, at_least=first, below=after) for first, after in times]
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{8}")
_MOMENT = re.compile(r"\d{4}-?\d\d-?\d\d[T ].+")


def _span(value: Plain) -> Span:
    """When a year, month or day begins, and the next one; of a moment, that and None. By default in UTC.

    Raises `ValueError` or `OverflowError` for what is none that a calendar has.
    """
    match value:
        case datetime():
            return _in_utc(value), None
        case date():
            return _span(value.isoformat())
        case str() if short := _YEAR_OR_MONTH.fullmatch(value):
            year, month = int(short[1]), int(short[2] or 1)
            first = datetime(year, month, 1, tzinfo=UTC)
            return first, first.replace(year=year + 1) if short[2] is None else _next_month(first)
        case str() if _DAY.fullmatch(value):
            first = datetime.fromisoformat(value).replace(tzinfo=UTC)
            return first, first + timedelta(days=1)
        case str() if _MOMENT.fullmatch(value):
            return _in_utc(datetime.fromisoformat(value)), None
        case _:
            raise ValueError(value)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


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


def _typed(value: Plain, kind: FieldType) -> Value:
    """The value as the field's type has it. Raises `ValueError` or `KeyError` when it is none."""
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
            return _whole(value)
        case FieldType.FLOAT, int() | float() | str() if math.isfinite(float(value)):
            return float(value)
        case _:
            raise ValueError(value)


def _whole(value: int | float | str) -> int:
    """A number of 64 bits. Raises `ValueError` or `OverflowError` when it is none."""
    number = int(value)
    if not -(2**63) <= number < 2**63 or (isinstance(value, float) and value != number):
        raise ValueError(value)
    return number


EXPECTED = {
    FieldType.KEYWORD: "takes text",
    FieldType.KEYWORDS: "takes text",
    FieldType.INTEGER: "takes a whole number",
    FieldType.FLOAT: "takes a number",
    FieldType.BOOLEAN: "takes true or false",
    FieldType.DATE: "takes a date such as 2024, 2024-05-01 or 2024-05-01T12:30:00Z",
    FieldType.TEXT: "holds sentences, which can't be compared as a whole",
    FieldType.GEO_POINT: "holds places: use near(...) or inside(...)",
}
"""What to say of a field when a value is not for it."""
