"""What every store promises of searching: planted around the store, compared with the exact one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from esclip._core.filters import AllOf, AnyOf, Condition, Exists, Inside, Near, Not, OneOf, Range
from esclip._core.schema import Field, FieldType
from esclip._core.searches import KnnSearch
from esclip._core.types import GeoPoint, MetadataValue, unit_rows
from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import (
    FIELDS,
    SCHEMA,
    axis,
    document,
    nearest,
    random_documents,
    random_vectors,
    where,
)
from esclip.testing.store_case import StoreCase, ids_where

COUNTRY, COLORS, CAPTION, LIKES, APERTURE, FEATURED, TAKEN, PLACE = FIELDS
NEW_YEAR = datetime(2021, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

WHERE: list[tuple[list[Condition], list[str]]] = [
    ([where("country", "Norway")], ["a", "b"]),
    ([where("country", "norway")], []),
    ([where("country", "Nor")], []),
    ([where("colors", "red")], ["a", "c"]),
    ([where("colors", "dark green")], ["a"]),
    ([where("likes", 7)], ["a"]),
    ([where("likes", -(2**62) - 1)], ["b"]),
    ([where("aperture", 2.8)], ["b", "c"]),
    ([where("featured", True)], ["a"]),
    ([where("featured", False)], ["b"]),
    ([where("taken_at", datetime(2020, 1, 2, 3, 4, 5, 6_000, tzinfo=UTC))], ["c"]),
    ([where("country", "Norway"), where("colors", "red")], ["a"]),
    ([where("country", "Norway"), where("aperture", 2.8), where("featured", False)], ["b"]),
    ([where("country", "Chile"), where("likes", 7)], []),
    ([where("country", 'it\'s "quoted" \\ `b` %_*')], ["d"]),
    ([where("colors", "it's red")], ["d"]),
    ([where("country", "x' OR '1'='1")], []),
    ([where("country", "")], []),
    ([OneOf(Field("unheard_of", FieldType.KEYWORD), ("x",))], []),
]

WHERE_OF_ALL_KINDS: list[tuple[Condition, str]] = [
    (OneOf(COUNTRY, ("Norway", "Chile", "Peru")), "abc"),
    (OneOf(COUNTRY, ()), ""),
    (OneOf(COLORS, ("blue", "white")), "ad"),
    (OneOf(LIKES, (1, 30)), "ac"),
    (OneOf(TAKEN, (NEW_YEAR, NEW_YEAR + DAY)), "ab"),
    (Range(LIKES, at_least=2, at_most=30), "bc"),
    (Range(LIKES, above=2, below=30), ""),
    (Range(LIKES, below=2), "a"),
    (Range(APERTURE, above=1.8), "bc"),
    (Range(APERTURE, at_least=1.8, below=4.0), "ab"),
    (Range(TAKEN, at_least=NEW_YEAR + DAY), "bc"),
    (Range(TAKEN, above=NEW_YEAR, below=NEW_YEAR + 2 * DAY), "b"),
    (Range(TAKEN, at_most=NEW_YEAR), "a"),
    (Exists(COUNTRY), "abc"),
    (Exists(COLORS), "acd"),
    (Exists(PLACE), "abd"),
    (Exists(CAPTION), "a"),
    (Exists(TAKEN), "abc"),
    (Not(OneOf(COUNTRY, ("Norway",))), "cde"),
    (Not(OneOf(COLORS, ("red",))), "bcde"),
    (Not(Range(LIKES, at_least=2)), "ade"),
    (Not(Exists(PLACE)), "ce"),
    (Not(Not(OneOf(COUNTRY, ("Norway",)))), "ab"),
    (Not(Near(PLACE, 59.91, 10.75, 400_000)), "cde"),
    (AllOf((OneOf(COUNTRY, ("Norway",)), Not(OneOf(COLORS, ("red",))))), "b"),
    (AnyOf((OneOf(LIKES, (30,)), OneOf(COLORS, ("blue",)))), "acd"),
    (Not(AnyOf((OneOf(LIKES, (30,)), Exists(PLACE)))), "e"),
    (AnyOf((AllOf((OneOf(FEATURED, (True,)), Exists(PLACE))), Range(LIKES, at_least=30))), "ac"),
    (Near(PLACE, 59.91, 10.75, 1_000), "a"),
    (Near(PLACE, 59.9139, 10.7522, 0), "a"),
    (Inside(PLACE, 59.9139, 10.7522, 59.9139, 10.7522), "a"),
    (Inside(PLACE, 90.0, 180.0, 90.0, 180.0), ""),
    (Near(PLACE, 59.91, 10.75, 310_000), "ab"),
    (Near(PLACE, 59.91, 10.75, 21_000_000), "abd"),
    (Near(PLACE, -16.8, 179.9, 60_000), "d"),
    (Inside(PLACE, 59.0, 5.0, 61.0, 11.0), "ab"),
    (Inside(PLACE, 60.0, 5.0, 61.0, 11.0), "b"),
    (Inside(PLACE, -20.0, 170.0, 0.0, -170.0), "d"),
]


class StoreSearch(StoreCase):
    """Documents planted around the store, and found."""

    def test_search_scores_are_cosines(self, prepared: Store) -> None:
        """Scores are the true cosines, whatever their sign, best first and ranked from 1."""
        vectors = random_vectors(40, 3)
        self.plant(prepared, [document(f"{i:02}", vectors[i]) for i in range(40)])
        query = random_vectors(1, 4)[0]
        hits = nearest(prepared, query, 40)
        cosines = vectors.astype(np.float64) @ query
        assert [hit.id for hit in hits] == [f"{i:02}" for i in np.argsort(-cosines)]
        assert [hit.rank for hit in hits] == list(range(1, 41))
        np.testing.assert_allclose([hit.score for hit in hits], np.sort(cosines)[::-1], atol=self.tolerance)

    def test_search_extremes(self, prepared: Store) -> None:
        """The same and the opposite direction score 1 and -1, never beyond."""
        vector = random_vectors(1, 5)[0]
        self.plant(prepared, [document("same", vector), document("opposite", -vector)])
        hits = nearest(prepared, vector, 2)
        assert [hit.id for hit in hits] == ["same", "opposite"]
        np.testing.assert_allclose([hit.score for hit in hits], [1, -1], atol=self.tolerance)
        assert all(-1 <= hit.score <= 1 for hit in hits)
        assert np.isclose(nearest(prepared, axis(1), 1)[0].score, abs(vector[1]), atol=self.tolerance)

    def test_search_breaks_ties_by_id(self, prepared: Store) -> None:
        """Equal scores are ordered by id."""
        vector = random_vectors(1, 6)[0]
        self.plant(prepared, [document(id, vector) for id in ("c", "a", "e", "b", "d")])
        assert [hit.id for hit in nearest(prepared, axis(0), 5)] == ["a", "b", "c", "d", "e"]

    def test_search_of_many_alike(self, prepared: Store) -> None:
        """However many are equally near, k of them are those with the first ids: pages never overlap."""
        vectors = random_vectors(3, 16)
        alike = [document(f"{n:02}", vectors[0]) for n in (*range(40, 80), *range(40))]
        others = [document(f"x{n}", vectors[1 + n % 2]) for n in range(30)]
        self.plant(prepared, [*others[:15], *alike, *others[15:]])
        for k in (1, 7, 35, 60):
            assert [hit.id for hit in nearest(prepared, vectors[0], k)] == [f"{n:02}" for n in range(k)]

    def test_search_for_scores_only(self, prepared: Store) -> None:
        """A search for scores alone gives those of the others, filtered or not, and knows the ids."""
        vectors = random_vectors(3, 16)
        alike = [document(f"{n:02}", vectors[0], {"country": "Norway"}) for n in range(40)]
        others = [document(f"x{n}", vectors[1 + n % 2]) for n in range(30)]
        self.plant(prepared, [*others, *alike])
        for conditions in ((), (where("country", "Norway"),)):
            searches = [
                KnnSearch(vector, 7, conditions, scores_only=only)
                for vector in vectors
                for only in (False, True)
            ]
            found = prepared.search(*searches)
            for whole, scores_only in zip(found[::2], found[1::2], strict=True):
                expected = [hit.score for hit in whole]
                np.testing.assert_allclose([hit.score for hit in scores_only], expected, atol=self.tolerance)
                assert len({hit.id for hit in scores_only}) == 7

    def test_search_k(self, prepared: Store) -> None:
        """k limits the hits; more than there are gives all there are."""
        self.plant(prepared, [document(f"{i}", axis(i)) for i in range(4)])
        assert len(nearest(prepared, axis(0), 1)) == 1
        assert len(nearest(prepared, axis(0), 3)) == 3
        assert len(nearest(prepared, axis(0), 1000)) == 4

    def test_search_where(self, prepared: Store) -> None:
        """Only documents that fulfil all conditions are found; one without the field never is."""
        taken = datetime(2020, 1, 2, 3, 4, 5, 6_000, tzinfo=UTC)
        metadata: dict[str, dict[str, MetadataValue]] = {
            "a": {"country": "Norway", "colors": ("red", "dark green"), "likes": 7, "featured": True},
            "b": {"country": "Norway", "likes": -(2**62) - 1, "aperture": 2.8, "featured": False},
            "c": {"country": "Chile", "colors": ("red",), "aperture": 2.8, "taken_at": taken},
            "d": {"country": 'it\'s "quoted" \\ `b` %_*', "colors": ("it's red",)},
            "e": {},
        }
        self.plant(prepared, [document(id, metadata=values) for id, values in metadata.items()])
        assert [(conditions, ids_where(prepared, *conditions)) for conditions, _ in WHERE] == WHERE

    def test_search_where_of_all_kinds(self, prepared: Store) -> None:
        """Each kind of condition holds for the documents it should, by itself and inside of others."""
        metadata: dict[str, dict[str, MetadataValue]] = {
            "a": {
                "country": "Norway",
                "colors": ("red", "blue"),
                "caption": "a fjord",
                "likes": 1,
                "aperture": 1.8,
                "featured": True,
                "taken_at": NEW_YEAR,
                "place": GeoPoint(59.9139, 10.7522),
            },
            "b": {
                "country": "Norway",
                "likes": 2,
                "aperture": 2.8,
                "featured": False,
                "taken_at": NEW_YEAR + DAY,
                "place": GeoPoint(60.3913, 5.3221),
            },
            "c": {
                "country": "Chile",
                "colors": ("green",),
                "likes": 30,
                "aperture": 4.0,
                "taken_at": NEW_YEAR + 2 * DAY,
            },
            "d": {"colors": ("blue", "white"), "place": GeoPoint(-16.7, -179.9)},
            "e": {},
        }
        self.plant(prepared, [document(id, metadata=values) for id, values in metadata.items()])
        found = [(condition, "".join(ids_where(prepared, condition))) for condition, _ in WHERE_OF_ALL_KINDS]
        assert found == WHERE_OF_ALL_KINDS

    def test_search_where_few_match(self, prepared: Store) -> None:
        """All that match are found, though hundreds that don't are nearer."""
        near = unit_rows(axis(0) + 0.1 * random_vectors(300, 7))
        far = [document(f"far{i}", -near[i], {"country": "Chile"}) for i in range(6)]
        crowd = [document(f"near{i}", near[i], {"country": "Norway"}) for i in range(300)]
        self.plant(prepared, crowd + far)
        assert len(nearest(prepared, axis(0), 5, [where("country", "Chile")])) == 5
        assert set(ids_where(prepared, where("country", "Chile"))) == {f"far{i}" for i in range(6)}

    def test_search_many(self, prepared: Store) -> None:
        """Several searches at once find what each finds by itself, whatever their k and filters."""
        documents = random_documents(120, seed=11)
        self.plant(prepared, documents)
        filters = [(), (where("country", "Norway"),), (where("country", "nowhere"),), (where("likes", 2),)]
        searches = [
            KnnSearch(vector, k, filters[number % 4])
            for number, vector in enumerate(random_vectors(12, 12))
            for k in (1, 7, 200)
        ]
        many = prepared.search(*searches)
        assert many == [prepared.search(search)[0] for search in searches]
        assert len(many[2]) == 120
        assert prepared.search() == []

    def test_search_agrees_with_memory(self, prepared: Store) -> None:
        """Among random documents, hits and scores are those of the in-memory store, filtered or not."""
        oracle = MemoryStore("oracle")
        oracle.ensure_index(SCHEMA)
        documents = random_documents(500, seed=8)
        assert oracle.upsert(documents) == []
        with prepared.bulk_load():
            for start in range(0, 500, 125):
                assert prepared.upsert(documents[start : start + 125]) == []
        filters = [
            [],
            [where("country", "O'Land")],
            [where("colors", "blue"), where("likes", 2)],
            [where("taken_at", datetime(2020, 1, 2, tzinfo=UTC)), where("featured", True)],
        ]
        shared, wanted = 0, 0
        for query in random_vectors(5, 9):
            for conditions in filters:
                hits, expected = (
                    nearest(prepared, query, 20, conditions),
                    nearest(oracle, query, 20, conditions),
                )
                assert len(hits) == len(expected)
                scores = {hit.id: hit.score for hit in hits}
                both = [hit for hit in expected if hit.id in scores]
                assert all(abs(scores[hit.id] - hit.score) <= self.tolerance for hit in both)
                shared, wanted = shared + len(both), wanted + len(expected)
        assert shared >= self.recall * wanted > 0
