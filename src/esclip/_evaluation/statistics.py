"""Means of metrics over queries: with an interval by the bootstrap, and a paired test of two systems.

    values of each query ─► summarize ─► Figure(mean, low, high)
    of two systems ───────► compare_systems ─► Difference(mean, low, high, p)
    found of all, a query ► summarize_shares ─► Figure

All are the same for the same values and seed. Smucker, Allan, Carterette: "A comparison of statistical
significance tests for information retrieval evaluation" (CIKM 2007) compares such tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
"""Of the intervals."""
Z = 1.959964
"""The normal deviate of that confidence."""
MAX_ROUNDS, MIN_ROUNDS = 10_000, 1_000
MAX_DRAWS = 100_000_000
"""Of all rounds together: of more than ten thousand queries, which have narrow intervals, there are fewer."""
DRAWS_AT_ONCE = 250_000
"""Some megabytes."""
TOLERANCE = 1e-12
"""Of sums in another order."""

Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries."""

    mean: float
    low: float
    """The lower end of the interval that has the mean of all such queries with 95 % confidence."""
    high: float
    """Its upper end."""

    def to_json(self) -> dict[str, Any]:
        """The figure as the command line prints it with `--json`."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean over queries of the second system's value less the first's."""

    mean: float
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """Its upper end."""
    p: float
    """How often a difference as large as this comes by chance where both are equally good: the share of
    random exchanges between both systems, query by query, that give one (two-sided)."""

    def to_json(self) -> dict[str, Any]:
        """The difference as the command line prints it with `--json`."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "p": self.p}


def summarize(values: Values, seed: int) -> list[Figure]:
    """A figure for each column; `values` is of shape (queries, metrics)."""
    means = values.mean(axis=0)
    lows, highs = _interval(values, seed)
    return [Figure(*map(float, figure)) for figure in zip(means, lows, highs, strict=True)]


def summarize_shares(found: Values, wanted: Values, trials: float) -> Figure:
    """The share that was found of all that was wanted, both of shape (queries,), in `trials` trials at most.

    The interval is Wilson's, of as many independent trials as vary as the queries do (Korn and Graubard,
    1998): the bootstrap's would have no width where all was found.
    """
    total = wanted.sum()
    share = float(found.sum() / total) if total else 1.0
    n = len(found)
    spread = float(((found - share * wanted) ** 2).sum() * n / max(1, n - 1) / total**2) if total else 0.0
    size = min(trials, share * (1 - share) / spread) if spread > TOLERANCE**2 else trials
    if size <= 0:
        return Figure(share, 0.0, 1.0)
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * ((share * (1 - share) + Z**2 / (4 * size)) / size) ** 0.5
    return Figure(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def compare_systems(first: Values, second: Values, seed: int) -> list[Difference]:
    """A difference for each column, of the same queries in the same order."""
    differences = second - first
    means = differences.mean(axis=0)
    lows, highs = _interval(differences, seed)
    p = _randomize(differences, seed)
    return [Difference(*map(float, difference)) for difference in zip(means, lows, highs, p, strict=True)]


def _interval(values: Values, seed: int) -> tuple[Values, Values]:
    """The percentile interval of the means, of queries drawn anew."""
    rng, n = np.random.default_rng(seed), len(values)
    drawn = [values[rng.integers(0, n, (rounds, n))].mean(axis=1) for rounds in _rounds(n)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail], axis=0)
    return low, high


def _randomize(differences: Values, seed: int) -> Values:
    """Fisher's randomisation test: the share of rounds with a mean at least as far from 0."""
    rng, n = np.random.default_rng(seed), len(differences)
    observed = np.abs(differences.sum(axis=0)) - TOLERANCE * n
    extreme = np.ones(differences.shape[1])  # what was observed is one of the ways to exchange
    for rounds in _rounds(n):
        signs = 2.0 * rng.integers(0, 2, (rounds, n)) - 1.0
        extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
    return extreme / (1 + sum(_rounds(n)))


def _rounds(n: int) -> Iterator[int]:
    """How many rounds to do, in parts that are computed at once."""
    left = max(MIN_ROUNDS, min(MAX_ROUNDS, MAX_DRAWS // n))
    part = max(1, DRAWS_AT_ONCE // n)
    while left > 0:
        yield min(part, left)
        left -= part
