"""What every store promises of scans that are ordered by a field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from esclip._core.filters import Exists, Not, OneOf
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Order, Scan
from esclip._core.types import MetadataValue
from esclip._protocols import Store
from esclip.testing.documents import FIELDS, document
from esclip.testing.store_case import StoreCase

COUNTRY, COLORS, _, LIKES, APERTURE, _, TAKEN, _ = FIELDS
NEW_YEAR = datetime(2021, 1, 1, tzinfo=UTC)

VALUES: dict[str, list[MetadataValue]] = {
    "country": ["", "Chile", "Norway", "Åland", "é", "é", "\uffee", "🐘"],
    "likes": [-(2**63), -1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1],
    "aperture": [-1.7976931348623157e308, -0.0, 0.0, 5e-324, 2.8, 1.7976931348623157e308],
    "taken_at": [
        datetime(1, 1, 1, tzinfo=UTC),
        NEW_YEAR - timedelta(milliseconds=1),
        NEW_YEAR,
        datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ],
}
"""Values of each field that has an order, from the lowest to the highest."""


def ids_of(
    store: Store, order: Order | None, k: int = 100, *, where: tuple[Not | OneOf, ...] = ()
) -> list[str]:
    """Ids of a scan, whose ranks are right."""
    (hits,) = store.search(Scan(k, where, order=order))
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert all(hit.score == 1 for hit in hits)
    return [hit.id for hit in hits]


class StoreOrder(StoreCase):
    """Documents planted around the store, and listed in an order."""

    @pytest.mark.parametrize("field", [COUNTRY, LIKES, APERTURE, TAKEN], ids=lambda field: field.name)
    def test_order_by_a_field(self, prepared: Store, field: Field) -> None:
        """Lowest or highest first, ties by id, those without a value last, however many are wanted."""
        values = sorted(range(len(VALUES[field.name])), key=lambda n: n % 3)
        documents = [
            document(f"{name}{n}", metadata={field.name: VALUES[field.name][n]})
            for n in values
            for name in "ba"
        ]
        self.plant(prepared, [document("z"), document("a"), *documents, document("m")])
        ascending = [f"{name}{n}" for n in range(len(values)) for name in "ab"]
        descending = [f"{name}{n}" for n in reversed(range(len(values))) for name in "ab"]
        if field is COUNTRY:
            ascending[8:12], descending[4:8] = ["a4", "a5", "b4", "b5"], ["a4", "a5", "b4", "b5"]
        for expected, down in ((ascending, False), (descending, True)):
            expected = [*expected, "a", "m", "z"]
            assert ids_of(prepared, Order(field, down)) == expected
            for k in (1, 3, len(documents), len(documents) + 2):
                assert ids_of(prepared, Order(field, down), k) == expected[:k]

    def test_order_of_what_a_filter_leaves(self, prepared: Store) -> None:
        """Only what fulfils the conditions is listed, also by those on the field itself."""
        metadata: list[dict[str, MetadataValue]] = [{"likes": n, "colors": ("red",)} for n in range(3)]
        metadata += [{"likes": 9}, {}]
        self.plant(prepared, [document(f"{n}", metadata=values) for n, values in enumerate(metadata)])
        red = OneOf(COLORS, ("red",))
        assert ids_of(prepared, Order(LIKES, True), where=(red,)) == ["2", "1", "0"]
        assert ids_of(prepared, Order(LIKES, True), where=(Not(red),)) == ["3", "4"]
        assert ids_of(prepared, Order(LIKES), where=(Not(Exists(LIKES)),)) == ["4"]
        assert ids_of(prepared, None, where=(Not(red),)) == ["3", "4"]

    def test_order_by_a_field_that_the_index_lacks(self, prepared: Store) -> None:
        """No document has a value, so they are ordered by id."""
        self.plant(prepared, [document(id) for id in "bca"])
        assert ids_of(prepared, Order(Field("unheard_of", FieldType.DATE), True)) == ["a", "b", "c"]

    def test_searches_of_all_kinds_at_once(self, prepared: Store) -> None:
        """Scans in several orders are answered together."""
        self.plant(prepared, [document(f"{n}", metadata={"likes": -n}) for n in range(5)])
        results = prepared.search(Scan(2), Scan(2, order=Order(LIKES)), Scan(9, order=Order(LIKES, True)))
        assert ["".join(hit.id for hit in hits) for hits in results] == ["01", "43", "01234"]
