"""Calibration: what null queries score in an index, and so what the score of a hit says.

Calibration ─► NullScores    of the null queries of one script
                ├─ quantiles of all cosines       ─► percentile of a score
                └─ mean, deviation of the best ones ─► relevance of a score

The best score of a null query grows with the index: more pictures, more chances. So does that of a good
query, at a higher level.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import NormalDist
from typing import Any

PERCENTS = (0.0, 5.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 100.0)
"""Where the quantiles are taken: dense in the upper tail, where hits are."""

MATCH_RELEVANCE = 0.5
"""The lowest relevance of a hit that counts as a match."""

MIDPOINT_DEVIATIONS = 2.0
"""Standard deviations above the mean of the best null scores where the relevance is 0.5: by chance once
in 44 queries."""

MIN_DEVIATION = 0.005
"""Floor of the standard deviation, where null scores are nearly equal: few queries estimate it no better."""

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class NullScores:
    """What the null queries of one script score in an index."""

    script: str
    """As `_core.null_queries.script_of` names it."""
    quantiles: tuple[float, ...]
    """Of their cosines with a sample of pictures, at `PERCENTS`."""
    mean: float
    """Of the best score of each query in the whole index."""
    deviation: float
    """Standard deviation of these best scores."""

    @classmethod
    def of(cls, script: str, quantiles: Sequence[float], mean: float, deviation: float) -> NullScores:
        """With numbers rounded as they are stored."""
        quantiles = tuple(round(float(quantile), DECIMALS) for quantile in quantiles)
        return cls(script, quantiles, round(mean, DECIMALS), round(deviation, DECIMALS))

    def relevance(self, score: float) -> float:
        """In [0, 1]: how far a score lies above the best null scores; near 0 within these."""
        deviations = (score - self.mean) / self._floored_deviation
        return 0.5 * (1 + math.erf((deviations - MIDPOINT_DEVIATIONS) / math.sqrt(2)))

    def min_score(self, relevance: float) -> float:
        """The score that has a relevance, which is below 1: the inverse of `relevance`."""
        deviations = NormalDist().inv_cdf(relevance) if relevance > 0 else -math.inf
        return self.mean + (MIDPOINT_DEVIATIONS + deviations) * self._floored_deviation

    def percentile(self, score: float) -> float:
        """The percentage of pictures that score less for a null query."""
        upper = bisect_left(self.quantiles, score)
        if upper == 0:
            return PERCENTS[0]
        if upper == len(self.quantiles):
            return PERCENTS[-1]
        low, high = self.quantiles[upper - 1 : upper + 1]
        below, above = PERCENTS[upper - 1 : upper + 1]
        return below + (above - below) * (score - low) / (high - low)

    @property
    def _floored_deviation(self) -> float:
        return max(self.deviation, MIN_DEVIATION)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The null scores of an index, as they were when they were measured."""

    text_model: str
    """The text tower that encoded the null queries."""
    documents: int
    """The size of the index then."""
    null_scores: tuple[NullScores, ...]
    """One for each script."""

    def null_scores_for(self, script: str, text_model: str) -> NullScores | None:
        """Those of a script; None for another text tower."""
        if not self.is_for(text_model):
            return None
        return next((scores for scores in self.null_scores if scores.script == script), None)

    def is_for(self, text_model: str) -> bool:
        """Whether it was measured with this text tower, wherever its folder lies."""
        return PurePath(self.text_model).name == PurePath(text_model).name

    def to_json(self) -> dict[str, Any]:
        """The calibration as stores keep it."""
        backgrounds = {
            scores.script: {
                "quantiles": list(scores.quantiles),
                "mean": scores.mean,
                "deviation": scores.deviation,
            }
            for scores in self.null_scores
        }
        return {"text_model": self.text_model, "documents": self.documents, "backgrounds": backgrounds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration | None:
        """The calibration that `to_json` wrote; None for one with other quantiles, which is measured anew.

        Raises `KeyError`, `TypeError` or `ValueError` on invalid data.
        """
        null_scores = tuple(
            NullScores.of(script, stored["quantiles"], float(stored["mean"]), float(stored["deviation"]))
            for script, stored in sorted(data["backgrounds"].items())
        )
        if any(len(scores.quantiles) != len(PERCENTS) for scores in null_scores):
            return None
        for scores in null_scores:
            numbers = (*scores.quantiles, scores.mean, scores.deviation)
            if not all(map(math.isfinite, numbers)) or list(scores.quantiles) != sorted(scores.quantiles):
                raise ValueError("null scores without numbers that rise")
        text_model, documents = data["text_model"], data["documents"]
        if not isinstance(text_model, str) or type(documents) is not int:
            raise TypeError("a calibration without text model or number of documents")
        return cls(text_model, documents, null_scores)


def merge_calibrations(calibrations: Sequence[Calibration | None]) -> Calibration | None:
    """The calibration of several indexes that are searched as one; None where one has none, or of another
    text tower.

    The best score of a null query is taken for independent from index to index.
    """
    known = [one for one in calibrations if one is not None]
    if (
        not known
        or len(known) < len(calibrations)
        or not all(one.is_for(known[0].text_model) for one in known)
    ):
        return None
    merged = known[0]
    for other in known[1:]:
        sizes = (merged.documents, other.documents)
        pairs = [
            (scores, theirs)
            for scores in merged.null_scores
            if (theirs := other.null_scores_for(scores.script, other.text_model))
        ]
        null_scores = tuple(_merge_null_scores(*pair, *sizes) for pair in pairs)
        merged = Calibration(merged.text_model, sum(sizes), null_scores)
    return merged


def _merge_null_scores(one: NullScores, other: NullScores, size: int, other_size: int) -> NullScores:
    """Quantiles of the mixture, and the larger of two best scores.

    Mean and variance of the larger of two normal variables: C. E. Clark, "The greatest of a finite set of
    random variables", Operations Research 9 (1961), equations 2 to 4.
    """
    variances = one.deviation**2, other.deviation**2
    spread = math.sqrt(sum(variances)) or MIN_DEVIATION
    normal, alpha = NormalDist(), (one.mean - other.mean) / spread
    above, below, density = normal.cdf(alpha), normal.cdf(-alpha), normal.pdf(alpha)
    mean = one.mean * above + other.mean * below + spread * density
    square = (one.mean**2 + variances[0]) * above + (other.mean**2 + variances[1]) * below
    square += (one.mean + other.mean) * spread * density
    deviation = math.sqrt(max(square - mean**2, 0.0))
    return NullScores.of(one.script, _mix_quantiles(one, other, size, other_size), mean, deviation)


def _mix_quantiles(one: NullScores, other: NullScores, size: int, other_size: int) -> list[float]:
    """The quantiles of all cosines of two indexes of these sizes."""
    scores = sorted({*one.quantiles, *other.quantiles})
    whole = max(size + other_size, 1)
    percents = [(size * one.percentile(s) + other_size * other.percentile(s)) / whole for s in scores]
    quantiles = []
    for percent in PERCENTS:
        upper = min(bisect_left(percents, percent), len(scores) - 1)
        lower = max(upper - 1, 0)
        width = percents[upper] - percents[lower]
        share = (percent - percents[lower]) / width if width > 0 else 1.0
        quantiles.append(scores[lower] + (scores[upper] - scores[lower]) * min(max(share, 0.0), 1.0))
    return quantiles
