"""Upper bounds of products: never below, and near where few directions have most of the variance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from esclip._core.types import Vectors, unit_rows
from esclip._search.product_bounds import COMPONENTS, bound_products
from esclip._search.vector_file import VectorFile


def _bounds(vectors: Vectors) -> Vectors:
    places = np.arange(len(vectors))
    with VectorFile() as file:
        bounds = bound_products(vectors, places[::2], file, page=100)
        return bounds.rows @ bounds.columns(places)


def _vectors(dim: int, rank: int, rest: float) -> Vectors:
    """Unit rows, nearly all of whose variance is in `rank` directions, around a mean that is not 0."""
    rng = np.random.default_rng(dim)
    few = rng.standard_normal((350, rank)) @ rng.standard_normal((rank, dim))
    return unit_rows(few + rng.standard_normal(dim) + rest * rng.standard_normal((350, dim)))


@pytest.mark.parametrize(
    "vectors",
    [_vectors(512, 512, 1.0), _vectors(512, 10, 0.1), _vectors(8, 8, 1.0), _vectors(1, 1, 0.0)],
    ids=["any directions", "few directions", "8 dimensions", "1 dimension"],
)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_no_product_is_above_its_bound(vectors: Vectors, scale: float) -> None:
    """For unit vectors and others, of more and of fewer dimensions than there are components."""
    vectors = vectors * np.float32(scale)
    assert (_bounds(vectors) >= vectors @ vectors.T - 1e-5 * scale**2).all()


def test_bounds_are_the_products_where_components_have_all() -> None:
    """Vectors in fewer dimensions than there are components, in any position, lose nothing."""
    vectors = _vectors(512, COMPONENTS // 2, 0.0)
    assert_allclose(_bounds(vectors), vectors @ vectors.T, atol=1e-5)


def test_few_pairs_are_left_where_most_variance_is_in_few_directions() -> None:
    """Of pairs below a cosine of 0.8, none has a bound of 0.95."""
    vectors = _vectors(512, 30, 0.1)
    products = vectors @ vectors.T
    assert (products < 0.8).mean() > 0.9
    assert not (_bounds(vectors)[products < 0.8] >= 0.95).any()


def test_equal_vectors() -> None:
    """Where all are the same there is no direction, and each bound is the product."""
    vectors = np.repeat(unit_rows(np.arange(1, 33)[None].astype(np.float32)), 10, axis=0)
    assert_allclose(_bounds(vectors), np.ones((10, 10)), atol=1e-5)
