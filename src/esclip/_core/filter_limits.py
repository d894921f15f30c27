"""Filters in the form that every store can bear: flat, with few tests, and not deep.

!(a & (b & !c))           ─► !a | !b | c        negations stand before tests alone
country=A | country=B     ─► country=A,B        one test of a field for all its values

The limits are below the lowest of all stores: OpenSearch counts 1,024 clauses, up to four for a test and one
for each of 256 words that are looked for; Elasticsearch nests 27 deep, Lance's SQL 48 parentheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from esclip._core.filters import AllOf, AnyOf, Condition, Not, OneOf, Value
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Search
from esclip._errors import ConfigError
from esclip._text.forms import composed

__all__ = ["LEVELS", "TESTS", "TOO_DEEP", "VALUES", "check_limits", "simplify", "simplify_searches"]

TESTS = 180
"""The most tests of one filter, when those of one field that are alternatives are one."""

LEVELS = 16
"""How often `&` and `|` may stand inside of each other."""

VALUES = 65_536
"""The most values of one filter: `index.max_terms_count` of OpenSearch and Elasticsearch."""

_NESTED = 200
"""How deep a filter may nest before it is simplified, which calls itself so often."""

TOO_DEEP = f"a filter nests at most {LEVELS} levels of & and | in each other; write it with fewer parentheses"


def simplify(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Conditions that are fulfilled by the same documents, all of which must hold.

    Raises `ConfigError` for more tests, or deeper ones, than all stores can answer.
    """
    simple = _simple(AllOf(tuple(conditions)), negated=False, nested=0)
    tests = _count(simple)
    if tests > TESTS:
        raise ConfigError(
            f"a filter has at most {TESTS} tests, this one {tests:,}; values of one field are one test, "
            "FIELD=A,B,C, and a range has two bounds; or search several times"
        )
    if _levels(simple) > LEVELS:
        raise ConfigError(TOO_DEEP)
    return simple.conditions if isinstance(simple, AllOf) else (simple,)


def simplify_searches(searches: Iterable[Search]) -> list[Search]:
    """The searches with simple conditions. Raises what `simplify` raises."""
    simple: dict[int, tuple[Condition, ...]] = {}
    kept = list(searches)
    for search in kept:
        if id(search.where) not in simple:  # hundreds of searches share their filter
            simple[id(search.where)] = simplify(search.where)
    return [replace(search, where=simple[id(search.where)]) if search.where else search for search in kept]


def check_limits(conditions: Sequence[Condition]) -> None:
    """Raise `ConfigError` where a user's filter has more tests, levels or values than stores can answer."""
    values = sum(map(_values, simplify(conditions)))
    if values > VALUES:
        raise ConfigError(
            f"a filter has at most {VALUES:,} values, this one {values:,}; search several times"
        )


def _simple(condition: Condition, *, negated: bool, nested: int) -> Condition:
    if nested > _NESTED:
        raise ConfigError(TOO_DEEP)
    match condition:
        case Not(inner):
            return _simple(inner, negated=not negated, nested=nested + 1)
        case AllOf(parts) | AnyOf(parts):
            every = isinstance(condition, AllOf) is not negated
            return _joined([_simple(part, negated=negated, nested=nested + 1) for part in parts], every=every)
        case _:
            return Not(condition) if negated else condition


def _joined(parts: Sequence[Condition], *, every: bool) -> Condition:
    kind = AllOf if every else AnyOf
    flat = (inner for part in parts for inner in (part.conditions if isinstance(part, kind) else (part,)))
    merged = _merged(flat, every=every)
    return merged[0] if len(merged) == 1 else kind(tuple(merged))


def _merged(parts: Iterable[Condition], *, every: bool) -> list[Condition]:
    """Each condition once; those that ask a field for one of some values, or for none of them, as one."""
    values: dict[Field, list[tuple[Value, ...]]] = {}
    kept: dict[Condition | Field, None] = {}
    for part in parts:
        test = part.condition if every and isinstance(part, Not) else part
        if isinstance(test, OneOf) and (test is not part) is every:
            values.setdefault(test.field, []).append(test.values)
            kept[test.field] = None
        else:
            kept[part] = None
    return [_one_of(one, values[one], every=every) if isinstance(one, Field) else one for one in kept]


def _one_of(field: Field, values: Sequence[tuple[Value, ...]], *, every: bool) -> Condition:
    test = OneOf(field, tuple(dict.fromkeys(value for some in values for value in some)))
    return Not(test) if every else test


def _count(condition: Condition) -> int:
    match condition:
        case Not(inner):
            return _count(inner)
        case AllOf(parts) | AnyOf(parts):
            return sum(map(_count, parts))
        case OneOf(Field(_, FieldType.DATE), values):
            return max(1, len(values))  # to engines each moment is a test of its own
        case _:
            return 1


def _values(condition: Condition) -> int:
    match condition:
        case Not(inner):
            return _values(inner)
        case AllOf(parts) | AnyOf(parts):
            return sum(map(_values, parts))
        case OneOf(_, values):  # a text may stand there in several forms
            return len({composed(value) if isinstance(value, str) else value for value in values})
        case _:
            return 0


def _levels(condition: Condition) -> int:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(map(_levels, parts), default=0)
        case _:
            return 0
