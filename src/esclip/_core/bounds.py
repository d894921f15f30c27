"""The numbers that a user gives, and from where to where each may go: told in the help and in the error."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

__all__ = [
    "BATCH_SIZES",
    "BODIES_MIB",
    "COSINES",
    "HYBRID_WEIGHTS",
    "KS",
    "LIMITS",
    "MAX_WEIGHT",
    "OFFSETS",
    "PORTS",
    "RELEVANCES",
    "SHARES",
    "THRESHOLDS",
    "WEIGHTS",
    "WINDOWS",
    "WORKERS",
    "Bounds",
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers from `least` to `most`, both included; whole ones if these are."""

    least: float
    most: float

    def check(self, name: str, number: float) -> None:
        """Raise a `ValueError` that names the setting and its bounds where the number isn't within them."""
        kind: type = Integral if isinstance(self.most, int) else Real
        if not isinstance(number, kind) or not self.least <= number <= self.most:
            wanted = "a whole number" if kind is Integral else "a number"
            raise ValueError(f"{name} is {number!r}, not {wanted} from {self.least:,} to {self.most:,}")


KS = Bounds(1, 1_000_000)
"""Hits of one search, all of which are in memory."""

OFFSETS = Bounds(0, 1_000_000_000)
WINDOWS = Bounds(1, 1_000_000)
LIMITS = Bounds(1, 1_000_000_000)

BATCH_SIZES = Bounds(1, 4096)
"""Pictures in a forward pass: 0.6 GB as pixels, and several batches are under way."""

WORKERS = Bounds(1, 256)

MAX_WEIGHT = 1000.0
WEIGHTS = Bounds(-MAX_WEIGHT, MAX_WEIGHT)
"""Of a query's part. What weighs a thousand times as much as another one decides alone."""

HYBRID_WEIGHTS = Bounds(0.0, MAX_WEIGHT)
COSINES = Bounds(-1.0, 1.0)
THRESHOLDS = Bounds(0.01, 1.0)
"""Cosines from which on pictures count as alike; with a lower one all would."""

RELEVANCES = Bounds(0.0, 0.999)
SHARES = Bounds(0.0, 1.0)
PORTS = Bounds(0, 65_535)
BODIES_MIB = Bounds(1, 1024)
