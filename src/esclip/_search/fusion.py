"""One ranking of several: by vector, and by words that stand in what is written about pictures.

nearest to the vector ─┐    each candidate's rank in each ranking
having the words      ─┴─►  sum of weight / (60 + rank)  ─► the best first

Reciprocal rank fusion: Cormack, Clarke, Büttcher, SIGIR 2009, which found 60 to do well. Many documents have
the same words, and are alike to a search by words: among them the nearer ones come first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from esclip._core.analysis import analyze_document
from esclip._core.types import Hit, ScoreDetail

__all__ = ["Ranking", "reciprocal_rank_fusion"]

RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best hits of one search, and how much it counts."""

    name: str
    weight: float
    hits: Sequence[Hit]


def reciprocal_rank_fusion(near: Ranking | None, matching: Sequence[Ranking]) -> list[Hit]:
    """All hits of the rankings, the best first, each once, with `why`.

    Scores are the cosines where there is a ranking by vector, NaN for those found by words alone; else the
    shares of the words, averaged by weight.
    """
    candidates = {hit.id: hit for ranking in matching for hit in ranking.hits}
    cosines: dict[str, float] = {}
    if near is not None:
        candidates |= {hit.id: hit for hit in near.hits}
        cosines = {hit.id: hit.score for hit in near.hits}
    rankings = [near] if near else []
    rankings += [_completed(ranking, candidates, cosines) for ranking in matching]
    totals = dict.fromkeys(candidates, 0.0)
    why: dict[str, list[ScoreDetail]] = {id: [] for id in candidates}
    for ranking in rankings:
        ranks = {hit.id: (rank, hit) for rank, hit in enumerate(ranking.hits, start=1)}
        for id in candidates:
            rank, hit = ranks.get(id, (None, None))
            adds = ranking.weight / (RANK_CONSTANT + rank) if rank else 0.0
            totals[id] += adds
            score = hit.score if hit else None
            why[id] += [
                ScoreDetail(ranking.name, ranking.weight, score, rank, adds),
                *(hit.explanation if hit else ()),
            ]
    best = sorted(candidates, key=lambda id: (-totals[id], -cosines.get(id, -1.0), id))
    scores = cosines if near is not None else _shares(rankings)
    return [
        replace(candidates[id], rank=rank, score=scores.get(id, math.nan), explanation=tuple(why[id]))
        for rank, id in enumerate(best, start=1)
    ]


def _completed(ranking: Ranking, candidates: Mapping[str, Hit], cosines: Mapping[str, float]) -> Ranking:
    """With the candidates by vector that have the words as well; of those with the same, the nearer first."""
    found = {hit.id: hit for hit in ranking.hits}
    weights = {one.part: one for hit in ranking.hits for one in hit.explanation}
    for id in candidates.keys() - found.keys():
        held = analyze_document(candidates[id].description, candidates[id].metadata)
        why = tuple(one for word, one in weights.items() if word in held)
        if why:
            found[id] = replace(candidates[id], score=sum(one.adds for one in why), explanation=why)
    ordered = sorted(
        found.values(), key=lambda hit: (-round(hit.score, 9), -cosines.get(hit.id, -1.0), hit.id)
    )
    return replace(ranking, hits=ordered)


def _shares(rankings: Sequence[Ranking]) -> dict[str, float]:
    whole = sum(ranking.weight for ranking in rankings)
    shares: dict[str, float] = {}
    for ranking in rankings:
        for hit in ranking.hits:
            shares[hit.id] = shares.get(hit.id, 0.0) + ranking.weight * hit.score / whole
    return shares
