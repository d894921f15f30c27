"""Any text is a filter or one error, and any filter means the same in memory and in the embedded store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esclip import ConfigError
from esclip._core.facets import NUMBER_TYPES, VALUE_TYPES
from esclip._core.filters import AllOf, Not, OneOf
from esclip._core.ordering import ORDERED_TYPES
from esclip._core.searches import Order, Scan
from esclip._core.text_forms import compose, is_unicode
from esclip._core.types import GeoPoint, MetadataValue
from esclip._errors.escaping import escape
from esclip._protocols import Store
from esclip._search.filter_parser import check_syntax, parse_filter
from esclip._search.filter_text import exact_filter_text
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import FIELDS, SCHEMA, document
from tests.fuzzing import fuzz_settings

T = TypeVar("T")

DOCUMENTS: dict[str, dict[str, MetadataValue]] = {
    "a": {
        "country": "Norway",
        "colors": ("red", "blue"),
        "caption": "a fjord",
        "likes": 1,
        "aperture": 1.8,
        "featured": True,
        "taken_at": datetime(2020, 1, 1, tzinfo=UTC),
        "place": GeoPoint(59.9139, 10.7522),
    },
    "b": {
        "country": "",
        "colors": ("",),
        "likes": -(2**63),
        "aperture": -0.0,
        "featured": False,
        "taken_at": datetime(1, 1, 1, tzinfo=UTC),
        "place": GeoPoint(-90.0, 180.0),
    },
    "c": {
        "country": 'it\'s "x" \\ %_* \x00\x1b\u202e🐘',
        "colors": ("red", "a,b|c&d"),
        "likes": 2**63 - 1,
        "aperture": 1.7976931348623157e308,
        "taken_at": datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        "place": GeoPoint(0.0, 0.0),
    },
    "d": {},
}

ODD = [
    "Norway",
    '""',
    '"a""b"',
    "red",
    "1",
    "-1",
    "1.8",
    "true",
    "f",
    "2020",
    "2020-02",
    "2020-02-30",
    "0001",
    "9999",
    "2020-01-01T00:00:00Z",
    "20200101",
    "1e400",
    "nan",
    "inf",
    "0001-01-01T00:00+14:00",
    "9999-12-31T23:59:59.999Z",
    "9223372036854775808",
    "-9223372036854775808",
    "*",
    "No*",
    "re*",
    '"a,"*',
    '""*',
    '"it\'s ""x"" \\ %_*"*',
    '"%"*',
    "%*",
    "_*",
    "~a",
    "=a",
    "'a'",
    "90",
    "-180",
    "91",
    "5km",
    "0m",
    "null",
]

COUNTED = [field for field in FIELDS if field.type in VALUE_TYPES | NUMBER_TYPES]
ORDERED = [field for field in FIELDS if field.type in ORDERED_TYPES]

NAMES = st.sampled_from(
    [*(field.name for field in FIELDS), "Country", "x", "é", "_id", "near", "exists", "words"]
)
WORDS = st.one_of(
    st.sampled_from([*ODD, "", "9" * 5000, "9" * 400 + "km", "\udcff", "\x00", "5 m", "a and likes>5"]),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
)
SIGNS = st.sampled_from(["=", "!=", "~", "!~", ">", ">=", "<", "<=", "==", "=~", " = ", "<>"])
COMPARED = st.sampled_from(["=", "!=", ">", ">=", "<", "<="])
DISTANCES = st.integers(0, 30_000)
LATITUDES, LONGITUDES = st.floats(-91, 91), st.floats(-181, 181)


def several(most: int) -> st.SearchStrategy[str]:
    """Values with commas between."""
    return st.lists(WORDS, max_size=most).map(",".join)


TESTS = st.one_of(
    st.builds("{}{}{}".format, NAMES, SIGNS, several(3)),
    st.builds("exists({})".format, NAMES),
    st.builds("near({}, {})".format, NAMES, several(4)),
    st.builds("inside({}, {})".format, NAMES, several(5)),
    st.builds("near(place, {}, {}, {}km)".format, LATITUDES, LONGITUDES, DISTANCES),
    st.builds("inside(place, {}, {}, {}, {})".format, *[LATITUDES, LONGITUDES] * 2),
)
several_words = st.sampled_from(
    ["fjord", "FJORDS", "norway red", "fjord, picture", "it's x", "a,b", "blue picture d"]
)
PREFIXES = st.one_of(
    st.sampled_from(["No*", "re*", "r*,b*,Norway", '"a,b|"*', '"it\'s ""x"" \\ %_*"*', "%*", "_*", "rede*"]),
    st.text(min_size=1, max_size=3).map(lambda text: '"' + text.replace('"', '""') + '"*'),
)
GOOD = st.one_of(
    st.builds("country{}{}".format, st.sampled_from(["=", "!="]), st.sampled_from(["Norway", '""', "x"])),
    st.builds("colors={},{}".format, st.sampled_from(["red", '"a,b|c&d"']), st.sampled_from(["blue", '""'])),
    st.builds(
        "{}{}{}".format, st.sampled_from(["country", "colors"]), st.sampled_from(["=", "!="]), PREFIXES
    ),
    st.builds("words{}{}".format, st.sampled_from(["~", "!~"]), several_words),
    st.builds("likes{}{}".format, COMPARED, st.integers(-(2**63), 2**63 - 1)),
    st.builds("aperture{}{}".format, COMPARED, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds("taken_at{}{}".format, COMPARED, st.dates(max_value=date(9999, 12, 30))),
    st.builds("taken_at{}{}Z".format, COMPARED, st.datetimes().map(datetime.isoformat)),
    st.builds("exists({})".format, st.sampled_from([field.name for field in FIELDS])),
    st.builds("near(place, {}, {}, {}km)".format, st.floats(-90, 90), st.floats(-180, 180), DISTANCES),
    st.sampled_from(["featured=true", "featured=f", "likes>0", "inside(place, -90, 170, 90, -170)"]),
)
"""Tests that can be read."""


def joined(tests: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions of tests."""
    return st.recursive(
        tests,
        lambda inner: st.one_of(
            inner.map("!{}".format),
            inner.map("({})".format),
            inner.map("!({})".format),
            st.lists(inner, min_size=2, max_size=4).map(" & ".join),
            st.lists(inner, min_size=2, max_size=4).map("|".join),
        ),
        max_leaves=12,
    )


