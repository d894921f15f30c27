"""Filters as a user writes them, checked against the fields of an index and typed.

    {"country": ["Norway", "Sweden"]} ─┐
    "width>=4000 & !colors=red"       ─┼─► Condition ...
    ["width>=4000", "exists(point)"]  ─┘

expression   all | all | ...       all   one & one & ...       one   !one, (expression) or a test
test         FIELD=VALUE,VALUE     one of them; != none of them
             FIELD>=VALUE          > < <= as well: numbers and dates
             exists(FIELD)         near(FIELD, LAT, LON, 50km)    inside(FIELD, SOUTH, WEST, NORTH, EAST)

A value is read to the next `|`, `&`, `,` or `)`, or stands in double quotes, inside which `""` is one. What
looks like another language's quotes, patterns or operators is an error, unless it stands in double quotes. A
date may be a year, a month or a day: `submitted_at=2020` is all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from esclip._core.filter_limits import TOO_DEEP, check_limits
from esclip._core.filters import AllOf, AnyOf, Condition, Exists, Not
from esclip._core.schema import Field, FieldType
from esclip._errors import ConfigError, one_line
from esclip._search.filter_geo import CALLS, inside, near, place_field
from esclip._search.filter_input import Where, plain_where
from esclip._search.filter_slips import check_bare, check_quotes, further_test
from esclip._search.filter_values import LONGEST, compared, known_field
from esclip._text.forms import composed

__all__ = ["Where", "check_syntax", "conditions"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign>[|&(),!])(?!=)
    | (?P<call>near|inside|exists)\s*(?=\()
    | (?P<field>[^\W_][\w-]*)\s*(?P<operator>==|[<>!]?=|[<>])
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>(?:[^|&,()"]|\([^()]*\)|(?<=\S)")*))\s*')
_PARENTHESES = 50
"""How many may be open at a time: each is a few calls of the parser in itself."""


def conditions(where: Where | None, fields: Sequence[Field]) -> tuple[Condition, ...]:
    """The filter as typed conditions, all of which must hold.

    Raises `ConfigError` for an expression that can't be read, a field that the index lacks, naming the
    nearest, a value that is not of the field's type, and a filter with more values, tests or levels than
    stores can answer.
    """
    found = tuple(_read(where, {field.name: field for field in fields}))
    check_limits(found)
    return found


def _read(where: Where | None, known: Mapping[str, Field]) -> Iterator[Condition]:
    plain = plain_where(where)
    if isinstance(plain, dict):
        for name, values in plain.items():
            told = f"{name}={','.join(str(value) for value in values[:LONGEST])}"
            yield compared(known_field(name, known), "=", values, told)
    else:
        for text in [plain] if isinstance(plain, str) else plain:
            yield _Parser(text, known).parse()


def check_syntax(where: Sequence[str]) -> None:
    """Raise `ConfigError` for an expression that can't be read, whatever fields the index has."""
    for text in where:
        _Parser(text, None).parse()


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str, known: Mapping[str, Field] | None) -> None:
        """Without known fields, it takes any field and value."""
        self._text = composed(text)
        self._known = known
        self._further = further_test(known or ())
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
            raise ConfigError(f"filter {one_line(self._text, LONGEST)}: {TOO_DEEP}")
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
        name = token["field"]
        operator = "=" if token["operator"] == "==" else token["operator"]
        values = self._values(f"{name}{operator}")
        if self._known is None:
            return _ANYTHING
        field = known_field(name, self._known)
        told = f"{name}{operator}{','.join(values)}"
        if operator == "!=":
            return Not(compared(field, "=", values, told))
        return compared(field, operator, values, told)

    def _call(self, name: str) -> Condition:
        self._sign("(")
        first, *numbers = self._values()
        self._close()
        field = _ANYTHING.field if self._known is None else known_field(first, self._known)
        if name == "exists" and not numbers:
            return Exists(field)
        if name != "exists":
            place_field(field, name)
            with suppress(ValueError):
                return (near if name == "near" else inside)(field, numbers)
        raise ConfigError(f"filter {one_line(self._text, LONGEST)}: write {CALLS[name]}")

    def _values(self, test: str = "") -> list[str]:
        """Values with commas between; those of a `test`, `FIELD=`, are looked at for slips."""
        begin = self._at
        values = [self._value()]
        while self._sign(","):
            values.append(self._value())
        if test:
            check_bare(test, [text for text, quoted in values if not quoted], self._further)
            check_quotes(test, self._text[begin : self._at].strip())
        return [text for text, _ in values]

    def _value(self) -> tuple[str, bool]:
        """The value, and whether it stands in quotes."""
        found = _VALUE.match(self._text, self._at)
        assert found is not None, "a bare value may be empty"
        self._at = found.end()
        if found["quoted"] is None:
            return found["bare"].strip(), False
        return found["quoted"].replace('""', '"'), True

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
        text = one_line(self._text, LONGEST)
        raise ConfigError(f'filter {text}: {wanted} is missing {where}; values with |, & or , go in "quotes"')


_ANYTHING = Exists(Field("anything", FieldType.GEO_POINT))
