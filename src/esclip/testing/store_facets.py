"""What every store promises of facets: exact counts of what a filter leaves, the same as the oracle's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from esclip._core.facets import NUMBER_TYPES, VALUE_TYPES, Bucket, Facet, ValueCount
from esclip._core.filters import Not, OneOf, Range
from esclip._core.schema import Field, FieldType
from esclip._core.types import MetadataValue
from esclip._errors import IndexNotFound
from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import FIELDS, SCHEMA, document, random_documents
from esclip.testing.store_case import StoreCase

COUNTRY, COLORS, _, LIKES, APERTURE, FEATURED, TAKEN, _ = FIELDS
COUNTED = tuple(field for field in FIELDS if field.type in VALUE_TYPES | NUMBER_TYPES)
NEW_YEAR = datetime(2021, 1, 1, tzinfo=UTC)

EXTREMES: dict[str, dict[str, MetadataValue]] = {
    "a": {"country": "", "colors": ("", "a"), "likes": -(2**63), "aperture": -1.7976931348623157e308},
    "b": {"country": "x\x00\x1b\u202e🐘'\"\\", "likes": 2**63 - 1, "aperture": 1.7976931348623157e308},
    "c": {"taken_at": datetime(1, 1, 1, tzinfo=UTC), "colors": ("a", "a", "b")},
    "d": {"taken_at": datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), "featured": False},
    "e": {"colors": (), "aperture": -0.0, "likes": 2**53 + 1},
    "f": {"aperture": 5e-324, "likes": 2**53, "featured": True},
}


class StoreFacets(StoreCase):
    """Documents planted around the store, and counted."""

    def test_facets_of_all_kinds(self, prepared: Store) -> None:
        """Values with their counts, ranges of numbers and dates, and what is missing: of all documents."""
        documents = [
            document("a", metadata={"country": "Norway", "colors": ("red", "blue", "red"), "likes": 1}),
            document("b", metadata={"country": "Chile", "colors": ("red",), "likes": 4, "aperture": 2.8}),
            document("c", metadata={"country": "Norway", "featured": True, "taken_at": NEW_YEAR}),
            document("d", metadata={"colors": (), "taken_at": NEW_YEAR + timedelta(days=31)}),
        ]
        self.plant(prepared, documents)
        facets = prepared.facets(COUNTED, (), 20)
        assert (facets.documents, list(facets)) == (4, [field.name for field in COUNTED])
        assert facets["country"] == Facet(COUNTRY, 1, (ValueCount("Norway", 2), ValueCount("Chile", 1)))
        assert facets["colors"] == Facet(COLORS, 2, (ValueCount("red", 2), ValueCount("blue", 1)))
        assert facets["featured"] == Facet(FEATURED, 3, (ValueCount(True, 1),))
        assert facets["likes"] == Facet(
            LIKES,
            2,
            minimum=1,
            maximum=4,
            buckets=(Bucket(1, 2, 1), Bucket(2, 3, 0), Bucket(3, 4, 0), Bucket(4, 5, 1)),
        )
        assert facets["aperture"].buckets == (Bucket(2.0, 3.0, 1),)
        taken = facets["taken_at"]
        assert (taken.minimum, taken.maximum) == (NEW_YEAR, NEW_YEAR + timedelta(days=31))
        assert taken.buckets[:1] == (Bucket(NEW_YEAR, NEW_YEAR + timedelta(days=2), 1),)
        assert [bucket.count for bucket in taken.buckets] == [1, *[0] * 14, 1]

    def test_facets_of_what_a_filter_leaves(self, prepared: Store) -> None:
        """A filter says what is counted, however many documents it leaves: it is no page of hits."""
        colors = ("red", "blue")
        planted = [document(f"{n:03}", metadata={"likes": n, "colors": (colors[n % 2],)}) for n in range(150)]
        self.plant(prepared, planted)
        facets = prepared.facets([COLORS, LIKES], (Range(LIKES, at_least=50), Not(OneOf(LIKES, (99,)))))
        assert facets.documents == 99
        assert facets["colors"].values == (ValueCount("red", 50), ValueCount("blue", 49))
        assert (facets["likes"].minimum, facets["likes"].maximum) == (50, 149)
        assert sum(bucket.count for bucket in facets["likes"].buckets) == 99
        nothing = prepared.facets([COUNTRY, LIKES], (OneOf(COUNTRY, ("nowhere",)),))
        assert (nothing.documents, nothing["country"], nothing["likes"]) == (
            0,
            Facet(COUNTRY, 0),
            Facet(LIKES, 0),
        )

    def test_facets_of_many_values(self, prepared: Store) -> None:
        """Of many values the most frequent are listed with their exact counts, ties by value."""
        planted = [
            document(f"{n:03}-{place}", metadata={"country": f"country {n % 40:02}"})
            for n in range(80)
            for place in range(1 + (n % 40) // 8)
        ]
        self.plant(prepared, planted)
        facet = prepared.facets([COUNTRY], limit=10)["country"]
        expected = [*((f"country {n}", 10) for n in range(32, 40)), ("country 24", 8), ("country 25", 8)]
        assert [(one.value, one.count) for one in facet.values] == expected
        assert facet.others == len(planted) - 96
        assert facet.exact

    def test_facets_of_extremes(self, prepared: Store) -> None:
        """The largest numbers, the first and the last date and odd texts are counted as the oracle does."""
        self.plant(prepared, [document(id, metadata=values) for id, values in EXTREMES.items()])
        assert prepared.facets(COUNTED) == _oracle_of(EXTREMES).facets(COUNTED)

    def test_facets_agree_with_memory(self, prepared: Store) -> None:
        """Of random documents every facet is the oracle's, with each filter, and of each field alone."""
        oracle = MemoryStore("oracle")
        oracle.ensure_index(SCHEMA)
        documents = random_documents(300, seed=21)
        assert oracle.upsert(documents) == []
        self.plant(prepared, documents)
        for where in ((), (OneOf(COUNTRY, ("Norway",)),), (Not(OneOf(COLORS, ("red", "blue"))),)):
            whole = prepared.facets(COUNTED, where, 2)
            assert whole == oracle.facets(COUNTED, where, 2)
            assert prepared.facets([LIKES], where)["likes"] == whole["likes"]
        assert prepared.facets([]) == oracle.facets([])

    def test_facets_of_a_field_that_the_index_lacks(self, prepared: Store) -> None:
        """No document has a value for it: another process may have added it to the schema just now."""
        self.plant(prepared, [document("a")])
        unknown = [Field("unheard_of", FieldType.KEYWORD), Field("unknown", FieldType.INTEGER)]
        assert prepared.facets(unknown).of_fields == tuple(Facet(field, 1) for field in unknown)

    def test_facets_of_no_index(self, store: Store) -> None:
        """There are none of an index that does not exist."""
        with pytest.raises(IndexNotFound):
            store.facets([COUNTRY])


def _oracle_of(documents: dict[str, dict[str, MetadataValue]]) -> MemoryStore:
    oracle = MemoryStore("oracle")
    oracle.ensure_index(SCHEMA)
    assert oracle.upsert([document(id, metadata=values) for id, values in documents.items()]) == []
    return oracle
