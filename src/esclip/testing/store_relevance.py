"""What every store promises of relevance: it remembers what scores say in its index, and hits have it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from esclip import ImageIndex, open_index
from esclip._core.calibration import PERCENTS, Calibration, NullScores
from esclip._core.null_queries import script_of
from esclip._core.schema import IndexSchema, Space
from esclip._core.types import StoredDocument, Vectors, unit_rows
from esclip._ingest.calibration import calibrate
from esclip._protocols import Store
from esclip.encoders.palette import PaletteEncoder
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import SCHEMA, random_vectors, record
from esclip.testing.store_case import StoreCase

DIM = 64


class KnownEncoder(PaletteEncoder):
    """Knows what `thing 7` looks like; other texts point anywhere, Chinese ones more to pictures."""

    def __init__(self, text_model: str = "known") -> None:
        self.text_model = text_model
        self.asked = 0

    @property
    def space(self) -> Space:
        """Named by its text model."""
        return Space("known", self.text_model, "known-1", "none", DIM)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Count the call, and encode."""
        self.asked += 1
        return unit_rows(np.stack([self._row(text) for text in texts]))

    def _row(self, text: str) -> Vectors:
        if text.startswith("thing "):
            return np.asarray(things()[int(text.split()[1])])
        (row,) = random_vectors(1, zlib.crc32(text.encode()), DIM)
        return np.asarray(row + (1.0 if script_of(text) == "han" else 0.0) * things().mean(axis=0))


def things() -> Vectors:
    """What ten things look like, each in its way, and all a little alike."""
    return unit_rows(random_vectors(10, 61, DIM) + 0.6 * random_vectors(1, 62, DIM))


def pictures(n: int) -> list[StoredDocument]:
    """Pictures of these things."""
    rows = unit_rows(np.stack([things()[i % 10] for i in range(n)]) + 0.8 * random_vectors(n, 63, DIM))
    return [StoredDocument(record(f"{i:04}", description="a thing"), row) for i, row in enumerate(rows)]


def measured(store: Store, encoder: KnownEncoder, n: int = 200) -> ImageIndex:
    """An index of so many pictures in the store, which has measured what scores say."""
    store.ensure_index(IndexSchema(encoder.space))
    with store.bulk_load():
        assert store.upsert(pictures(n)) == []
    calibrate(store, encoder)
    return open_index(store, encoder=encoder)


def calibration(documents: int = 100, mean: float = 0.25) -> Calibration:
    """A calibration of two scripts, one of them without deviation."""
    quantiles = tuple(round(0.01 * percent / 4, 4) for percent in PERCENTS)
    groups = (NullScores("han", quantiles, mean, 0.02), NullScores("latin", quantiles, mean, 0.0))
    return Calibration("text", documents, groups)


class StoreRelevance(StoreCase):
    """An index that knows what its scores say."""

    def test_an_index_remembers_its_calibration(self, store: Store) -> None:
        """The newest one that it was prepared with; without, it stays, and so does all else."""
        store.ensure_index(replace(SCHEMA, runtimes=("torch",)))
        assert "calibration" not in self.peek_schema(store)
        for one in (calibration(), calibration(200), calibration(100, -0.0301)):
            store.ensure_index(IndexSchema(SCHEMA.space, calibration=one))
            store.ensure_index(SCHEMA)
            assert store.schema() == replace(SCHEMA, runtimes=("torch",), calibration=one)
        assert self.peek_schema(store)["calibration"]["documents"] == 100

    def test_a_calibration_of_another_kind(self, prepared: Store) -> None:
        """One with other quantiles is read as none."""
        kept = dict(replace(SCHEMA, calibration=calibration()).to_json())
        kept["calibration"]["backgrounds"]["han"]["quantiles"] = [0.1, 0.2]
        self.plant_schema(prepared, kept | {"order": [field.name for field in SCHEMA.fields]})
        assert prepared.schema() == SCHEMA

    def test_relevance_agrees_with_memory(self, store: Store) -> None:
        """What was measured, and the relevance of hits, are those of the in-memory store."""
        index, oracle = measured(store, KnownEncoder()), measured(MemoryStore("oracle"), KnownEncoder())
        for query in ("thing 3", "a word that means nothing", "什么也不是"):
            found, expected = index.search_text(query), oracle.search_text(query)
            assert found.matched is expected.matched is (query == "thing 3")
            assert [hit.id for hit in found] == [hit.id for hit in expected]
            for name in ("relevance", "percentile"):
                values, true = ([getattr(hit, name) for hit in hits] for hits in (found, expected))
                np.testing.assert_allclose(values, true, atol=0.02)
        sure = index.search_text("thing 3", 100, min_relevance=0.5)
        assert 15 <= len(sure) <= 25
        assert sum(hit.id.endswith("3") for hit in sure) >= 15
