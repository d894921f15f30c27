"""Facets and orders above the store: the facade, the histogram's ranges, counting in bounded memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import esclip
from esclip import (
    ConfigError,
    Field,
    FieldNotFound,
    FieldType,
    ImageIndex,
    Keywords,
    Query,
    SimilarTo,
    VectorQuery,
)
from esclip._core.facet_counting import NO_SPANS, Column, count_facets
from esclip._core.facet_merging import merge_facets
from esclip._core.histogram import MAX_BUCKETS, from_milliseconds, split_range, to_milliseconds
from esclip._core.labels import LabelSet
from esclip._core.schema import IndexSchema
from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import FIELDS, SCHEMA, SPACE, axis, document, random_documents
from tests.command_line import Esclip
from tests.fuzzing import fuzz_settings

COUNTRY = FIELDS[0]
COUNTED = [field for field in FIELDS if field.name not in ("caption", "place")]
often = fuzz_settings(60)


@pytest.fixture
def index() -> Iterator[ImageIndex]:
    """Six pictures, whose scores with the first axis fall from 1 in their order."""
    store = MemoryStore("pictures")
    store.ensure_index(SCHEMA)
    likes = [3, 1, None, 2, 1, 5]
    store.upsert(
        [
            document(
                f"{n}",
                axis(0) * (6 - n) / 10 + axis(1) * (1 - ((6 - n) / 10) ** 2) ** 0.5,
                {} if value is None else {"likes": value, "country": "Norway" if n < 3 else "Chile"},
            )
            for n, value in enumerate(likes)
        ]
    )
    with esclip.open_index(store, encoder="palette") as index:
        yield index


def listed(index: ImageIndex, *clauses: VectorQuery | SimilarTo | Keywords, **options: object) -> str:
    """Ids of the hits, in their order."""
    return "".join(hit.id for hit in index.search(Query(*clauses, **options)))  # type: ignore[arg-type]


QUERY = VectorQuery(axis(0))


class TestFacade:
    def test_facets(self, index: ImageIndex) -> None:
        """Facets of named fields, in their order, each once, of what the filter leaves."""
        facets = index.facets(["likes", "country", "likes"], where="likes<5")
        assert list(facets) == ["likes", "country"]
        assert facets.documents == 4
        assert facets["country"].to_json() == {
            "type": "keyword",
            "values": [{"value": "Chile", "count": 2}, {"value": "Norway", "count": 2}],
            "others": 0,
            "exact": True,
            "missing": 0,
        }
        assert facets.to_json()["facets"]["likes"] == {
            "type": "integer",
            "minimum": 1,
            "maximum": 3,
            "buckets": [{"from": n, "to": n + 1, "count": count} for n, count in ((1, 2), (2, 1), (3, 1))],
            "missing": 0,
        }
        assert index.facets("country", limit=1)["country"].others == 2
        assert repr(index.facets("country")) == "<Facets of 6 documents: country: Chile 3, Norway 2>"
        assert "Chile 3, Norway 2; missing: 1</td>" in index.facets("country")._repr_html_()

    def test_facets_of_all_fields(self, index: ImageIndex) -> None:
        """By default all fields that can be counted, but for the probabilities of each label."""
        names = ["country", "colors", "likes", "aperture", "featured", "taken_at"]
        assert list(index.facets()) == names
        probability = Field("p_dog", FieldType.FLOAT)
        index.store.ensure_index(IndexSchema(SPACE, (probability,), label_set=LabelSet(("dog", "cat"))))
        with esclip.open_index(index.store) as again:
            assert list(again.facets()) == names
            assert list(again.facets("p_dog")) == ["p_dog"]

    def test_what_can_not_be_counted(self, index: ImageIndex) -> None:
        """Unknown fields are named with the nearest, sentences and places refused, bounds checked."""
        with pytest.raises(FieldNotFound, match=r"facet county: .* did you mean 'country'\?") as error:
            index.facets(["likes", "county"])
        assert (error.value.argument, error.value.similar) == ("fields/1", "country")
        with pytest.raises(ConfigError, match="facet caption: it holds sentences"):
            index.facets("caption")
        with pytest.raises(ValueError, match="limit is 0"):
            index.facets(limit=0)
        with pytest.raises(ConfigError, match="fields is of type int"):
            index.facets(7)  # type: ignore[arg-type]

    def test_a_filter_that_leaves_nothing(self, index: ImageIndex, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing is counted, and a warning says why."""
        assert index.facets("likes", "country=norway").documents == 0
        assert "did you mean country=Norway?" in caplog.text


