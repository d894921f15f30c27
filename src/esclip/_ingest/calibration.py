"""Measures what an index's scores mean, at the end of an ingest.

sentences ─► vectors ─┬─► cosines with a sample of pictures ─► quantiles     ┐
                      └─► the best that each finds ─► mean, deviation        ├─ Calibration ─► Store
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from esclip._core.calibration import PERCENTS, Calibration, NullScores
from esclip._core.null_queries import NULL_QUERIES, NULL_TEXTS
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import KnnSearch, Scan
from esclip._core.settings import CALIBRATED_FROM
from esclip._core.types import Vectors
from esclip._protocols import Encoder, Store
from esclip.stores.paged_reads import iter_documents

log = logging.getLogger("esclip")

SAMPLE = 1024
"""Pictures. Ids are random, or hashes: the first by id are a random sample."""

GROWTH_FACTOR = 2
"""How many times the pictures have to be more, or fewer, to measure again."""


def calibrate(store: Store, encoder: Encoder, on_start: Callable[[], None] = lambda: None) -> None:
    """Measure and store the index's calibration, where it is missing or outdated.

    `on_start` is called before the measurement. Errors are logged, and fail no ingest: searches work without.
    """
    try:
        info = store.info()
        if info is not None and _is_due(info, encoder.space.text_model):
            on_start()
            calibration = _measure(store, encoder, info.documents)
            store.ensure_index(IndexSchema(info.schema.space, calibration=calibration))
    except Exception as error:
        log.warning("hits of index %r get no relevance until the next ingest: %s", store.index, error)


def _is_due(info: IndexInfo, text_model: str) -> bool:
    calibration = info.schema.calibration
    if info.documents < CALIBRATED_FROM:
        return False
    if calibration is None or not calibration.is_for(text_model):
        return True
    least, most = calibration.documents / GROWTH_FACTOR, calibration.documents * GROWTH_FACTOR
    return not least < info.documents < most


def _measure(store: Store, encoder: Encoder, documents: int) -> Calibration:
    (hits,) = store.search(Scan(SAMPLE))
    sample = iter_documents(store, [hit.id for hit in hits])
    pictures = np.stack([document.vector for document in sample])
    scripts = sorted(NULL_QUERIES)
    texts = encoder.encode_texts(NULL_TEXTS)
    best = _best_scores(store, texts)
    ends = np.cumsum([len(NULL_QUERIES[script]) for script in scripts])[:-1]
    parts = zip(scripts, np.split(texts, ends), np.split(best, ends), strict=True)
    null_scores = tuple(_null_scores(script, rows, pictures, scores) for script, rows, scores in parts)
    return Calibration(encoder.space.text_model, documents, null_scores)


def _best_scores(store: Store, texts: Vectors) -> Vectors:
    """The best score of each row in the whole index, shape (n,); equal rows are searched once."""
    distinct, positions = np.unique(texts, axis=0, return_inverse=True)
    results = store.search(*(KnnSearch(row, 1, scores_only=True) for row in distinct))
    scores = np.array([hits[0].score for hits in results])
    return scores[positions.reshape(-1)]


def _null_scores(script: str, texts: Vectors, pictures: Vectors, best: Vectors) -> NullScores:
    quantiles = np.percentile(texts @ pictures.T, PERCENTS)
    return NullScores.of(script, quantiles.tolist(), float(best.mean()), float(best.std(ddof=1)))
