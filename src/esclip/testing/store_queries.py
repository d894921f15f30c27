"""What every store promises of queries as users ask them: the same hits as the in-memory store."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

from esclip import ConfigError, Hits, ImageIndex, Keywords, Query, SimilarTo, Text, VectorQuery, open_index
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import ScoreDetail, StoredDocument, unit_rows
from esclip._protocols import Store
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import random_vectors, record
from esclip.testing.store_case import StoreCase

COLORS = ("red", "green", "blue", "yellow")
THINGS = ("a dog", "a cat", "a house in Oslo", "", "富士山", "a red car", "the harbour of Oslo")
FIELDS = (Field("country", FieldType.KEYWORD), Field("keywords", FieldType.KEYWORDS))
ENCODER = PaletteEncoder()


def library() -> list[StoredDocument]:
    """Pictures of four colours, described in words that have nothing to do with them."""
    tones = ENCODER.encode_texts(COLORS).astype(np.float64)
    noise = random_vectors(64, 41, ENCODER.space.dim)
    vectors = unit_rows(np.stack([tones[n % 4] for n in range(64)]) + 0.25 * noise)
    return [
        StoredDocument(
            record(
                f"{n:02}",
                {"country": ("Norway", "Chile", "Japan")[n % 3], "keywords": ("sea", f"tag{n % 5}")},
                description=THINGS[n % 7],
            ),
            vectors[n],
        )
        for n in range(64)
    ]


def filled(store: Store) -> ImageIndex:
    """An index of the library in the store."""
    store.ensure_index(IndexSchema(ENCODER.space, FIELDS))
    with store.bulk_load():
        assert store.upsert(library()) == []
    return open_index(store, encoder=ENCODER)


def ids(hits: Hits) -> list[str]:
    """The ids, in the order of the hits."""
    return [hit.id for hit in hits]


@lru_cache(maxsize=1)
def oracle() -> ImageIndex:
    """The index of the library in memory."""
    return filled(MemoryStore("oracle"))


QUERIES = [
    Query(Text("red"), k=12),
    Query(Text("red"), exact=True, k=12, offset=3),
    Query(Text("red"), Text("blue", -0.3), SimilarTo("05", 0.5), k=12, explain=True),
    Query(Text("red"), min_score=0.5, k=60),
    Query(Keywords("dogs"), k=12),
    Query(Keywords("a dog in oslo"), k=12, offset=5, explain=True),
    Query(Keywords("富士"), where="country=Japan"),
    Query(Keywords("nothing of this")),
    Query(Keywords("!?")),
    Query(Text("red"), Keywords("oslo"), k=12),
    Query(Text("red"), Keywords("oslo"), k=12, offset=12),
    Query(Text("red"), Keywords("oslo", 0.2), k=12, explain=True),
    Query(Text("red"), Text("blue"), Keywords("oslo", 3), Keywords("sea", 0.5), k=12, explain=True),
    Query(Keywords("oslo"), Keywords("dog", 2), k=12, explain=True),
    Query(Text("green"), Keywords("harbour"), rank_window_size=6, k=5, explain=True),
    Query(Text("green"), Keywords("harbour"), k=60, min_score=0.5),
    Query(Text("green"), Keywords("!?"), k=5),
    Query(SimilarTo("07"), Keywords("dogs"), k=12),
    Query(Text("blue"), Keywords("dog"), where="country=Norway & keywords=tag1", k=12),
    Query(where="country=Chile", k=12, offset=2),
    Query(where="keywords=tag1 & !country=Chile", k=5, explain=True),
]


class StoreQueries(StoreCase):
    """Queries of all kinds, asked of an index."""

    @pytest.fixture
    def index(self, store: Store) -> ImageIndex:
        """The index of the library in this store."""
        return filled(store)

    def test_queries_agree_with_memory(self, index: ImageIndex) -> None:
        """Hits, their order, scores and reasons are those of the in-memory store."""
        for query in QUERIES:
            found, expected = index.search(query), oracle().search(query)
            assert ids(found) == ids(expected), query
            assert [hit.rank for hit in found] == [hit.rank for hit in expected]
            np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], atol=1e-3)
            for one, other in zip(reasons(found), reasons(expected), strict=True):
                assert (one.part, one.rank) == (other.part, other.rank), query
                np.testing.assert_allclose([one.weight, one.adds], [other.weight, other.adds], atol=1e-3)
            assert bool(reasons(found)) is (
                query.options["explain"] and len(found) > 0 and bool(query.clauses)
            ), query

    def test_fused_scores_are_cosines(self, index: ImageIndex) -> None:
        """What is found by words alone has its true cosine too."""
        hits = index.search(Query(Text("red"), Keywords("oslo"), k=40, rank_window_size=50))
        cosines = {d.record.id: float(d.vector @ ENCODER.encode_texts(["red"])[0]) for d in library()}
        np.testing.assert_allclose([h.score for h in hits], [cosines[h.id] for h in hits], atol=1e-5)

    def test_words_and_vector_together(self, index: ImageIndex) -> None:
        """Red pictures of Oslo come before red ones from elsewhere and those of Oslo in other colours."""
        both = {f"{n:02}" for n in range(0, 64, 4) if "Oslo" in THINGS[n % 7]}
        hits = index.search(Query(Text("red"), Keywords("oslo"), k=len(both)))
        assert set(ids(hits)) == both
        assert len(both) == 4

    def test_pages_of_fused_hits_neither_repeat_nor_skip(self, index: ImageIndex) -> None:
        """Pages laid end to end are the whole list; what lies beyond the window is refused."""
        parts = (Text("red"), Keywords("oslo dog"))
        whole = index.search(Query(*parts, k=40, rank_window_size=50))
        pages = [
            hit
            for at in range(0, 40, 7)
            for hit in index.search(Query(*parts, k=7, offset=at, rank_window_size=50))
        ]
        assert ids(whole) == [hit.id for hit in pages[:40]]
        with pytest.raises(ConfigError, match="window of 50"):
            index.search(Query(*parts, k=7, offset=44, rank_window_size=50))

    @pytest.mark.parametrize(
        "make", [lambda of: of.search_text("red", 30), lambda of: of.search(Query(Keywords("sea"), k=64))]
    )
    def test_the_same_order_every_time(self, index: ImageIndex, make: Callable[[ImageIndex], Hits]) -> None:
        """A search that is repeated gives the same."""
        first = make(index)
        assert all(make(index) == first for _ in range(3))

    def test_a_raw_vector_and_many_at_once(self, index: ImageIndex) -> None:
        """A batch of different queries finds what each finds by itself."""
        vector = random_vectors(1, 42, ENCODER.space.dim)[0]
        queries = [
            Query(VectorQuery(vector), k=5),
            Query(Text("red"), Keywords("oslo"), k=5),
            Query(Keywords("dog")),
            Query(where="country=Japan", k=3),
            Query(Text("red"), k=70),
        ]
        many = index.search_many(queries)
        assert [ids(hits) for hits in many] == [ids(oracle().search(query)) for query in queries]
        assert many == [index.search(query) for query in queries]


def reasons(hits: Hits) -> list[ScoreDetail]:
    """What all of them say of why they are there."""
    return [one for hit in hits for one in hit.explanation]
