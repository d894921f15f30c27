"""What every store promises of wide and deep filters: they are answered, or refused by one `ConfigError`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from esclip import ConfigError
from esclip._core.analysis import analyze_query
from esclip._core.filter_limits import MAX_LEVELS, MAX_TESTS
from esclip._core.filters import AllOf, AnyOf, Condition, HasId, Inside, Near, Not, OneOf, Range, StartsWith
from esclip._core.searches import KeywordSearch, Scan
from esclip._core.types import GeoPoint, MetadataValue
from esclip._protocols import Store
from esclip.testing.documents import FIELDS, document
from esclip.testing.store_case import StoreCase, ids_where

COUNTRY, COLORS, _, LIKES, APERTURE, _, TAKEN, PLACE = FIELDS
MANY = 20_000
START = datetime(2020, 1, 1, tzinfo=UTC)
NORWAY, RED = OneOf(COUNTRY, ("Norway",)), OneOf(COLORS, ("red",))

BEGINNINGS: list[tuple[Condition, str]] = [
    (StartsWith(COUNTRY, ("No",)), "ab"),
    (StartsWith(COUNTRY, ("Norway",)), "ab"),
    (StartsWith(COUNTRY, ("Norway ",)), "b"),
    (StartsWith(COUNTRY, ("no", "orway")), ""),
    (StartsWith(COUNTRY, ("x", "100%_", "S")), "cd"),
    (StartsWith(COUNTRY, ("100%_*\\'\"",)), "c"),
    (StartsWith(COUNTRY, ("100_", "1*", "1?", ".*", "[1]")), ""),
    (StartsWith(COUNTRY, ("",)), "abcd"),
    (StartsWith(COUNTRY, ()), ""),
    (StartsWith(COLORS, ("dark",)), "ac"),
    (StartsWith(COLORS, ("dark r",)), "a"),
    (StartsWith(COLORS, ("green", "🐘")), "c"),
    (StartsWith(COLORS, ("",)), "abc"),
    (StartsWith(COLORS, ("red,", ", ", "\x1f")), ""),
    (Not(StartsWith(COUNTRY, ("No",))), "cde"),
    (Not(StartsWith(COLORS, ("dark",))), "bde"),
    (AnyOf((StartsWith(COUNTRY, ("S",)), OneOf(COLORS, ("red",)))), "bd"),
]


def alternating(levels: int) -> Condition:
    """`&` and `|` inside of each other so often, fulfilled by what is of Norway."""
    condition: Condition = AnyOf((NORWAY, Range(LIKES, above=1000)))
    for level in range(1, levels):
        none, some = Range(LIKES, above=1000 + level), Not(Range(LIKES, above=1000 + level))
        condition = AnyOf((none, condition)) if level % 2 == 0 else AllOf((some, condition))
    return condition


WIDE: dict[str, Callable[[int], Condition]] = {
    "ranges": lambda n: Range(LIKES, at_least=n + 100, below=n + 101),
    "fractions": lambda n: Range(APERTURE, above=n + 9.5, at_most=n + 10),
    "beginnings": lambda n: StartsWith(COLORS, (f"x{n}",)),
    "places": lambda n: Near(PLACE, -80.0, n / 10, 10.0),
    "boxes over the date line": lambda n: Inside(PLACE, 1.0, 179.0, 2.0, -179.0 - n / 1000),
}


def listed(store: Store, *conditions: Condition) -> list[str]:
    """Ids of what fulfils the conditions."""
    return [hit.id for hit in store.search(Scan(9, conditions))[0]]


class StoreFilters(StoreCase):
    """Two documents, `a` of Norway and `b` without metadata."""

    @pytest.fixture
    def pair(self, prepared: Store) -> Store:
        """The store with both of them."""
        metadata: dict[str, MetadataValue] = {
            "country": "Norway",
            "colors": ("red", "blue"),
            "likes": 7,
            "aperture": 2.8,
            "taken_at": START,
            "place": GeoPoint(59.9, 10.7),
        }
        self.plant(prepared, [document("a", metadata=metadata), document("b")])
        return prepared

    @pytest.mark.parametrize(
        "condition",
        [
            OneOf(COUNTRY, (*(f"x{n}" for n in range(MANY)), "Norway")),
            OneOf(COLORS, (*(f"x{n}" for n in range(MANY)), "red")),
            OneOf(LIKES, (*range(100, MANY), 7)),
            OneOf(APERTURE, (*(n / 7 for n in range(20, MANY)), 2.8)),
            OneOf(TAKEN, tuple(START + n * timedelta(seconds=1) for n in range(MAX_TESTS))),
            HasId((*(f"x{n}" for n in range(MANY)), "a")),
        ],
        ids=lambda condition: getattr(getattr(condition, "field", None), "name", "id"),
    )
    def test_one_of_many_values(self, pair: Store, condition: Condition) -> None:
        """A list of tens of thousands of values is one test."""
        assert listed(pair, condition) == ["a"]

    def test_many_values_in_each_search(self, pair: Store) -> None:
        """A long list goes with each kind of search, and can be turned round."""
        condition = OneOf(COLORS, (*(f"x{n}" for n in range(2_000)), "red"))
        assert ids_where(pair, condition) == ["a"]
        assert ids_where(pair, Not(condition)) == ["b"]
        (found,) = pair.search(KeywordSearch(analyze_query("picture"), 9, (condition,)))
        assert [hit.id for hit in found] == ["a"]

    def test_many_alternatives_of_a_field(self, pair: Store) -> None:
        """Tens of thousands of tests of one field, joined one by one, are as good as a list."""
        either = AnyOf((*(OneOf(COUNTRY, (f"x{n}",)) for n in range(MANY)), NORWAY))
        neither = AllOf(tuple(Not(OneOf(COLORS, (f"x{n}",))) for n in range(MAX_TESTS + 1)))
        assert listed(pair, either) == ["a"]
        assert listed(pair, neither) == ["a", "b"]

    @pytest.mark.parametrize("kind", WIDE)
    def test_as_many_tests_as_are_allowed(self, pair: Store, kind: str) -> None:
        """So many tests of the costliest kinds are answered, as alternatives, together, and turned round."""
        tests = tuple(map(WIDE[kind], range(MAX_TESTS - 1)))
        assert ids_where(pair, AnyOf((*tests, NORWAY))) == ["a"]
        assert ids_where(pair, AllOf((*tests, NORWAY))) == []
        assert ids_where(pair, AllOf((*map(Not, tests), Not(NORWAY)))) == ["b"]

    @pytest.mark.parametrize("levels", [5, MAX_LEVELS - 1, MAX_LEVELS])
    def test_as_deep_as_is_allowed(self, pair: Store, levels: int) -> None:
        """So many levels are answered, and turned round."""
        assert ids_where(pair, alternating(levels)) == ["a"]
        assert ids_where(pair, Not(alternating(levels))) == ["b"]

    def test_deep_without_need(self, pair: Store) -> None:
        """Negations of negations, and alternatives in alternatives, are no depth."""
        condition: Condition = NORWAY
        for _ in range(10):
            condition = Not(AllOf((Not(AnyOf((condition,))),)))
        assert ids_where(pair, condition) == ["a"]
        for n in range(50):
            condition = AnyOf((condition, OneOf(COUNTRY, (f"x{n}",))))
        assert ids_where(pair, condition, RED) == ["a"]

    def test_beginnings(self, prepared: Store) -> None:
        """A text begins with a prefix character by character; signs of other languages mean themselves."""
        metadata: dict[str, dict[str, MetadataValue]] = {
            "a": {"country": "Norway", "colors": ("dark red", "white")},
            "b": {"country": "Norway (north)", "colors": ("red", "light, dark")},
            "c": {"country": "100%_*\\'\" sure", "colors": ("🐘 grey", "dark green")},
            "d": {"country": "S\u00e3o Tom\u00e9", "colors": ()},
            "e": {"likes": 7},
        }
        self.plant(prepared, [document(id, metadata=values) for id, values in metadata.items()])
        assert [
            (condition, "".join(ids_where(prepared, condition))) for condition, _ in BEGINNINGS
        ] == BEGINNINGS
        assert [
            (condition, "".join(listed(prepared, condition))) for condition, _ in BEGINNINGS
        ] == BEGINNINGS

    def test_empty_lists(self, pair: Store) -> None:
        """Nothing is one of none; all of none hold."""
        assert ids_where(pair, AnyOf(())) == ids_where(pair, OneOf(LIKES, ())) == []
        assert ids_where(pair, AllOf(())) == ids_where(pair, Not(AnyOf(()))) == ["a", "b"]
        assert ids_where(pair, Range(LIKES)) == ["a"]

    @pytest.mark.parametrize(
        "make",
        [
            lambda: AnyOf(tuple(Range(LIKES, above=n) for n in range(MAX_TESTS + 1))),
            lambda: AnyOf(tuple(Range(LIKES, above=n) for n in range(MANY))),
            lambda: OneOf(TAKEN, tuple(START + n * timedelta(1) for n in range(MAX_TESTS + 1))),
            lambda: alternating(MAX_LEVELS + 1),
            lambda: alternating(150),
        ],
        ids=["tests", "many tests", "moments", "levels", "many levels"],
    )
    def test_more_than_is_allowed(self, pair: Store, make: Callable[[], Condition]) -> None:
        """Beyond that each search is refused by an error that says what a filter can have."""
        condition = make()
        with pytest.raises(ConfigError, match=r"a filter (has|nests) at most"):
            ids_where(pair, condition)
        with pytest.raises(ConfigError, match=r"a filter (has|nests) at most"):
            pair.search(Scan(9, (condition,)))

    def test_endless_nesting(self, pair: Store) -> None:
        """What is nested beyond any use is refused by the same error, not by Python's."""
        condition: Condition = NORWAY
        for n in range(5_000):
            condition = AllOf((Not(condition), Range(LIKES, above=n)))
        with pytest.raises(ConfigError, match="a filter nests at most"):
            ids_where(pair, condition)
