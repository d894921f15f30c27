"""What every store promises of searches that find nothing: a sentence says why, and what may be meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from esclip import ImageIndex, Keywords, Query, VectorQuery, open_index
from esclip._core.types import GeoPoint, MetadataValue
from esclip._protocols import Store
from esclip.testing.documents import axis, document
from esclip.testing.store_case import StoreCase

DOCUMENTS: dict[str, dict[str, MetadataValue]] = {
    "a": {
        "country": "Norway",
        "colors": ("red", "dark green"),
        "likes": 3,
        "taken_at": datetime(2020, 5, 6, 12, tzinfo=UTC),
        "place": GeoPoint(59.9, 10.7),
    },
    "b": {"country": "Chile", "colors": ("blue",), "likes": 70, "place": GeoPoint(-33.4, -70.6)},
}


class StoreNotes(StoreCase):
    """Two documents with some metadata, neither of which is `featured`."""

    @pytest.fixture
    def noted(self, prepared: Store) -> ImageIndex:
        """An index of both of them."""
        self.plant(
            prepared, [document(id, axis(n), values) for n, (id, values) in enumerate(DOCUMENTS.items())]
        )
        return open_index(prepared, encoder="palette")

    @pytest.mark.parametrize(
        ("where", "note"),
        [
            ("country=norway", "no document fulfils country=norway; did you mean country=Norway?"),
            ({"country": "'Norway'"}, "no document fulfils country='Norway'; did you mean country=Norway?"),
            ("country=Peru", "no document fulfils country=Peru; values in 2 documents: Norway, Chile"),
            ({"country": "Norw*"}, 'no document fulfils country="Norw*"; did you mean country=Norway?'),
            ("colors=dark-green", "no document fulfils colors=dark-green; did you mean colors=dark green?"),
            ("likes>100", "no document fulfils likes>100; in 2 documents likes is from 3 to 70"),
            (
                "taken_at=20200505",
                "no document fulfils taken_at>=2020-05-05 & taken_at<2020-05-06; in 1 document taken_at is "
                "from 2020-05-06T12:00:00Z to 2020-05-06T12:00:00Z",
            ),
            (
                "featured=true",
                "no document fulfils featured=true; no document has a value for featured: those without are "
                "found by !exists(featured)",
            ),
            (
                ["country=Norway", "country=Chile"],
                "no document fulfils country=Norway & country=Chile at once; some fulfil each of these; for "
                "one or the other write country=Norway,Chile",
            ),
            (
                "likes>10 & likes<5",
                "no document fulfils likes>10 & likes<5 at once; some fulfil each of these",
            ),
            (
                "near(place, 10.7, 59.9, 5km)",
                "no document fulfils near(place, 10.7, 59.9, 5000m); are latitude and longitude exchanged? "
                "some fulfil near(place, 59.9, 10.7, 5000m)",
            ),
            (
                "inside(place, 10, 59, 11, 60)",
                "no document fulfils inside(place, 10, 59, 11, 60); are latitude and longitude exchanged? "
                "some fulfil inside(place, 59, 10, 60, 11)",
            ),
            ("!exists(country)", "no document fulfils !exists(country)"),
            ({"country": []}, "no document fulfils country=: there is no value to be equal to"),
        ],
    )
    def test_a_filter_that_nothing_fulfils(self, noted: ImageIndex, where: str, note: str) -> None:
        """The condition is told that no document fulfils, with what there is."""
        by_vector, alone = noted.search_many([Query(VectorQuery(axis(0)), where=where), Query(where=where)])
        assert (len(by_vector), by_vector.note) == (0, note)
        assert (len(alone), alone.note) == (0, note)
        assert repr(alone) == f"<0 hits: {note}>"

    def test_nothing_on_the_page(self, noted: ImageIndex) -> None:
        """The best score is told where none is high enough, and how many hits there are before a page."""
        found = noted.search_many(
            [
                Query(VectorQuery(axis(2)), min_score=0.5),
                Query(VectorQuery(axis(0)), offset=7),
                Query(VectorQuery(axis(0)), offset=1, min_score=0.5),
                Query(Keywords("zebra")),
                Query(Keywords("zebra"), where="country=Norway"),
                Query(VectorQuery(axis(0))),
            ]
        )
        assert [hits.note for hits in found] == [
            "no hit has a score of 0.5 or more; the best has 0.0000",
            "the search has 2 hits, and passes over 7",
            "the search has 1 hit, and passes over 1",
            "no document has a word of 'zebra'",
            "no document that fulfils the filter has a word of 'zebra'",
            None,
        ]

    def test_no_neighbour(self, noted: ImageIndex) -> None:
        """The only picture of its kind has no other beside it."""
        assert noted.similar("a", where="country=Norway").note == "there is no other picture to find"

    def test_no_groups(self, noted: ImageIndex, caplog: pytest.LogCaptureFixture) -> None:
        """Looking for duplicates among none is a warning; where there are pictures, it is an answer."""
        assert noted.duplicates() == noted.duplicates(where="country=Norway") == []
        assert not [one for one in caplog.messages if "no document" in one]
        assert noted.duplicates(where="country=norway") == []
        assert "no document fulfils country=norway; did you mean country=Norway?" in caplog.messages
