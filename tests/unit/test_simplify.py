"""Filters are made flat without changing what fulfils them, and their size has limits."""

from __future__ import annotations

import pytest

from esclip import ConfigError, Field, FieldType
from esclip._core.filter_limits import MAX_TESTS, MAX_VALUES, simplify
from esclip._core.filters import AllOf, AnyOf, Condition, HasId, Not, OneOf, Range
from esclip._search.filter_parser import parse_filter

COUNTRY, LIKES = Field("country", FieldType.KEYWORD), Field("likes", FieldType.INTEGER)
FIELDS = [COUNTRY, LIKES]
A, B, C = (OneOf(COUNTRY, (name,)) for name in "abc")
MANY, FEW = Range(LIKES, above=9), Range(LIKES, below=1)


@pytest.mark.parametrize(
    ("given", "simple"),
    [
        ((), ()),
        ((A,), (A,)),
        ((A, MANY), (A, MANY)),
        ((Not(Not(A)),), (A,)),
        ((AnyOf((A, B)),), (OneOf(COUNTRY, ("a", "b")),)),
        ((AnyOf((A, MANY, AnyOf((B, A)))),), (AnyOf((OneOf(COUNTRY, ("a", "b")), MANY)),)),
        ((Not(A), AllOf((Not(B), MANY)), MANY), (Not(OneOf(COUNTRY, ("a", "b"))), MANY)),
        ((A, B), (A, B)),
        ((Not(AnyOf((MANY, Not(FEW)))),), (Not(MANY), FEW)),
        ((Not(AllOf((A, Not(AnyOf((B, MANY)))))),), (AnyOf((Not(A), B, MANY)),)),
        ((AllOf(()),), ()),
        ((Not(AllOf(())),), (AnyOf(()),)),
        ((AnyOf((HasId(("1",)), HasId(("1",)))),), (HasId(("1",)),)),
    ],
)
def test_simplify(given: tuple[Condition, ...], simple: tuple[Condition, ...]) -> None:
    """Negations move to the tests, lists become flat, and tests of a field for values become one."""
    assert simplify(given) == simple
    assert simplify(simple) == simple


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (" | ".join(f"likes>{n}" for n in range(MAX_TESTS + 1)), "at most 180 tests, this one 181"),
        ([f"likes>{n}" for n in range(MAX_TESTS + 1)], "at most 180 tests, this one 181"),
        ("country=" + ",".join(map(str, range(MAX_VALUES + 1))), "at most 65,536 values, this one 65,537"),
        ({"country": [str(n) for n in range(MAX_VALUES + 1)]}, "at most 65,536 values"),
        ("(" * 400 + "likes>1" + ")" * 400, "nests at most 16 levels"),
        ("(country=a | likes>1 & " * 12 + "likes>2" + ")" * 12, "nests at most 16 levels"),
    ],
)
def test_limits(where: str | list[str] | dict[str, list[str]], said: str) -> None:
    """What is too wide or too deep for stores is refused in a line that says how much is allowed."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_filter(where, FIELDS)
    assert len(str(caught.value)) < 300


def test_what_is_allowed() -> None:
    """Long lists, hundreds of negations and needless parentheses are no matter."""
    assert len(parse_filter("country=" + ",".join(map(str, range(MAX_VALUES))), FIELDS)) == 1
    either = " | ".join(f"country={n}" for n in range(40_000))
    (condition,) = simplify(parse_filter(either, FIELDS))
    assert isinstance(condition, OneOf)
    assert len(condition.values) == 40_000
    assert parse_filter("!" * 1001 + "likes>1", FIELDS) == parse_filter("!likes>1", FIELDS)
    assert parse_filter("(" * 40 + "likes>1" + ")" * 40, FIELDS) == parse_filter("likes>1", FIELDS)
