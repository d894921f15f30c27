"""What a score says in an index: what sentences that no picture shows score there.

Calibration ─► NullScores   of one group of languages
                ├─ of all pictures   ─► percentile
                └─ of the best ones  ─► relevance

The best that a meaningless sentence finds grows with the index: more pictures, more chances. So does the
best of a good query, but from another height.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import NormalDist
from typing import Any

__all__ = ["MATCHES", "PERCENTS", "Calibration", "NullScores"]

PERCENTS = (0.0, 5.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 100.0)
"""Where the background's quantiles are taken: hits are in the upper tail."""

MATCHES = 0.5
"""The relevance from which on a hit is taken for more than chance."""

MIDPOINT_DEVIATIONS = 2.0
"""Standard deviations above the mean of the best scores that have it: chance leads there once in 44."""

LEAST_DEVIATION = 0.005
"""Of scores that are all alike, or nearly: the few sentences don't tell it closer."""

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class NullScores:
    """What meaningless sentences of one group of languages score in an index."""

    group: str
    """As `_core.null_queries.group_of` names it."""
    quantiles: tuple[float, ...]
    """Of their cosines with pictures, at `PERCENTS`."""
    mean: float
    """Of the best score that each finds in the whole index."""
    deviation: float
    """The standard deviation of these best scores."""

    @classmethod
    def of(cls, group: str, quantiles: Sequence[float], mean: float, deviation: float) -> NullScores:
        """With numbers as they are kept."""
        quantiles = tuple(round(float(one), DECIMALS) for one in quantiles)
        return cls(group, quantiles, round(mean, DECIMALS), round(deviation, DECIMALS))

    def relevance(self, score: float) -> float:
        """How sure it is that a score is no chance find: near 0 for what meaningless sentences find too."""
        return 0.5 * (1 + math.erf((self._deviations(score) - MIDPOINT_DEVIATIONS) / math.sqrt(2)))

    def least_score(self, relevance: float) -> float:
        """The score that has a relevance, which is below 1."""
        above = NormalDist().inv_cdf(relevance) if relevance > 0 else -math.inf
        return self.mean + (MIDPOINT_DEVIATIONS + above) * self._floored

    def percentile(self, score: float) -> float:
        """How many of a hundred pictures score less for a meaningless sentence."""
        at = bisect_left(self.quantiles, score)
        if at == 0:
            return PERCENTS[0]
        if at == len(self.quantiles):
            return PERCENTS[-1]
        low, high = self.quantiles[at - 1 : at + 1]
        return PERCENTS[at - 1] + (PERCENTS[at] - PERCENTS[at - 1]) * (score - low) / (high - low)

    def _deviations(self, score: float) -> float:
        return (score - self.mean) / self._floored

    @property
    def _floored(self) -> float:
        return max(self.deviation, LEAST_DEVIATION)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The backgrounds of an index, as it was when they were measured."""

    text_model: str
    """The text tower that the sentences went through."""
    documents: int
    """How many the index had."""
    backgrounds: tuple[NullScores, ...]

    def background(self, group: str, text_model: str) -> NullScores | None:
        """That of a group of languages; None for another text tower, wherever this one lies on disk."""
        if not self.is_of(text_model):
            return None
        return next((one for one in self.backgrounds if one.group == group), None)

    def is_of(self, text_model: str) -> bool:
        """Whether it was measured with this text tower, wherever that lies on disk."""
        return PurePath(self.text_model).name == PurePath(text_model).name

    def to_json(self) -> dict[str, Any]:
        """The calibration as stores keep it."""
        backgrounds = {
            one.group: {"quantiles": list(one.quantiles), "mean": one.mean, "deviation": one.deviation}
            for one in self.backgrounds
        }
        return {"text_model": self.text_model, "documents": self.documents, "backgrounds": backgrounds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration | None:
        """The calibration that `to_json` wrote; None for one with other quantiles, which is measured anew.

        Raises `KeyError`, `TypeError` or `ValueError` on others.
        """
        backgrounds = tuple(
            NullScores.of(group, one["quantiles"], float(one["mean"]), float(one["deviation"]))
            for group, one in sorted(data["backgrounds"].items())
        )
        if any(len(one.quantiles) != len(PERCENTS) for one in backgrounds):
            return None
        for one in backgrounds:
            numbers = (*one.quantiles, one.mean, one.deviation)
            if not all(map(math.isfinite, numbers)) or list(one.quantiles) != sorted(one.quantiles):
                raise ValueError("a background without numbers that rise")
        text_model, documents = data["text_model"], data["documents"]
        if not isinstance(text_model, str) or type(documents) is not int:
            raise TypeError("a calibration of nothing")
        return cls(text_model, documents, backgrounds)
