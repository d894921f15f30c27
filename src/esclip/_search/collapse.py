"""Near-duplicates among hits, folded into the best of them: a pure function of hits and their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from esclip._core.types import Hit, Vector, cosines

COSINE_TOLERANCE = 1e-6
"""How far the cosine of equal float32 vectors may lie below 1."""


def collapse(hits: Sequence[Hit], vectors: Mapping[str, Vector], min_cosine: float) -> list[Hit]:
    """Hits without those that have `min_cosine` with a better one, which lists them as `duplicates`.

    What is left of the first hits does not depend on how many follow. A hit without a vector stays.
    """
    kept: list[tuple[Hit, list[str]]] = []
    with_vector: list[int] = []
    dim = len(next(iter(vectors.values()), ()))
    rows = np.empty((len(hits), dim), dtype=np.float32)
    for hit in hits:
        vector = vectors.get(hit.id)
        similar = None if vector is None else _first_similar(rows[: len(with_vector)], vector, min_cosine)
        if similar is not None:
            kept[with_vector[similar]][1].append(hit.id)
            continue
        if vector is not None:
            rows[len(with_vector)] = vector
            with_vector.append(len(kept))
        kept.append((hit, []))
    return [replace(hit, duplicates=tuple(folded)) if folded else hit for hit, folded in kept]


def _first_similar(rows: Vector, vector: Vector, min_cosine: float) -> int | None:
    near = np.flatnonzero(rows @ vector >= min_cosine - 1e-4)  # fast, but not exact to the last digit
    similar = near[cosines(rows[near], vector) >= min_cosine - COSINE_TOLERANCE]
    return int(similar[0]) if similar.size else None
