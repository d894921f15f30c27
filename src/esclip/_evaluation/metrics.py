"""Metrics of one ranking: numbers from 0 to 1, by the gains of the documents that were judged.

    ids, best first; gains by id ─► score_ranking ─► a number for each of METRICS

A document is relevant where its gain is above 0; one without a judgement counts as not relevant. Of an id
that comes several times, the first counts. Equal to ranx and trec_eval where gains are whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

TOP, DEPTH = 10, 100
"""How many hits nDCG and judged look at, and how many MRR and recall."""

Gains: TypeAlias = Mapping[str, float]


def ndcg(ids: Sequence[str], gains: Gains) -> float:
    """Normalised discounted cumulative gain of the first ten, by Järvelin and Kekäläinen (2002)."""
    ideal = _discount(islice(sorted(gains.values(), reverse=True), TOP))
    return _discount(gains.get(id, 0.0) for id in ids[:TOP]) / ideal if ideal > 0 else 0.0


def _discount(gains: Iterable[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def reciprocal_rank(ids: Sequence[str], gains: Gains) -> float:
    """1 divided by the rank of the first relevant document; 0 where none is among the first hundred."""
    return next((1 / rank for rank, id in enumerate(ids[:DEPTH], 1) if gains.get(id, 0.0) > 0), 0.0)


def recall(ids: Sequence[str], gains: Gains) -> float:
    """The share of the relevant documents that are among the first hundred."""
    relevant = {id for id, gain in gains.items() if gain > 0}
    return len(relevant.intersection(ids[:DEPTH])) / len(relevant) if relevant else 0.0


def judged(ids: Sequence[str], gains: Gains) -> float:
    """The share of the first ten, or of all where they are fewer, that have a judgement."""
    top = ids[:TOP]
    return sum(id in gains for id in top) / len(top) if top else 0.0


METRICS: Mapping[str, Callable[[Sequence[str], Gains], float]] = {
    f"ndcg@{TOP}": ndcg,
    "mrr": reciprocal_rank,
    f"recall@{DEPTH}": recall,
    f"judged@{TOP}": judged,
}
"""By the names that ranx and ir-measures have for them."""


def score_ranking(ids: Iterable[str], gains: Gains) -> tuple[float, ...]:
    """Each of `METRICS`, in their order."""
    ranking = list(dict.fromkeys(ids))
    return tuple(metric(ranking, gains) for metric in METRICS.values())
