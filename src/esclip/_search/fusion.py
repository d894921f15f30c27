"""Reciprocal rank fusion: several rankings of one query become one.

hits by vector ───┐   rank of each candidate in each ranking
hits by keyword ──┴─► sum of weight / (60 + rank) ─► best first

hits of pictures ─┐
hits of texts ────┴─► the same of two kinds of documents: `fuse_kinds`

Cormack, Clarke, Büttcher, SIGIR 2009, found a rank constant of 60 to do well. Keyword scores are often equal,
since many documents have the same words. Among these, the cosine decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from esclip._core.analysis import analyze_document
from esclip._core.types import Hit, ScoreDetail

RANK_CONSTANT = 60
"""The larger, the less the first ranks stand out."""

TieBreak: TypeAlias = Callable[[str], tuple[float, str]]
"""Sort key of an id among equal scores: the rank by cosine, then the id."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The hits of one search, best first, and its weight in the fusion."""

    name: str
    weight: float
    hits: Sequence[Hit]


def reciprocal_rank_fusion(vector: Ranking | None, keyword: Sequence[Ranking]) -> list[Hit]:
    """All hits of the rankings, each once, best first, with `explanation`.

    Scores are the cosines of the vector ranking, NaN for hits that it lacks; without one, the keyword scores
    averaged by weight.
    """
    candidates = {hit.id: hit for ranking in keyword for hit in ranking.hits}
    candidates |= {hit.id: hit for hit in vector.hits} if vector else {}
    nearest = sorted(vector.hits if vector else (), key=_distance)
    vector_ranks = {hit.id: rank for rank, hit in enumerate(nearest)}

    def tie_break(id: str) -> tuple[float, str]:
        return vector_ranks.get(id, math.inf), id

    rankings = [vector] if vector else []
    rankings += [_complete(ranking, candidates, tie_break) for ranking in keyword]
    totals = dict.fromkeys(candidates, 0.0)
    explanations: dict[str, list[ScoreDetail]] = {id: [] for id in candidates}
    for ranking in rankings:
        ranks = {hit.id: (rank, hit) for rank, hit in enumerate(ranking.hits, start=1)}
        for id in candidates:
            rank, hit = ranks.get(id, (None, None))
            adds = ranking.weight / (RANK_CONSTANT + rank) if rank else 0.0
            detail = ScoreDetail(ranking.name, ranking.weight, hit.score if hit else None, rank, adds)
            explanations[id] += [detail, *(hit.explanation if hit else ())]
            totals[id] += adds
    scores = {hit.id: hit.score for hit in vector.hits} if vector else _average_scores(rankings)
    best = sorted(candidates, key=lambda id: (-totals[id], *tie_break(id)))
    return [
        replace(
            candidates[id], rank=rank, score=scores.get(id, math.nan), explanation=tuple(explanations[id])
        )
        for rank, id in enumerate(best, start=1)
    ]


def fuse_kinds(*rankings: Ranking) -> list[Hit]:
    """The hits of several kinds of documents, best first by their ranks among their kind.

    A score stays what it is: it says nothing against one of another kind. Among equal ranks, the kind that is
    given first comes first.
    """
    fused: list[tuple[float, int, Hit]] = []
    for number, ranking in enumerate(rankings):
        for rank, hit in enumerate(ranking.hits, start=1):
            adds = ranking.weight / (RANK_CONSTANT + rank)
            detail = ScoreDetail(ranking.name, ranking.weight, hit.score, rank, adds)
            fused.append((-adds, number, replace(hit, explanation=(*hit.explanation, detail))))
    fused.sort(key=lambda each: each[:2])
    return [replace(hit, rank=rank) for rank, (*_, hit) in enumerate(fused, start=1)]


def _distance(hit: Hit) -> tuple[float, str]:
    """Sorts by cosine; hits by caption alone have none, are farther than those, and keep their order."""
    return (math.inf, "") if math.isnan(hit.score) else (-hit.score, hit.id)


def _complete(ranking: Ranking, candidates: Mapping[str, Hit], tie_break: TieBreak) -> Ranking:
    """Adds the candidates by vector that have the keywords too, but were cut off from the ranking."""
    hits = {hit.id: hit for hit in ranking.hits}
    word_details = {detail.part: detail for hit in ranking.hits for detail in hit.explanation}
    for id in candidates.keys() - hits.keys() if word_details else ():
        words = analyze_document(candidates[id].description, candidates[id].metadata)
        explanation = tuple(detail for word, detail in word_details.items() if word in words)
        if explanation:
            score = sum(detail.adds for detail in explanation)
            hits[id] = replace(candidates[id], score=score, explanation=explanation)
    ordered = sorted(hits.values(), key=lambda hit: (-round(hit.score, 9), *tie_break(hit.id)))
    return replace(ranking, hits=ordered)


def _average_scores(rankings: Sequence[Ranking]) -> dict[str, float]:
    total_weight = sum(ranking.weight for ranking in rankings)
    scores: dict[str, float] = {}
    for ranking in rankings:
        for hit in ranking.hits:
            scores[hit.id] = scores.get(hit.id, 0.0) + ranking.weight * hit.score / total_weight
    return scores
