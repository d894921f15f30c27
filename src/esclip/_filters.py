"""Filters as a user writes them, checked against the fields of an index and typed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, assert_never

from esclip._errors import ConfigError
from esclip._schema import Condition, Field, FieldType

__all__ = ["Where", "conditions"]

Value: TypeAlias = str | int | float | bool | datetime

Where: TypeAlias = Mapping[str, Value]
"""Values by field name, all of which must be equal; a string is read as the field's type."""


def conditions(where: Where, fields: Sequence[Field]) -> tuple[Condition, ...]:
    """The filter as typed conditions.

    Raises `ConfigError` for a field that the index lacks, naming the nearest, and for a value that is not of
    the field's type.
    """
    known = {field.name: field for field in fields}
    return tuple(_condition(name, value, known) for name, value in where.items())


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


def _condition(name: str, value: Value, known: Mapping[str, Field]) -> Condition:
    field = known.get(name)
    if field is None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}"
        raise ConfigError(f"--where {name}: the index has no such field; {hint}")
    try:
        return Condition(
            field, _read(value, field.type) if isinstance(value, str) else _check(value, field.type)
        )
    except (KeyError, ValueError):
        raise ConfigError(f"--where {name}={value}: {name} {EXPECTED[field.type]}") from None


def _read(text: str, kind: FieldType) -> Value:
    """The value that `text` spells. Raises `ValueError` or `KeyError` when it spells none of this type."""
    match kind:
        case FieldType.KEYWORD | FieldType.KEYWORDS:
            return text
        case FieldType.INTEGER:
            return _check(int(text), kind)
        case FieldType.FLOAT:
            return _check(float(text), kind)
        case FieldType.BOOLEAN:
            return BOOLEANS[text.lower()]
        case FieldType.DATE:
            return _check(datetime.fromisoformat(text), kind)
        case FieldType.TEXT | FieldType.GEO_POINT:
            raise ValueError(text)
        case _:
            assert_never(kind)


def _check(value: Value, kind: FieldType) -> Value:
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
    FieldType.DATE: "takes a date such as 2024-05-01 or 2024-05-01T12:30:00Z",
    FieldType.TEXT: "holds sentences, which can't be compared as a whole",
    FieldType.GEO_POINT: "holds places, which can't be compared as a whole",
}
"""What to say of a field when a value is not for it."""
