"""Filters simplified to a form that every store accepts: flat, with few tests and levels.

!(a & (b & !c))           ─► !a | !b | c        only tests are negated
country=A | country=B     ─► country=A,B        one test of a field for all its values

The limits are below the lowest of all stores: OpenSearch allows 1,024 clauses, up to four for a test and one
for each of a query's 256 keywords; Elasticsearch nests 27 levels, Lance's SQL 48 parentheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, groupby

from esclip._core.filters import AllOf, AnyOf, Condition, HasWords, Not, OneOf, StartsWith, Value
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Search
from esclip._core.text_forms import compose
from esclip._errors import ConfigError

MAX_TESTS = 180
"""Tests of one filter; alternatives of one field count as one."""

MAX_LEVELS = 16
"""Levels of `&` and `|` inside of each other."""

MAX_VALUES = 65_536
"""Values of one filter: `index.max_terms_count` of OpenSearch and Elasticsearch."""

MAX_RECURSION = 200
"""Levels of a filter before it is simplified, which is recursive."""

TOO_DEEP = (
    f"a filter nests at most {MAX_LEVELS} levels of & and | in each other; write it with fewer parentheses"
)


def simplify(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Equivalent conditions, all of which must hold.

    Raises `ConfigError` for more tests or levels than all stores accept.
    """
    simple = _simplify(AllOf(tuple(conditions)), negated=False, level=0)
    tests = _count_tests(simple)
    if tests > MAX_TESTS:
        raise ConfigError(
            f"a filter has at most {MAX_TESTS} tests, this one {tests:,}; values of one field are one test, "
            "FIELD=A,B,C, and a range has two bounds; or search several times"
        )
    if _count_levels(simple) > MAX_LEVELS:
        raise ConfigError(TOO_DEEP)
    return simple.conditions if isinstance(simple, AllOf) else (simple,)


def simplify_searches(searches: Iterable[Search]) -> list[Search]:
    """The searches with simplified conditions. Raises what `simplify` raises."""
    simplified: list[Search] = []
    for where, group in groupby(searches, key=lambda search: search.where):  # hundreds share their filter
        simple = simplify(where)
        simplified += (replace(search, where=simple) for search in group)
    return simplified


def check_limits(conditions: Sequence[Condition]) -> None:
    """Raise `ConfigError` where a user's filter has more tests, levels or values than stores accept."""
    values = sum(map(_count_values, simplify(conditions)))
    if values > MAX_VALUES:
        raise ConfigError(
            f"a filter has at most {MAX_VALUES:,} values, this one {values:,}; search several times"
        )


def _simplify(condition: Condition, *, negated: bool, level: int) -> Condition:
    if level > MAX_RECURSION:
        raise ConfigError(TOO_DEEP)
    match condition:
        case Not(inner):
            return _simplify(inner, negated=not negated, level=level + 1)
        case AllOf(parts) | AnyOf(parts):
            every = isinstance(condition, AllOf) is not negated
            return _join([_simplify(part, negated=negated, level=level + 1) for part in parts], every=every)
        case _:
            return Not(condition) if negated else condition


def _join(parts: Sequence[Condition], *, every: bool) -> Condition:
    kind = AllOf if every else AnyOf
    flat = (inner for part in parts for inner in (part.conditions if isinstance(part, kind) else (part,)))
    merged = _merge(flat, every=every)
    return merged[0] if len(merged) == 1 else kind(tuple(merged))


def _merge(parts: Iterable[Condition], *, every: bool) -> list[Condition]:
    """Each condition once; tests of a field for values, or all tests against values, as one."""
    values: dict[Field, list[tuple[Value, ...]]] = {}
    merged: dict[Condition | Field, None] = {}
    for part in parts:
        test = part.condition if every and isinstance(part, Not) else part
        if isinstance(test, OneOf) and (test is not part) is every:
            values.setdefault(test.field, []).append(test.values)
            merged[test.field] = None
        else:
            merged[part] = None
    return [_one_of(key, values[key], every=every) if isinstance(key, Field) else key for key in merged]


def _one_of(field: Field, values: Sequence[tuple[Value, ...]], *, every: bool) -> Condition:
    test = OneOf(field, tuple(dict.fromkeys(chain.from_iterable(values))))
    return Not(test) if every else test


def asks_for_words(conditions: Iterable[Condition]) -> bool:
    """Whether some of the conditions are on words."""
    for condition in conditions:
        match condition:
            case HasWords():
                return True
            case Not(inner) if asks_for_words([inner]):
                return True
            case AllOf(parts) | AnyOf(parts) if asks_for_words(parts):
                return True
    return False


def _count_tests(condition: Condition) -> int:
    match condition:
        case Not(inner):
            return _count_tests(inner)
        case AllOf(parts) | AnyOf(parts):
            return sum(map(_count_tests, parts))
        case OneOf(Field(_, FieldType.DATE), values):
            return max(1, len(values))  # engines test each moment by itself
        case StartsWith(_, prefixes):
            return max(1, len(prefixes))
        case HasWords(words):
            return max(1, len(words))
        case _:
            return 1


def _count_values(condition: Condition) -> int:
    match condition:
        case Not(inner):
            return _count_values(inner)
        case AllOf(parts) | AnyOf(parts):
            return sum(map(_count_values, parts))
        case OneOf(_, values):  # a text may be there in several Unicode forms
            return len({compose(value) if isinstance(value, str) else value for value in values})
        case _:
            return 0


def _count_levels(condition: Condition) -> int:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(map(_count_levels, parts), default=0)
        case _:
            return 0
