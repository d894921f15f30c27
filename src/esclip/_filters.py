"""Filters as a user writes them, checked against the fields of an index and typed.

    {"country": ["Norway", "Sweden"]} ─┐
    "width>=4000 & !colors=red"       ─┼─► Condition ...
    ["width>=4000", "exists(point)"]  ─┘

expression   all | all | ...       all   one & one & ...       one   !one, (expression) or a test
test         FIELD=VALUE,VALUE     one of them; != none of them
             FIELD>=VALUE          > < <= as well: numbers and dates
             exists(FIELD)         near(FIELD, LAT, LON, 50km)    inside(FIELD, SOUTH, WEST, NORTH, EAST)

A value is read to the next `|`, `&`, `,` or `)`, or stands in double quotes, inside which `""` is one. A date
may be a year, a month or a day: `submitted_at=2020` is all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn, TypeAlias

from esclip._conditions import AllOf, AnyOf, Condition, Exists, Inside, Near, Not, Value
from esclip._errors import ConfigError, one_line
from esclip._filter_values import compared, known_field, place_field
from esclip._schema import Field, FieldType
from esclip._simplify import TOO_DEEP, check_limits
from esclip._text_forms import composed

__all__ = ["Where", "check_syntax", "conditions"]

Where: TypeAlias = str | Sequence[str] | Mapping[str, Value | Sequence[Value]]
"""An expression, several that must all hold, or values by field name, of which one must be equal."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign>[|&(),!])(?!=)
    | (?P<call>near|inside|exists)\s*(?=\()
    | (?P<field>[^\W_][\w-]*)\s*(?P<operator>[<>!]?=|[<>])
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>(?:[^|&,()"]|\([^()]*\)|(?<=\S)")*))\s*')
_PARENTHESES = 50
"""How many may be open at a time: each is a few calls of the parser in itself."""
_DISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m)")


def conditions(where: Where, fields: Sequence[Field]) -> tuple[Condition, ...]:
    """The filter as typed conditions, all of which must hold.

    Raises `ConfigError` for an expression that can't be read, a field that the index lacks, naming the
    nearest, a value that is not of the field's type, and a filter with more values, tests or levels than
    stores can answer.
    """
    found = tuple(_read(where, {field.name: field for field in fields}))
    check_limits(found)
    return found


def _read(where: Where, known: Mapping[str, Field]) -> Iterator[Condition]:
    if isinstance(where, Mapping):
        for name, value in where.items():
            yield compared(known_field(name, known), "=", _several(value), f"{name}={value}")
    else:
        for text in [where] if isinstance(where, str) else where:
            yield _Parser(text, known).parse()


def check_syntax(where: Sequence[str]) -> None:
    """Raise `ConfigError` for an expression that can't be read, whatever fields the index has."""
    for text in where:
        _Parser(text, None).parse()


def _several(value: Value | Sequence[Value]) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str, known: Mapping[str, Field] | None) -> None:
        """Without known fields, it takes any field and value."""
        self._text = composed(text)
        self._known = known
        self._at = 0
        self._open = 0

    def parse(self) -> Condition:
        found = self._any()
        if self._text[self._at :].strip():
            self._fail("an & or a |")
        return found

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._sign("|"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._sign("&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Condition:
        negated = False
        while self._sign("!"):
            negated = not negated
        found = self._inner() if self._sign("(") else self._test()
        return Not(found) if negated else found

    def _inner(self) -> Condition:
        """What stands in parentheses."""
        self._open += 1
        if self._open > _PARENTHESES:
            raise ConfigError(f"--where {one_line(self._text, 100)}: {TOO_DEEP}")
        found = self._any()
        self._close()
        self._open -= 1
        return found

    def _test(self) -> Condition:
        token = _TOKEN.match(self._text, self._at)
        if token is None or token["sign"]:
            self._fail("a test such as FIELD=VALUE")
        self._at = token.end()
        if token["call"]:
            return self._call(token["call"])
        name, operator = token["field"], token["operator"]
        values = self._values()
        if self._known is None:
            return _ANYTHING
        field = known_field(name, self._known)
        told = f"{name}{operator}{','.join(values)}"
        if operator == "!=":
            return Not(compared(field, "=", tuple(values), told))
        return compared(field, operator, tuple(values), told)

    def _call(self, name: str) -> Condition:
        self._sign("(")
        first, *numbers = self._values()
        self._close()
        field = _ANYTHING.field if self._known is None else known_field(first, self._known)
        if name == "exists" and not numbers:
            return Exists(field)
        if name != "exists":
            place_field(field, name)
        try:
            if name == "near":
                lat, lon, radius = numbers
                distance = _DISTANCE.fullmatch(radius)
                if distance is None:
                    raise ValueError(radius)
                return Near(
                    field, *_place(lat, lon), float(distance[1]) * (1000 if distance[2] == "km" else 1)
                )
            if name == "inside":
                south, west, north, east = numbers
                return Inside(field, *_place(south, west), *_place(north, east))
        except ValueError:
            pass
        raise ConfigError(f"--where {one_line(self._text, 100)}: write {_CALLS[name]}")

    def _values(self) -> list[str]:
        values = [self._value()]
        while self._sign(","):
            values.append(self._value())
        return values

    def _value(self) -> str:
        found = _VALUE.match(self._text, self._at)
        assert found is not None, "a bare value may be empty"
        self._at = found.end()
        return found["bare"].strip() if found["quoted"] is None else found["quoted"].replace('""', '"')

    def _sign(self, sign: str) -> bool:
        """Go over the sign, if it comes next."""
        token = _TOKEN.match(self._text, self._at)
        if token is None or token["sign"] != sign:
            return False
        self._at = token.end()
        return True

    def _close(self) -> None:
        if not self._sign(")"):
            self._fail("a )")

    def _fail(self, wanted: str) -> NoReturn:
        rest = self._text[self._at :].strip()
        where = f"before {rest[:40]!r}" if rest else "at the end"
        text = one_line(self._text, 100)
        raise ConfigError(
            f'--where {text}: {wanted} is missing {where}; values with |, & or , go in "quotes"'
        )


_ANYTHING = Exists(Field("anything", FieldType.GEO_POINT))

_CALLS = {
    "exists": "exists(FIELD)",
    "near": "near(FIELD, LATITUDE, LONGITUDE, 50km), or a distance in m",
    "inside": "inside(FIELD, SOUTH, WEST, NORTH, EAST) in degrees",
}


def _place(lat: str, lon: str) -> tuple[float, float]:
    """Degrees. Raises `ValueError` for numbers that no place has."""
    degrees = float(lat), float(lon)
    if not (abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180):
        raise ValueError(degrees)
    return degrees
