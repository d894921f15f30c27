"""Upper bounds of the dot products of many vectors, from a few of their dimensions.

With the mean m of the vectors, coordinates p of x - m in their first principal components P, and the rest r:

    x = m + P p + r,  r orthogonal to all columns of P
    x·y = p·q + r·s + h(x) + h(y),  h(x) = m·(x - m) + m·m / 2
    x·y <= p·q + |r| |s| + h(x) + h(y)                                (Cauchy-Schwarz)

which is the product of the row (p, |r|, h(x), 1) with the row (q, |s|, 1, h(y)): 67 numbers in place of 512.
The more of the variance the first components have, the nearer the bound is to the product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from esclip._core.types import Vectors
from esclip._search.vector_file import Rows, VectorFile

COMPONENTS = 64
"""Principal components that are used: with 512 dimensions, an eighth of the work."""


@dataclass(frozen=True, slots=True)
class ProductBounds:
    """Rows of which the products with the columns are bounds."""

    rows: Vectors
    """Shape (n, components + 3)."""

    @property
    def coordinates(self) -> Vectors:
        """The vectors in their principal components, shape (n, components)."""
        return self.rows[:, :-3]

    def columns(self, places: Rows) -> Vectors:
        """What rows are multiplied with for bounds with these vectors, shape (components + 3, places)."""
        columns = self.rows[places]
        columns[:, -2:] = columns[:, [-1, -2]]
        return columns.T


def bound_products(vectors: Vectors, sample: Rows, file: VectorFile, page: int) -> ProductBounds:
    """Bounds for all pairs of `vectors`.

    Args:
        vectors: Those to compare, shape (n, d).
        sample: Rows of some of them, of which the principal components are computed.
        file: An empty file, which takes the rows.
        page: How many vectors are read at once.

    Raises:
        StoreError: The file can't be written.
    """
    mean, components = _components(vectors, sample, page)
    for start in range(0, len(vectors), page):
        centred = vectors[start : start + page] - mean
        coordinates = centred @ components
        rest = np.linalg.norm(centred - coordinates @ components.T, axis=1)
        linear = centred @ mean + mean @ mean / 2
        file.append(np.column_stack([coordinates, rest, linear, np.ones_like(rest)]))
    return ProductBounds(file.read())


def _components(vectors: Vectors, sample: Rows, page: int) -> tuple[Vectors, Vectors]:
    """The mean, and as columns the directions of the largest variance; no copy of the sample is made."""
    dim = vectors.shape[1]
    total, products = np.zeros(dim), np.zeros((dim, dim))
    for start in range(0, len(sample), page):
        some = vectors[sample[start : start + page]]
        total += some.sum(axis=0)
        products += some.T @ some
    mean = total / len(sample)
    _, directions = np.linalg.eigh(products / len(sample) - np.outer(mean, mean))  # the largest are the last
    return mean.astype(np.float32), np.ascontiguousarray(directions[:, -COMPONENTS:], dtype=np.float32)