class TestSort:
    def test_of_a_search(self, index: ImageIndex) -> None:
        """Hits are ordered by the field: those without a value last, ties by id, page by page."""
        assert listed(index, QUERY) == "012345"
        assert listed(index, QUERY, sort="likes") == "143052"
        assert listed(index, QUERY, sort="-likes") == "503142"
        assert [listed(index, QUERY, sort="-likes", k=2, offset=at) for at in (0, 2, 4, 6)] == [
            "50",
            "31",
            "42",
            "",
        ]
        hits = index.search(Query(QUERY, sort="country", k=2, offset=1))
        assert [(hit.rank, hit.id) for hit in hits] == [(2, "4"), (3, "5")]

    def test_only_what_fits_is_ordered(self, index: ImageIndex) -> None:
        """All hits above a threshold take part, without one the best of the window; examples do not."""
        assert listed(index, QUERY, sort="-likes", min_score=0.25) == "0312"
        assert listed(index, QUERY, sort="-likes", min_score=0.25, rank_window_size=1, k=9) == "0312"
        assert listed(index, QUERY, sort="-likes", rank_window_size=3, k=3) == "012"
        assert listed(index, SimilarTo("0"), sort="-likes", rank_window_size=2, k=2) == "12"
        assert listed(index, Keywords("picture"), sort="-likes") == "503142"
        assert listed(index, QUERY, Keywords("picture"), sort="-likes") == "503142"
        with pytest.raises(ConfigError, match="beyond the window of 3 in which they are ordered"):
            Query(QUERY, sort="likes", rank_window_size=3, k=4)

    def test_of_a_filter_alone(self, index: ImageIndex) -> None:
        """What a filter leaves is listed in the order, page by page, also where near ones are folded."""
        where = "likes>=1"
        assert listed(index, where=where, sort="-likes") == "50314"
        assert [listed(index, where=where, sort="likes", k=2, offset=at) for at in (0, 2, 4)] == [
            "14",
            "30",
            "5",
        ]
        assert listed(index, where=where, sort="likes", collapse=0.99) == "14"

    def test_what_has_no_order(self, index: ImageIndex) -> None:
        """Fields that are not there, and those with several values, are refused."""
        with pytest.raises(FieldNotFound, match=r"sort like: .* did you mean 'likes'\?") as error:
            listed(index, QUERY, sort="-like")
        assert error.value.argument == "sort"
        with pytest.raises(ConfigError, match="sort colors: it is of type keywords, which has no order"):
            listed(index, QUERY, sort="colors")
        with pytest.raises(ConfigError, match="sort is of type int"):
            Query(QUERY, sort=3)  # type: ignore[arg-type]


def test_all_hits_above_a_threshold_are_ordered() -> None:
    """The search goes deeper than the window until scores are below, whatever is found first."""
    store = MemoryStore("many")
    store.ensure_index(SCHEMA)
    store.upsert(random_documents(1500, seed=7))
    with esclip.open_index(store, encoder="palette") as many:
        fitting = [hit for hit in many.search(Query(QUERY, k=1500)) if hit.score >= 0.05]
        assert len(fitting) > 400
        ordered = many.search(Query(QUERY, k=len(fitting) + 1, min_score=0.05, sort="-taken_at"))
    missing = [hit.id for hit in fitting if "taken_at" not in hit.metadata]
    present = [hit for hit in fitting if "taken_at" in hit.metadata]
    present.sort(key=lambda hit: hit.id)
    present.sort(key=lambda hit: str(hit.metadata["taken_at"]), reverse=True)
    assert [hit.id for hit in ordered] == [hit.id for hit in present] + sorted(missing)


def test_where_an_unknown_field_stands(index: ImageIndex) -> None:
    """The error of a filter names the character, and of several queries which one it is."""
    with pytest.raises(FieldNotFound) as error:
        index.search_many(["a", Query("b", where="likes>1 & contry=x")])
    assert (error.value.field, error.value.character, error.value.query) == ("contry", 11, 1)


