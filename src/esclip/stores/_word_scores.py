"""What words weigh, and the score of a document that has some of them: see `Matching`. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

__all__ = ["word_score", "word_weights"]


def word_weights(words: Sequence[str], holders: Sequence[int], documents: int) -> dict[str, float]:
    """What each word weighs when `holders` of all documents have it; together they weigh 1."""
    weights = [math.log(1 + (documents - n + 0.5) / (n + 0.5)) for n in holders]
    whole = sum(weights)
    return {word: weight / whole for word, weight in zip(words, weights, strict=True)}


def word_score(weights: Mapping[str, float], held: Collection[str]) -> float:
    """The share of the weight that a document with the words `held` has."""
    return sum(weight for word, weight in weights.items() if word in held)