EXPRESSIONS = joined(TESTS)
"""Some that can be read, and many that nearly can."""

SCRAPS = st.text(alphabet="countrylikes=!<>|&(),\"'*~ 019.-kmT:Z\n\x00\udcff")
VALUES = st.one_of(WORDS, st.lists(WORDS), st.integers(), st.floats(), st.datetimes(), st.none())

often = fuzz_settings(60)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    """The in-memory and the embedded store with the same documents."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    pair: list[Store] = [MemoryStore("fuzz"), LanceStore(folder, "fuzz")]
    for store in pair:
        store.ensure_index(SCHEMA)
        assert store.upsert([document(id, metadata=metadata) for id, metadata in DOCUMENTS.items()]) == []
    yield pair
    for store in pair:
        store.close()


def read_or_refused(read: Callable[[], T]) -> T | None:
    """What is read; None where it is refused, which takes one short line without what commands a terminal."""
    try:
        return read()
    except ConfigError as error:
        said = str(error)
    assert len(said) < 600
    assert said == escape(said)
    return None


@often
@given(st.one_of(EXPRESSIONS, st.text(), SCRAPS))
def test_any_text_is_a_filter_or_one_error(text: str) -> None:
    """What can't be read is a `ConfigError` of one short line, with and without the fields."""
    read_or_refused(lambda: parse_filter(text, FIELDS))
    read_or_refused(lambda: check_syntax([text]))


@often
@given(st.dictionaries(NAMES, VALUES))
def test_any_values_are_a_filter_or_one_error(where: dict[str, Any]) -> None:
    """Values by field name are typed conditions or a `ConfigError`."""
    read_or_refused(lambda: parse_filter(where, FIELDS))


@often
@given(
    st.lists(st.one_of(joined(GOOD), EXPRESSIONS), min_size=1, max_size=2),
    st.builds(Order, st.sampled_from(ORDERED), st.booleans()),
)
def test_any_filter_means_the_same_in_both_stores(
    stores: list[Store], where: list[str], order: Order
) -> None:
    """Both find the same documents, and both find the others by its contrary; both order and count them."""
    read = read_or_refused(lambda: parse_filter(where, FIELDS))
    if read is None:
        return
    found = [[hit.id for hit in store.search(Scan(9, read))[0]] for store in stores]
    others = [[hit.id for hit in store.search(Scan(9, (Not(AllOf(read)),)))[0]] for store in stores]
    assert found[0] == found[1]
    assert others[0] == others[1] == sorted(set(DOCUMENTS) - set(found[0]))
    ordered = [[hit.id for hit in store.search(Scan(9, read, order=order))[0]] for store in stores]
    assert ordered[0] == ordered[1]
    assert sorted(ordered[0]) == found[0]
    facets = [store.facets(COUNTED, read) for store in stores]
    assert facets[0] == facets[1]
    assert facets[0].documents == len(found[0])


@often
@given(st.text() | WORDS.filter(is_unicode) | st.sampled_from(["a or likes>5", "'a'", "=", " a ", "a*"]))
def test_any_value_has_a_filter_of_its_own(text: str) -> None:
    """What a list of values prints as a filter finds this value and nothing else."""
    written = exact_filter_text(OneOf(FIELDS[0], (compose(text),)))
    (condition,) = parse_filter(written, FIELDS)
    assert isinstance(condition, OneOf)
    assert {compose(str(value)) for value in condition.values} == {compose(text)}
