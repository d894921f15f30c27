"""What words weigh, and the hit of a document that has some of them: see `KeywordSearch`. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from esclip._core.types import Hit, ScoreDetail

__all__ = ["idf_weights", "score_hit"]


def idf_weights(words: Sequence[str], holders: Sequence[int], documents: int) -> dict[str, float]:
    """What each word weighs when `holders` of all documents have it; together they weigh 1."""
    weights = [math.log(1 + (documents - n + 0.5) / (n + 0.5)) for n in holders]
    whole = sum(weights)
    return {word: weight / whole for word, weight in zip(words, weights, strict=True)}


def score_hit(hit: Hit, weights: Mapping[str, float], held: Collection[str]) -> Hit:
    """The hit with the share of the weight that a document with the words `held` has, and why."""
    why = tuple(
        ScoreDetail(word, weight, 1.0, None, weight) for word, weight in weights.items() if word in held
    )
    return replace(hit, score=sum(one.adds for one in why), explanation=why)
