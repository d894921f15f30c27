"""Groups of nearly equal vectors, beside the comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from esclip._core.types import Vectors, unit_rows
from esclip._search.vector_groups import VectorGroups

DIM = 32


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Vectors around centres, each third one near another, the last ones equal to the first."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((100, DIM))
    rows = unit_rows(centres[rng.integers(0, 100, 3_000)] + 0.7 * rng.standard_normal((3_000, DIM)))
    near = unit_rows(rows[:1_000] + 0.03 * rng.standard_normal((1_000, DIM)))
    return np.concatenate([rows, near, rows[:200]])


@pytest.mark.parametrize("all_pairs", [100_000, 1_000])
def test_groups_are_those_of_all_pairs(vectors: Vectors, all_pairs: int) -> None:
    """Each near pair is in one group, and each of a group has a pair; progress ends with all."""
    counts: list[int] = []
    with VectorGroups(all_pairs) as groups:
        for page in np.array_split(vectors, 7):
            groups.add(page)
        found = groups.find(0.95, counts.append)
    near = vectors @ vectors.T >= 0.95
    assert [rows.tolist() for rows in found] == [rows.tolist() for rows in _components(near)]
    assert counts[-1] == len(vectors)


def _components(
    near: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The connected parts of a graph of more than one vertex, by their first vertex."""
    labels = np.arange(len(near))
    first, second = np.nonzero(near)
    while True:
        lower = labels.copy()
        np.minimum.at(lower, first, labels[second])
        if (lower == labels).all():
            break
        labels = lower
    return [rows for label in np.unique(labels) if len(rows := np.flatnonzero(labels == label)) > 1]
