"""What looks like another language in a filter, and would be looked for as text: quotes, patterns, operators.

Each can be said as text in double quotes, which the messages show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from esclip._errors import ConfigError, one_line

__all__ = ["check_bare", "check_quotes", "further_test"]

QUOTES = ("''", "``", "‘’", "“”", "„“", "„”", "‚‘", "«»", "””", "’’")
"""Pairs that stand around a text elsewhere."""

_OPERATOR = re.compile(r"[~=!<>]+")


def check_bare(test: str, values: Iterable[str], further: re.Pattern[str]) -> None:
    """Raise `ConfigError` where a value without quotes looks like a pattern, an operator or a further test.

    `test` is what stands before the values: a field and its operator. `further` is a `further_test`.
    """
    for value in values:
        if begun := _OPERATOR.match(value):
            field = test.rstrip("<>!=")
            operator = test.removeprefix(field) + begun[0]
            raise ConfigError(
                f"filter {test}{_told(value)}: there is no {operator}; values are compared as a whole, by "
                f"=, !=, >, >=, < or <=; {_as_text(test, value)}"
            )
        if "*" in value:
            hint = f"exists({test.rstrip('<>!=')}) finds any; " if value == "*" else ""
            raise ConfigError(
                f"filter {test}{_told(value)}: a * stands for no other text, values are compared whole; "
                f"{hint}{_as_text(test, value)}"
            )
        if found := further.search(value):
            raise ConfigError(
                f"filter {test}{_told(value)}: an & or a | is missing before {_told(found[0].strip())}; "
                f"{_as_text(test, value)}"
            )


def check_quotes(test: str, values: str) -> None:
    """Raise `ConfigError` where quotes other than double ones stand around what is meant as a value."""
    if len(values) > 1 and values[0] + values[-1] in QUOTES:
        raise ConfigError(
            f"filter {test}{_told(values)}: what is to be quoted goes in double quotes: "
            f'{test}"{_told(values[1:-1])}"; {_as_text(test, values)}'
        )


def further_test(fields: Iterable[str]) -> re.Pattern[str]:
    """Finds what would be part of a value: a test of one of the fields, or a call."""
    names = "|".join(map(re.escape, fields)) or r"(?!)"
    joint = r"(?:and|or|not)\s+"
    return re.compile(
        rf"\s(?:{joint})*(?:{names})\s*[<>!=]|\s{joint}(?:near|inside|exists)\s*\(", re.IGNORECASE
    )


def _as_text(test: str, value: str) -> str:
    doubled = _told(value).replace('"', '""')
    return f'as a text it goes in double quotes: {test}"{doubled}"'


def _told(text: str) -> str:
    return one_line(text, 60)