WHOLE = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(to_milliseconds)
NUMBERS = st.one_of(
    st.tuples(st.just(FieldType.INTEGER), st.lists(WHOLE | st.integers(0, 50), min_size=1)),
    st.tuples(st.just(FieldType.FLOAT), st.lists(FINITE | st.floats(0, 1), min_size=1)),
    st.tuples(st.just(FieldType.DATE), st.lists(MOMENTS, min_size=1)),
)


@often
@given(NUMBERS)
def test_ranges_hold_all_numbers(given: tuple[FieldType, Sequence[float]]) -> None:
    """Any numbers lie in 20 ranges or few more, without a gap, none of which is empty at an end."""
    kind, numbers = given
    ranges = split_range(kind, min(numbers), max(numbers))
    assert 1 <= len(ranges) <= MAX_BUCKETS + 1
    assert ranges[0][0] <= min(numbers)
    assert ranges[-1][1] is None or ranges[-1][1] > max(numbers)
    assert [end for _, end in ranges[:-1]] == [start for start, _ in ranges[1:]]
    assert all(end is None or start < end for start, end in ranges)
    assert ranges[0][1] is None or ranges[0][1] > min(numbers)
    assert ranges[-1][0] <= max(numbers)


@pytest.mark.parametrize(
    ("first", "last", "starts"),
    [
        ("2019-02-03", "2021-05-06", ["2019-01-01", "2019-04-01", "2019-07-01"]),
        ("2000-02-03", "2021-05-06", ["2000-01-01", "2002-01-01", "2004-01-01"]),
        ("2021-05-06", "2021-08-20", ["2021-05-03", "2021-05-10", "2021-05-17"]),
        ("2021-05-06T10:00", "2021-05-06T20:00", ["2021-05-06T10:00", "2021-05-06T11:00"]),
        ("2021-05-06T10:00:01", "2021-05-06T10:00:01", ["2021-05-06T10:00:01"]),
    ],
)
def test_ranges_of_dates_are_those_of_the_calendar(first: str, last: str, starts: list[str]) -> None:
    """Dates are split into years, months, weeks from Monday on, days and hours."""
    ends = [to_milliseconds(datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in (first, last)]
    ranges = [from_milliseconds(int(start)) for start, _ in split_range(FieldType.DATE, *ends)]
    expected = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in starts]
    assert ranges[: len(expected)] == expected


@pytest.mark.parametrize(
    ("kind", "ends", "first"),
    [
        (FieldType.INTEGER, (3, 97), (0, 5)),
        (FieldType.INTEGER, (640, 8256), (500, 1000)),
        (FieldType.FLOAT, (0.0, 1.0), (0.0, 0.1)),
        (FieldType.FLOAT, (2.8, 2.8), (2.0, 3.0)),
    ],
)
def test_ranges_begin_at_round_numbers(
    kind: FieldType, ends: tuple[float, float], first: tuple[float, float]
) -> None:
    """Numbers are split at multiples of 1, 2 and 5 with zeros."""
    assert split_range(kind, *ends)[0] == first


def test_counting_keeps_few_values() -> None:
    """However many values there are, the frequent ones are counted exactly, and memory is bounded."""
    values = [f"rare {n}" for n in range(120_000)] + ["a"] * 2000 + ["b"] * 1000 + ["c"] * 10
    random.Random(5).shuffle(values)

    def read(fields: Sequence[Field]) -> Iterator[tuple[int, list[Column]]]:
        for start in range(0, len(values), 1000):
            some = values[start : start + 1000]
            yield len(some), [Column(len(some), Counter(some)) for _ in fields]

    facet = count_facets(read, [COUNTRY], 2)["country"]
    assert [(one.value, one.count) for one in facet.values] == [("a", 2000), ("b", 1000)]
    assert (facet.others, facet.exact, facet.missing) == (120_010, True, 0)
    assert not count_facets(read, [COUNTRY], 5)["country"].exact


class ScanningStore(MemoryStore):
    """A store that leaves counting to the base class."""

    facets = Store.facets


def test_a_store_that_only_scans() -> None:
    """The default counts the same, page by page."""
    stores = [ScanningStore("one"), MemoryStore("two")]
    for store in stores:
        store.ensure_index(SCHEMA)
        store.upsert(random_documents(1200, seed=3))
    where = (esclip.Not(esclip.OneOf(COUNTRY, ("Norway",))),)
    assert stores[0].facets(COUNTED, where, 2) == stores[1].facets(COUNTED, where, 2)
    assert stores[0].facets(COUNTED).documents == 1200


