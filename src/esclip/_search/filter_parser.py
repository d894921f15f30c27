"""Filters as a user writes them, parsed and checked against the fields of an index.

    {"country": ["Norway", "Sweden"]} ─┐
    "width>=4000 & !colors=red"       ─┼─► Condition ...
    ["width>=4000", "exists(point)"]  ─┘

expression   all | all | ...       all   term & term & ...       term   !term, (expression) or a test
test         FIELD=VALUE,VALUE     one of the values; != none of them
             FIELD>=VALUE          > < <= as well: numbers and dates
             words~"WORD WORD"     documents that have these words in any of their texts
             exists(FIELD)         near(FIELD, LAT, LON, 50km)    inside(FIELD, SOUTH, WEST, NORTH, EAST)

A value ends before the next `|`, `&`, `,` or `)`, or stands in double quotes, inside which `""` is one. A `*`
after it stands for the rest of a text: `IMG*`, `"a, b"*`; in double quotes it is a character: `"IMG*"`.
Quotes, other patterns and operators of other languages are errors, unless they stand in double quotes. A
date may be a year, a month or a day: `submitted_at=2020` is all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from esclip._core.filter_limits import TOO_DEEP, check_limits
from esclip._core.filters import AllOf, AnyOf, Condition, Exists, Not, Prefix
from esclip._core.schema import Field, FieldType
from esclip._core.text_forms import compose
from esclip._errors import ConfigError, one_line
from esclip._search.filter_values import (
    CALLS,
    MAX_SHOWN,
    WORDS,
    parse_comparison,
    parse_inside,
    parse_near,
    parse_words,
    require_field,
    require_geo,
)
from esclip._search.options import Where
from esclip._search.where import normalize_where

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign>[|&(),!])(?!=)
    | (?P<call>near|inside|exists)\s*(?=\()
    | (?P<field>[^\W_][\w-]*)\s*(?P<operator>==|[<>!]?=|[<>]|!?~)
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"(?P<rest>\*?)|(?P<bare>(?:[^|&,()"]|\([^()]*\)|(?<=\S)")*))\s*'
)

MAX_PARENTHESES = 50
"""Open at a time: each is a few nested calls of the parser."""


def parse_filter(where: Where | None, fields: Sequence[Field]) -> tuple[Condition, ...]:
    """The filter as typed conditions, all of which must hold.

    Raises `ConfigError` for a syntax error, a field that the index lacks, naming the nearest, a value that is
    not of the field's type, and a filter with more values, tests or levels than stores can answer.
    """
    conditions = tuple(_parse(where, {field.name: field for field in fields}))
    check_limits(conditions)
    return conditions


def check_syntax(where: Sequence[str]) -> None:
    """Raise `ConfigError` for a syntax error, whatever fields the index has."""
    for text in where:
        _Parser(text, None).parse()


def _parse(where: Where | None, fields: Mapping[str, Field]) -> Iterator[Condition]:
    normalized = normalize_where(where)
    if isinstance(normalized, dict):
        for name, values in normalized.items():
            source_text = f"{name}={','.join(str(value) for value in values[:MAX_SHOWN])}"
            if name == WORDS:
                yield parse_words(values, source_text)
            else:
                yield parse_comparison(require_field(name, fields), "=", values, source_text)
    else:
        for text in [normalized] if isinstance(normalized, str) else normalized:
            yield _Parser(text, fields).parse()


class _Value(NamedTuple):
    """A value in an expression."""

    text: str
    quoted: bool
    begins: bool
    """Whether a `*` stands after it."""


class _Parser:
    """Recursive-descent parser of one expression."""

    def __init__(self, text: str, fields: Mapping[str, Field] | None) -> None:
        """Without `fields`, any field and value is accepted."""
        self._text = compose(text)
        self._fields = fields
        self._missing_joint = _missing_joint(fields or ())
        self._position = 0
        self._open_parentheses = 0

    def parse(self) -> Condition:
        condition = self._alternatives()
        if self._text[self._position :].strip():
            self._fail("an & or a |")
        return condition

    def _alternatives(self) -> Condition:
        conditions = [self._conjunction()]
        while self._take("|"):
            conditions.append(self._conjunction())
        return conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))

    def _conjunction(self) -> Condition:
        conditions = [self._term()]
        while self._take("&"):
            conditions.append(self._term())
        return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))

    def _term(self) -> Condition:
        negated = False
        while self._take("!"):
            negated = not negated
        condition = self._parenthesized() if self._take("(") else self._test()
        return Not(condition) if negated else condition

    def _parenthesized(self) -> Condition:
        self._open_parentheses += 1
        if self._open_parentheses > MAX_PARENTHESES:
            raise ConfigError(f"filter {one_line(self._text, MAX_SHOWN)}: {TOO_DEEP}")
        condition = self._alternatives()
        self._require_closing()
        self._open_parentheses -= 1
        return condition

    def _test(self) -> Condition:
        token = _TOKEN.match(self._text, self._position)
        if token is None or token["sign"]:
            self._fail("a test such as FIELD=VALUE")
        self._position = token.end()
        if token["call"]:
            return self._call(token["call"])
        name = token["field"]
        operator = "=" if token["operator"] == "==" else token["operator"]
        values = self._values(f"{name}{operator}")
        source_text = f"{name}{operator}{','.join(map(str, values))}"
        if name == WORDS or "~" in operator:
            _check_words_test(name, operator, source_text)
            condition = parse_words(values, source_text)
            return Not(condition) if operator == "!~" else condition
        if self._fields is None:
            return _ANYTHING
        field = require_field(name, self._fields, character=token.start("field") + 1)
        if operator == "!=":
            return Not(parse_comparison(field, "=", values, source_text))
        return parse_comparison(field, operator, values, source_text)

    def _call(self, name: str) -> Condition:
        self._take("(")
        character = self._position + 1
        field_name, *numbers = (value.text for value in self._listed())
        self._require_closing()
        field = (
            _ANYTHING.field
            if self._fields is None
            else require_field(field_name, self._fields, character=character)
        )
        if name == "exists" and not numbers:
            return Exists(field)
        if name != "exists":
            require_geo(field, name)
            with suppress(ValueError):
                return (parse_near if name == "near" else parse_inside)(field, numbers)
        raise ConfigError(f"filter {one_line(self._text, MAX_SHOWN)}: write {CALLS[name]}")

    def _values(self, test: str) -> list[str | Prefix]:
        """Comma-separated values of a `test`, `FIELD=`; what stands without quotes is checked for syntax."""
        start = self._position
        values = self._listed()
        bare = [value.text for value in values if not value.quoted]
        _check_unquoted(test, bare, self._missing_joint)
        _check_quotes(test, self._text[start : self._position].strip())
        return [Prefix(value.text) if value.begins else value.text for value in values]

    def _listed(self) -> list[_Value]:
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        return values

    def _value(self) -> _Value:
        token = _VALUE.match(self._text, self._position)
        assert token is not None, "an unquoted value may be empty"
        self._position = token.end()
        if token["quoted"] is not None:
            return _Value(token["quoted"].replace('""', '"'), quoted=True, begins=bool(token["rest"]))
        bare = token["bare"].strip()
        begins = len(bare) > 1 and bare.endswith("*")
        return _Value(bare.removesuffix("*") if begins else bare, quoted=False, begins=begins)

    def _take(self, sign: str) -> bool:
        """Consume the sign, if it comes next."""
        token = _TOKEN.match(self._text, self._position)
        if token is None or token["sign"] != sign:
            return False
        self._position = token.end()
        return True

    def _require_closing(self) -> None:
        if not self._take(")"):
            self._fail("a )")

    def _fail(self, missing: str) -> NoReturn:
        rest = self._text[self._position :].strip()
        where = f"before {rest[:40]!r}" if rest else "at the end"
        text = one_line(self._text, MAX_SHOWN)
        raise ConfigError(
            f'filter {text}: {missing} is missing {where}; values with |, & or , go in "quotes"'
        )


_ANYTHING = Exists(Field("anything", FieldType.GEO_POINT))

_QUOTES = ("''", "``", "‘’", "“”", "„“", "„”", "‚‘", "«»", "””", "’’")
"""Pairs of quotes in other languages."""


def _check_words_test(name: str, operator: str, source_text: str) -> None:
    """Raise `ConfigError` unless it is `words~` or `words!~`."""
    source_text = one_line(source_text, MAX_SHOWN)
    if name != WORDS:
        raise ConfigError(
            f"filter {source_text}: the words of one field alone are not indexed, those of all texts "
            f"of a document are: write {WORDS}{operator if '~' in operator else '~'}..."
        )
    if "~" not in operator:
        raise ConfigError(f"filter {source_text}: documents that have some words are found by {WORDS}~...")


_OPERATOR = re.compile(r"[~=!<>]+")


def _check_unquoted(test: str, values: Iterable[str], missing_joint: re.Pattern[str]) -> None:
    """Raise `ConfigError` for a value that looks like a pattern, an operator or a further test.

    `test` is what precedes the values: a field and its operator.
    """
    for value in values:
        if start := _OPERATOR.match(value):
            field = test.rstrip("<>!=")
            operator = test.removeprefix(field) + start[0]
            raise ConfigError(
                f"filter {test}{_shorten(value)}: there is no {operator}; values are compared as a whole, by "
                f"=, !=, >, >=, < or <=, {WORDS} by ~; {_as_text(test, value)}"
            )
        if "*" in value:
            hint = f"exists({test.rstrip('<>!=')}) finds any; " if value == "*" else ""
            raise ConfigError(
                f"filter {test}{_shorten(value)}: a * stands for the rest of a text, and only after it; "
                f"{hint}{_as_text(test, value)}"
            )
        if joint := missing_joint.search(value):
            raise ConfigError(
                f"filter {test}{_shorten(value)}: an & or a | is missing before "
                f"{_shorten(joint[0].strip())}; {_as_text(test, value)}"
            )


def _check_quotes(test: str, values: str) -> None:
    """Raise `ConfigError` for a value in quotes other than double ones."""
    if len(values) > 1 and values[0] + values[-1] in _QUOTES:
        raise ConfigError(
            f"filter {test}{_shorten(values)}: what is to be quoted goes in double quotes: "
            f'{test}"{_shorten(values[1:-1])}"; {_as_text(test, values)}'
        )


def _missing_joint(fields: Iterable[str]) -> re.Pattern[str]:
    """Matches a further test inside a value, before which `&` or `|` is missing."""
    names = "|".join(map(re.escape, (*fields, WORDS)))
    joint = r"(?:and|or|not)\s+"
    return re.compile(
        rf"\s(?:{joint})*(?:{names})\s*[<>!=~]|\s{joint}(?:near|inside|exists)\s*\(", re.IGNORECASE
    )


def _as_text(test: str, value: str) -> str:
    doubled = _shorten(value).replace('"', '""')
    return f'as a text it goes in double quotes: {test}"{doubled}"'


def _shorten(text: str) -> str:
    return one_line(text, 60)
