"""What a store is asked to find."""

from __future__ import annotations

from dataclasses import dataclass

from esclip._conditions import Condition
from esclip._types import Vector

__all__ = ["Search"]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The `k` documents nearest to a vector among those that fulfil all conditions."""

    vector: Vector
    """Of unit length, shape (dim,)."""
    k: int
    where: tuple[Condition, ...] = ()
