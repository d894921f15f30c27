"""How many vectors each shard of an engine considers for a search, and how many of them it scores again.

documents of a shard, k, level ─► considered ─► k, ef_search or num_candidates
                              └─► rescored   ─► by their float32 vectors, where the level is not float
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

from esclip._core.index_settings import BIT, FLOAT, INT8
from esclip._core.searches import KnnSearch

MAX_CANDIDATES = 10_000
"""The most neighbours of a shard that either engine takes."""
MIN_CANDIDATES = 600
"""The fewest that each shard considers. On 10,000 random vectors of 512 dimensions, which are the
hardest, recall@10 is 1.0 on both engines; with 200 it is 0.96."""
PER_ROOT = 20
"""Of a shard with n documents, so many times the root of n are considered, for texts: in a segment of 33,000,
600 find 0.89 of the ten nearest, 2,400 find 0.95. Pictures as queries need no more than the fewest."""
SHARE = 10
"""One in so many of them, where that is more: where k ln n > n, Lucene compares all n of a segment, so
that none are missed up to 110,000. Of 150,000 in a segment, even 10,000 find no more than 0.93."""
COMPARED_WHOLE = 110_000
"""Up to so many in a segment, these candidates have Lucene compare all."""


class Rescoring(NamedTuple):
    """How many of a shard's candidates are scored again by float32 vectors: each is a read of 2 kB."""

    least: int
    per_hit: int
    """So many times as many as hits are wanted."""
    percent: int
    """Of those considered."""


RESCORING = {FLOAT: Rescoring(0, 2, 100), INT8: Rescoring(200, 8, 12), BIT: Rescoring(600, 30, 40)}
"""The fewer bits a number has, the further off is its order. Scores of floats are right, of all."""


class Candidates(NamedTuple):
    """The numbers of a search in a shard."""

    considered: int
    rescored: int
    """The best of them."""


def count_candidates(shard_size: int) -> int:
    """How many vectors a shard with so many documents considers, where few hits are wanted of it."""
    by_size = max(isqrt(PER_ROOT**2 * shard_size), shard_size // SHARE)
    return min(MAX_CANDIDATES, max(MIN_CANDIDATES, by_size))


def choose_candidates(search: KnnSearch, level: str, shard_size: int) -> Candidates:
    """The numbers in a shard with so many documents; 0: it is not known how many it has."""
    least, per_hit, percent = RESCORING[level]
    wanted = search.candidates or max(count_candidates(shard_size), per_hit * search.k)
    considered = min(MAX_CANDIDATES, max(wanted, search.k))
    rescored = max(least, per_hit * search.k, percent * considered // 100)
    return Candidates(considered, min(considered, rescored))
