"""Keyword scores: the idf weights of words, and the score of a document that has some of them.

Pure functions; `KeywordSearch` has the formula.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from esclip._core.types import Hit, ScoreDetail


def idf_weights(
    words: Sequence[str], document_frequencies: Sequence[int], documents: int
) -> dict[str, float]:
    """The weight of each word, which so many of all documents have; the weights sum to 1."""
    weights = [math.log(1 + (documents - n + 0.5) / (n + 0.5)) for n in document_frequencies]
    total = sum(weights)
    return {word: weight / total for word, weight in zip(words, weights, strict=True)}


def score_hit(hit: Hit, weights: Mapping[str, float], words: Collection[str]) -> Hit:
    """The hit with score and explanation, for a document that has `words`."""
    details = tuple(
        ScoreDetail(word, weight, 1.0, None, weight) for word, weight in weights.items() if word in words
    )
    return replace(hit, score=sum(detail.adds for detail in details), explanation=details)