def test_facets_of_several_stores() -> None:
    """What lies in several stores, a few texts beside many pictures, is counted as if it lay in one."""
    documents = random_documents(300, seed=4)
    many, few, oracle = (MemoryStore(name) for name in ("many", "few", "oracle"))
    for store, held in ((many, documents[:280]), (few, documents[280:]), (oracle, documents)):
        store.ensure_index(SCHEMA)
        store.upsert(held)
    few.upsert([document("far", metadata={"likes": 90, "country": "Chile", "colors": ("black", "grey")})])
    oracle.upsert([document("far", metadata={"likes": 90, "country": "Chile", "colors": ("black", "grey")})])
    for where in ((), (esclip.OneOf(COUNTRY, ("Chile",)),)):
        merged = merge_facets([many.facets, few.facets], COUNTED, where, 20, NO_SPANS)
        assert merged == oracle.facets(COUNTED, where)
        for limit in (1, 2):
            merged = merge_facets([many.facets, few.facets], COUNTED, where, limit, NO_SPANS)
            whole = oracle.facets(COUNTED, where, limit)
            assert [facet.values for facet in merged.values()] == [facet.values for facet in whole.values()]


def test_texts_are_counted_and_ordered_with_pictures() -> None:
    """An index with texts counts both kinds, and lists them in one order."""
    with esclip.open_index(MemoryStore("both"), encoder="palette") as index:
        index.add({"id": "p", "image": Image.new("RGB", (8, 8), "red"), "shop": "oslo", "price": 3})
        index.add([{"id": f"t{n}", "text": f"red {n}", "shop": "rome", "price": n} for n in (1, 5)])
        facets = index.facets(["shop", "price"])
        assert [(one.value, one.count) for one in facets["shop"].values] == [("rome", 2), ("oslo", 1)]
        assert (facets.documents, facets["price"].minimum, facets["price"].maximum) == (3, 1, 5)
        assert sum(bucket.count for bucket in facets["price"].buckets) == 3
        for query in (Query(where="price>0", sort="-price"), Query("red", sort="-price")):
            assert [hit.id for hit in index.search(query)] == ["t5", "p", "t1"]
        pages = [index.search(Query(where="price>0", sort="price", k=1, offset=n)) for n in range(3)]
        assert [hits[0].id for hits in pages] == ["t1", "p", "t5"]


def test_the_command(quick_esclip: Esclip, tmp_path: Path) -> None:
    """Lines have a count and a filter that leaves just these documents; JSON is what the library gives."""
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        shops = ["Oslo", "a, \x1b[31mb", "Oslo", "Rome"]
        images = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green", "white")]
        index.add(
            [
                {"id": f"{n}", "image": image, "shop": shop, **({"price": n} if n else {})}
                for n, (shop, image) in enumerate(zip(shops, images, strict=True))
            ]
        )
        expected = index.facets(["shop", "price"]).to_json()
    at = ("--store", tmp_path / "store")
    ran = quick_esclip("facets", "shop", "price", *at)
    lines = [line.split("\t") for line in ran.out.splitlines()]
    assert [int(count) for count, _ in lines] == [2, 1, 1, 1, 1, 1, 1]
    assert [text for _, text in lines][3:] == [
        *(f"price>={n} & price<{n + 1}" for n in (1, 2, 3)),
        "!exists(price)",
    ]
    assert "4 documents counted" in ran.err
    assert "\x1b" not in ran.out
    for count, where in (line for line in lines if "31m" not in line[1]):
        assert len(quick_esclip("search", "--where", where, *at, "--json").hits) == int(count)
    assert quick_esclip("facets", "shop", "price", *at, "--json").json == expected
    assert quick_esclip("facets", "--where", "price>1", *at, "--json").json["documents"] == 2
    assert "did you mean 'shop'" in quick_esclip("facets", "shops", *at, status=1).err
    ordered = quick_esclip("search", "--where", "exists(shop)", "--sort", "-price", *at, "--json").hits
    assert [hit["id"] for hit in ordered] == ["3", "2", "1", "0"]
    found = quick_esclip("search-text", "red", "--sort", "price", *at, "--json").hits
    assert [hit["id"] for hit in found] == ["1", "2", "3", "0"]
