"""Measures what scores say in an index, at the end of an ingest.

sentences ─► vectors ─┬─► cosines with a sample of pictures ─► quantiles     ┐
                      └─► the best that each finds ─► mean, deviation        ├─ Calibration ─► Store
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from esclip._core.calibration import PERCENTS, Calibration, NullScores
from esclip._core.null_queries import NULL_QUERIES
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import KnnSearch, Scan
from esclip._core.settings import CALIBRATED_FROM
from esclip._core.types import Vectors
from esclip._protocols import Encoder, Store
from esclip.stores.paged_reads import iter_documents

__all__ = ["calibrate"]

log = logging.getLogger("esclip")

SAMPLE = 1024
"""Pictures. Ids are made at random, or are hashes: the first ones by id are as good as any."""

GROWTH_FACTOR = 2
"""How many times the pictures have to be more, or fewer, to measure again."""


def calibrate(store: Store, encoder: Encoder, on_start: Callable[[], None] = lambda: None) -> None:
    """Measure and keep the index's calibration, where it has none or has outgrown it.

    `on_start` is called before it is measured. What goes wrong is told in the log, and is no reason for an
    ingest to fail: hits are found without it.
    """
    try:
        info = store.info()
        if info is not None and _is_due(info, encoder.space.text_model):
            on_start()
            measured = _measured(store, encoder, info.documents)
            store.ensure_index(IndexSchema(info.schema.space, calibration=measured))
    except Exception as error:
        log.warning("hits of index %s get no relevance until the next ingest: %s", store.index, error)


def _is_due(info: IndexInfo, text_model: str) -> bool:
    held = info.schema.calibration
    if info.documents < CALIBRATED_FROM:
        return False
    if held is None or not held.is_for(text_model):
        return True
    return not held.documents / GROWTH_FACTOR < info.documents < held.documents * GROWTH_FACTOR


def _measured(store: Store, encoder: Encoder, documents: int) -> Calibration:
    (listed,) = store.search(Scan(SAMPLE))
    pictures = np.stack([one.vector for one in iter_documents(store, [hit.id for hit in listed])])
    groups = sorted(NULL_QUERIES)
    texts = encoder.encode_texts([text for group in groups for text in NULL_QUERIES[group]])
    best = _best_scores(store, texts)
    ends = np.cumsum([len(NULL_QUERIES[group]) for group in groups])[:-1]
    parts = zip(groups, np.split(texts, ends), np.split(best, ends), strict=True)
    backgrounds = tuple(_background(group, rows, pictures, scores) for group, rows, scores in parts)
    return Calibration(encoder.space.text_model, documents, backgrounds)


def _best_scores(store: Store, texts: Vectors) -> Vectors:
    """The best score of each row in the whole index, shape (n,); equal rows are searched for once."""
    distinct, at = np.unique(texts, axis=0, return_inverse=True)
    found = store.search(*(KnnSearch(row, 1, scores_only=True) for row in distinct))
    scores = np.array([hits[0].score for hits in found])
    return scores[at.reshape(-1)]


def _background(group: str, texts: Vectors, pictures: Vectors, best: Vectors) -> NullScores:
    quantiles = np.percentile(texts @ pictures.T, PERCENTS)
    return NullScores.of(group, quantiles.tolist(), float(best.mean()), float(best.std(ddof=1)))
