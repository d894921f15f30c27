"""Values in filters: those of a field's type, from text or Python's; comparisons become conditions."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, assert_never

from esclip._conditions import AnyOf, Condition, OneOf, Range, Value
from esclip._errors import ConfigError
from esclip._schema import Field, FieldType
from esclip._text_forms import composed, forms

__all__ = ["compared", "known_field", "place_field"]

Ordered: TypeAlias = int | float | datetime


def known_field(name: str, known: Mapping[str, Field]) -> Field:
    """The index's field of this name. Raises `ConfigError` that names the nearest."""
    name = composed(name)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}"
    raise ConfigError(f"--where {name}: the index has no such field; {hint}")


def place_field(field: Field, call: str) -> None:
    """Raise `ConfigError` when the field holds no places."""
    if field.type is not FieldType.GEO_POINT:
        raise ConfigError(
            f"--where {call}({field.name}, ...): {field.name} holds no places; it {EXPECTED[field.type]}"
        )


def compared(field: Field, operator: str, values: Sequence[Value], told: str) -> Condition:
    """`field operator values` as a condition; `told` is how the user put it.

    Raises `ConfigError` for values that are not of the field's type, and comparisons that it doesn't know.
    """
    try:
        if operator != "=":
            (value,) = values
            return _ordered(field, operator, value)
        if field.type is FieldType.DATE and any(isinstance(value, str) for value in values):
            parts = tuple(_in_time(field, value) for value in values)
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        return OneOf(field, _in_all_forms([_typed(value, field.type) for value in values]))
    except (KeyError, ValueError, OverflowError):
        said = EXPECTED[field.type]
        if operator != "=" and field.type not in (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE):
            said = f"has no order, so that {operator} can't be used"
        raise ConfigError(f"--where {told}: {field.name} {said}") from None


def _in_all_forms(values: Sequence[Value]) -> tuple[Value, ...]:
    """The values, texts also in the form in which an index of before may have them."""
    return tuple(form for value in values for form in (forms(value) if isinstance(value, str) else (value,)))


def _ordered(field: Field, operator: str, value: Value) -> Range:
    """The values above or below one; of a date less exact than a moment, after or before all of it."""
    if field.type not in (FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE):
        raise ValueError(field.type)
    if field.type is FieldType.DATE and isinstance(value, str):
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
    assert isinstance(typed, int | float | datetime)
    name = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}[operator]
    return Range(field, **{name: typed})


def _in_time(field: Field, value: Value) -> Condition:
    if not isinstance(value, str):
        return OneOf(field, (_typed(value, field.type),))
    first, after = _span(value)
    return OneOf(field, (first,)) if after is None else Range(field, at_least=first, below=after)


_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _span(text: str) -> tuple[datetime, datetime | None]:
    """When a year, month or day begins, and the next one; of a moment, that and None. By default in UTC."""
    if short := _YEAR_OR_MONTH.fullmatch(text):
        year, month = int(short[1]), int(short[2] or 1)
        first = datetime(year, month, 1, tzinfo=UTC)
        after = first.replace(year=year + 1) if short[2] is None else _next_month(first)
        return first, after
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment, moment + timedelta(days=1) if _DAY.fullmatch(text) else None


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


def _typed(value: Value, kind: FieldType) -> Value:
    """The value as the field's type has it. Raises `ValueError` or `KeyError` when it is none."""
    if not isinstance(value, str):
        return _checked(value, kind)
    match kind:
        case FieldType.KEYWORD | FieldType.KEYWORDS:
            return value
        case FieldType.INTEGER:
            return _checked(int(value), kind)
        case FieldType.FLOAT:
            return _checked(float(value), kind)
        case FieldType.BOOLEAN:
            return BOOLEANS[value.lower()]
        case FieldType.DATE | FieldType.TEXT | FieldType.GEO_POINT:
            raise ValueError(value)
        case _:
            assert_never(kind)


def _checked(value: Value, kind: FieldType) -> Value:
    """The value, if it is of this type. Raises `ValueError` otherwise."""
    match kind, value:
        case FieldType.BOOLEAN, bool():
            return value
        case _, bool():
            raise ValueError(value)
        case FieldType.INTEGER, int() if -(2**63) <= value < 2**63:
            return value
        case FieldType.FLOAT, int() | float() if math.isfinite(value):
            return float(value)
        case FieldType.DATE, datetime():
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case _:
            raise ValueError(value)


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
