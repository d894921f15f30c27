"""How many of the nearest documents a search has found, from a sample of all documents.

hits, nearest first ─┐
sampled documents ───┴─► merged ─► estimated ranks ─► those up to k: found, missed

A sampled document that is no hit stands for 1 / share documents. Its rank is estimated as one more than the
hits before it and what the missed ones before it stand for. With a share of 1 ranks are true ones, and
found / (found + missed) is recall@k. With a small share it is the share that the hits have of the documents
at least as near as the last of them, which is recall where misses are spread over the ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

TOLERANCE = 1e-5
"""Of cosines in float32: documents as near as a hit are no better than it."""

Cosines: TypeAlias = npt.NDArray[np.float32]
Values: TypeAlias = npt.NDArray[np.float64]


class Nearest(NamedTuple):
    """The nearest sampled documents of a query, nearest first."""

    ids: Sequence[str]
    cosines: Cosines
    """Shape (n,)."""


class Found(NamedTuple):
    """What a search has found of the k nearest documents."""

    found: int
    missed: float
    """Estimated: sampled documents by what each stands for."""


def count_found(hits: Sequence[tuple[str, float]], nearest: Nearest, k: int, share: float) -> Found:
    """Compare hits, ids with scores, with the nearest of a sample that has this share of all documents."""
    true = dict(zip(nearest.ids, nearest.cosines.tolist(), strict=True))
    # of all documents, what is not among the nearest is not nearer than the last of them
    most = min(true.values(), default=1.0) if share == 1 and len(true) >= k else 1.0
    cosines = -np.sort([-true.get(id, min(score, most)) for id, score in hits])
    ids = {id for id, _ in hits}
    missed = -np.sort([-cosine for id, cosine in true.items() if id not in ids])
    if len(cosines) >= k:
        missed = missed[missed > cosines[k - 1] + TOLERANCE]
    hit_ranks = np.arange(1, len(cosines) + 1) + _count_above(missed, cosines + TOLERANCE) / share
    missed_ranks = 1 + _count_above(cosines, missed) + np.arange(len(missed)) / share
    return Found(int((hit_ranks[:k] <= k).sum()), float((missed_ranks <= k).sum() / share))


def _count_above(descending: Values, bounds: Values) -> Values:
    """How many of some values lie above each bound."""
    return np.searchsorted(-descending, -bounds, side="left").astype(np.float64)
