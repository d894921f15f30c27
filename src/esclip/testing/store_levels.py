"""What every store promises of the levels at which it compares vectors: `IndexSettings.vectors`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esclip._core.index_settings import BIT, FLOAT, INT8, IndexSettings
from esclip._core.searches import KnnSearch
from esclip._core.types import StoredDocument, Vectors, unit_rows
from esclip._errors import ConfigError, IndexMismatch
from esclip._protocols import Store
from esclip.testing.documents import SCHEMA, random_vectors, record, where
from esclip.testing.store_case import StoreCase

LEVEL_DIM = 128
"""Enough for one bit a number."""
LEVEL_SCHEMA = replace(SCHEMA, space=replace(SCHEMA.space, dim=LEVEL_DIM))
COUNT = 600


class StoreLevels(StoreCase):
    """Quantised comparisons never show: neither in scores nor in what is found."""

    @pytest.mark.parametrize("level", [INT8, BIT])
    def test_scores_are_cosines_at_each_level(self, store: Store, level: str) -> None:
        """At each level that a store takes, hits are the nearest and scores the true cosines: of queries like
        pictures and like texts, filtered, exact and deep. A level that it doesn't take is refused, and no
        index made.
        """
        schema = replace(LEVEL_SCHEMA, settings=IndexSettings(level))
        if level not in self.levels(store):
            with pytest.raises(ConfigError, match=level):
                store.ensure_index(schema)
            assert store.info() is None
            return
        store.ensure_index(schema)
        vectors = _fill(store)
        for query in _queries(vectors):
            searches = [
                KnnSearch(query, 10),
                KnnSearch(query, 10, exact=True),
                KnnSearch(query, 10, (where("country", "Chile"),)),
                KnnSearch(query, 5, (where("country", "Chile"),), exact=True),
                KnnSearch(query, 300),
            ]
            for search, hits in zip(searches, store.search(*searches), strict=True):
                step = 100 if search.where else 1
                cosines = vectors[::step] @ query
                assert len(hits) == min(search.k, len(cosines))
                scores = np.array([hit.score for hit in hits])
                true = np.array([vectors[int(hit.id)] @ query for hit in hits])
                assert np.abs(scores - true).max() <= self.tolerance
                best = np.sort(cosines)[::-1][: len(hits)]
                assert np.isclose(scores, best, atol=2 * self.tolerance).mean() >= min(self.recall, 0.98)

    def test_a_level_is_kept(self, store: Store) -> None:
        """An index remembers its level; preparing it without one leaves that. Going back is refused, or done
        where an index takes any other level.
        """
        levels = self.levels(store)
        level = INT8 if INT8 in levels else FLOAT
        store.ensure_index(replace(LEVEL_SCHEMA, settings=IndexSettings(level)))
        store.ensure_index(LEVEL_SCHEMA)
        assert self.peek_schema(store)["settings"] == {"vectors": level}
        schema = store.schema()
        assert schema is not None
        assert schema.settings.level == level
        back = replace(LEVEL_SCHEMA, settings=IndexSettings(FLOAT))
        if self.changes_level:
            store.ensure_index(back)
            assert store.schema() == back
            return
        if level != FLOAT:
            with pytest.raises(IndexMismatch, match=level):
                store.ensure_index(back)
        assert store.schema() == schema

    def test_an_index_made_before_levels_were_kept(self, prepared: Store) -> None:
        """A schema without settings is one of an index that compares vectors as they are."""
        assert "settings" not in self.peek_schema(prepared)
        schema = prepared.schema()
        assert schema is not None
        assert schema.settings.level == FLOAT


def _fill(store: Store) -> Vectors:
    """Documents around centres, each by the number of its row; each hundredth is from Chile."""
    centres = random_vectors(20, 31, LEVEL_DIM)
    vectors = unit_rows(centres[np.arange(COUNT) % 20] + 0.7 * random_vectors(COUNT, 32, LEVEL_DIM))
    documents = [
        StoredDocument(record(str(n), {"country": "Norway" if n % 100 else "Chile"}), vector)
        for n, vector in enumerate(vectors)
    ]
    with store.bulk_load():
        assert store.upsert(documents) == []
    return vectors


def _queries(vectors: Vectors) -> Vectors:
    """Some like pictures, beside stored ones; some like texts, in another cone."""
    noise, cone = random_vectors(6, 33, LEVEL_DIM), random_vectors(1, 34, LEVEL_DIM)
    pictures = vectors[:3] + 0.5 * noise[:3]
    texts = 0.3 * vectors[3:6] + 0.5 * noise[3:] + cone
    return unit_rows(np.concatenate([pictures, texts]))
