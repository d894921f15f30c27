"""Groups of nearly equal vectors: a similarity join whose memory hardly depends on their number.

pages of vectors ─► a temporary file ─► one of those that are equal ─┬─► up to 65,536: each with each
                                                                     └─► more: cells around centroids, each
                                                                         vector with those of 12 cells
blocks of pairs ─► upper bounds of their products (`product_bounds.py`) ─► products where there may be some

In memory are some 320 bytes a vector, and blocks of products.
The files have all vectors and 67 numbers of each: 2.3 KB each with 512 dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.types import Vectors
from esclip._search.product_bounds import ProductBounds, bound_products
from esclip._search.vector_file import Rows, VectorFile

ALL_PAIRS = 65_536
"""Vectors of which all pairs are compared, in time by the square: 25,000 take 4 to 11 s of a processor."""

CELL_ROWS = 250
"""Vectors of a cell, on average."""

MAX_CELLS = 8_192

PROBES = 12
"""Cells with whose vectors a vector is compared. A pair of nearly equal vectors is missed only where each
has this many cells that are nearer to it than the cell of the other."""

SAMPLE = 65_536
"""Vectors of which principal components and centroids are computed."""

ITERATIONS = 6
"""Rounds of k-means."""

BLOCK = 2_048
"""Rows of a block of products, and columns."""

ROUNDING = 1e-4
"""How far a product of float32 matrices may be from the true cosine; what is nearer to the threshold is
computed again in float64."""

PAIR_COST = 64
"""How many products of a block of vectors take as long as that of a single pair, read by itself."""

CHECKED = 512
"""Pairs that are computed again at once: with more, they don't stay in a processor's cache."""


class VectorGroups:
    """Context manager: vectors that are added page by page, and then put into groups."""

    def __init__(self, all_pairs: int = ALL_PAIRS) -> None:
        """Compare all pairs of at most `all_pairs` vectors.

        Like the methods, raises `StoreError` where a temporary file can't be written.
        """
        self._all_pairs = all_pairs
        self._file = VectorFile()
        self._hashes: list[npt.NDArray[np.uint64]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def add(self, vectors: Vectors) -> None:
        """Keep some more vectors of the same dimension."""
        self._file.append(vectors)
        self._hashes.append(_hash_rows(vectors))

    def find(self, min_cosine: float, on_progress: Callable[[int], None]) -> list[Rows]:
        """The groups in which each vector has a cosine of `min_cosine` with another, as sorted rows.

        `on_progress` is called with the number of vectors done.
        """
        if not self._hashes:
            return []
        hashes, vectors = np.concatenate(self._hashes), self._file.read()
        sets = _DisjointRows(len(hashes))
        rows = _join_equal(vectors, hashes, sets)
        done = len(hashes) - len(rows)
        rng = np.random.default_rng(0)
        sample = np.sort(rng.choice(rows, min(SAMPLE, len(rows)), replace=False))
        with VectorFile() as file:
            bounds = bound_products(vectors, sample, file, BLOCK)
            if len(rows) <= self._all_pairs:
                blocks = _all_blocks(rows)
            else:
                blocks = _cell_blocks(bounds.coordinates, rows, sample, rng)
            for first, second, finished in blocks:
                _join_alike(vectors, bounds, first, second, min_cosine, sets)
                done += finished
                on_progress(done)
        return sets.groups()


def _hash_rows(vectors: Vectors) -> npt.NDArray[np.uint64]:
    """A number of each row, by which equal rows are found; -0.0 counts as 0.0."""
    bits = np.ascontiguousarray(vectors + np.float32(0), dtype=np.float32).view(np.uint32)
    factors = np.random.default_rng(0).integers(1, 1 << 63, bits.shape[1], dtype=np.uint64)
    hashes: npt.NDArray[np.uint64] = (bits * factors).sum(axis=1, dtype=np.uint64)
    return hashes


def _join_equal(vectors: Vectors, hashes: npt.NDArray[np.uint64], sets: _DisjointRows) -> Rows:
    """Join equal vectors, and give the rows of one of each."""
    _, firsts, places = np.unique(hashes, return_index=True, return_inverse=True)
    first_of = firsts[places]
    others = np.flatnonzero(first_of != np.arange(len(hashes)))
    unequal: list[Rows] = []
    for start in range(0, len(others), CHECKED):
        some = others[start : start + CHECKED]
        equal = (vectors[some] == vectors[first_of[some]]).all(axis=1)
        sets.join(some[equal], first_of[some[equal]])
        unequal.append(some[~equal])
    return np.sort(np.concatenate([firsts, *unequal]))


Blocks: TypeAlias = Iterator[tuple[Rows, Rows, int]]
"""Rows to be compared with other rows, and how many are done after that."""


def _all_blocks(rows: Rows) -> Blocks:
    """Each row with each, once."""
    for start in range(0, len(rows), BLOCK):
        first = rows[start : start + BLOCK]
        yield first, rows[start:], len(first)


def _cell_blocks(vectors: Vectors, rows: Rows, sample: Rows, rng: np.random.Generator) -> Blocks:
    """The rows of each cell with all rows that have it among their nearest cells."""
    count = min(MAX_CELLS, max(1, len(rows) // CELL_ROWS))
    centroids = _centroids(vectors[sample], count, rng)
    probes = min(PROBES, len(centroids))
    nearest = np.empty((len(rows), probes), dtype=np.int32)
    for start in range(0, len(rows), BLOCK):
        nearest[start : start + BLOCK] = _nearest(vectors[rows[start : start + BLOCK]], centroids, probes)
    order = np.argsort(nearest, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(nearest.ravel(), minlength=len(centroids)))
    for places in np.split(order, ends[:-1]):
        near, column = np.divmod(places, probes)
        home = near[column == 0]
        if len(home):
            yield rows[home], rows[near], len(home)


def _centroids(sample: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """The centres of cells, by k-means; the same for the same vectors."""
    centroids: Vectors = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    for _ in range(ITERATIONS):
        home = np.concatenate(
            [_nearest(sample[at : at + BLOCK], centroids, 1)[:, 0] for at in range(0, len(sample), BLOCK)]
        )
        order = np.argsort(home, kind="stable")
        cells, starts, sizes = np.unique(home[order], return_index=True, return_counts=True)
        centroids[cells] = np.add.reduceat(sample[order], starts) / sizes[:, None]
    return centroids


def _nearest(vectors: Vectors, centroids: Vectors, count: int) -> npt.NDArray[np.int32]:
    """The numbers of the nearest centroids of each vector, the nearest first."""
    nearness = vectors @ centroids.T - (centroids * centroids).sum(axis=1) / 2
    nearest = np.argpartition(-nearness, count - 1, axis=1)[:, :count]
    by_nearness = np.argsort(-np.take_along_axis(nearness, nearest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(nearest, by_nearness, axis=1).astype(np.int32)


def _join_alike(
    vectors: Vectors, bounds: ProductBounds, first: Rows, second: Rows, min_cosine: float, sets: _DisjointRows
) -> None:
    """Join the rows of `first` with those of `second` that they have `min_cosine` with."""
    for some in _parts(first):
        left = bounds.rows[some]
        for others in _parts(second):
            at, to, _ = _find_at_least(left @ bounds.columns(others), min_cosine - ROUNDING)
            if len(at) * PAIR_COST > len(some) * len(others):
                at, to, products = _find_at_least(vectors[some] @ vectors[others].T, min_cosine - ROUNDING)
                certain = products >= min_cosine + ROUNDING
                sets.join(some[at[certain]], others[to[certain]])
                at, to = at[~certain], to[~certain]
            _join_checked(vectors, some[at], others[to], min_cosine, sets)


def _find_at_least(products: Vectors, lowest: float) -> tuple[Rows, Rows, Vectors]:
    """The rows and columns of the products from `lowest` on, and these products."""
    # np.nonzero of two dimensions takes ten times as long
    places = np.flatnonzero(products >= lowest)
    row, column = np.divmod(places, products.shape[1])
    return row, column, products.ravel()[places]


def _join_checked(
    vectors: Vectors, first: Rows, second: Rows, min_cosine: float, sets: _DisjointRows
) -> None:
    """Join the pairs that have `min_cosine`, computed in float64; those that are together already, don't."""
    apart = sets.roots(first) != sets.roots(second)
    first, second = first[apart], second[apart]
    for start in range(0, len(first), CHECKED):
        one, other = first[start : start + CHECKED], second[start : start + CHECKED]
        cosines = np.einsum("nd,nd->n", vectors[one], vectors[other], dtype=np.float64)
        sets.join(one[cosines >= min_cosine], other[cosines >= min_cosine])


def _parts(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


class _DisjointRows:
    """Union-find: rows in disjoint sets, joined by many pairs at once. The root of a set is its first row."""

    def __init__(self, count: int) -> None:
        self._parents: Rows = np.arange(count)

    def join(self, first: Rows, second: Rows) -> None:
        """Unite the sets of each pair."""
        while len(first):
            first, second = self.roots(first), self.roots(second)
            apart = first != second
            low, high = np.minimum(first[apart], second[apart]), np.maximum(first[apart], second[apart])
            np.minimum.at(self._parents, high, low)
            first, second = low, high

    def roots(self, rows: Rows) -> Rows:
        """The first row of each one's set."""
        roots = self._parents[rows]
        while (above := self._parents[roots]).tobytes() != roots.tobytes():
            roots = above
        self._parents[rows] = roots
        return roots

    def groups(self) -> list[Rows]:
        """The sets of more than one row."""
        roots = self.roots(np.arange(len(self._parents)))
        order = np.argsort(roots, kind="stable")
        starts = np.flatnonzero(np.diff(roots[order])) + 1
        return [rows for rows in np.split(order, starts) if len(rows) > 1]
