"""Hits that show nearly the same, folded into the best of them.

search ─► hits ─► their vectors ─► collapsed ─► enough? ─► hits
   └────────────── twice as deep ◄───────────────┘ no
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from esclip._core.types import Hit, Vector, cosines
from esclip._protocols import Store
from esclip._search.query import Query
from esclip.stores.paged_reads import documents_of

__all__ = ["SLACK", "collapse", "collapsing"]

SLACK = 1e-6
"""So much a cosine of equal vectors may be below 1: they are float32."""


def collapse(hits: Sequence[Hit], vectors: Mapping[str, Vector], least: float) -> list[Hit]:
    """Hits without those that have a cosine of `least` with a better one, which has them as `duplicates`.

    What is left of the first hits does not depend on how many more there are. A hit without a vector stays.
    """
    kept: list[tuple[Hit, list[str]]] = []
    with_vector: list[int] = []
    rows = np.empty((len(vectors), len(next(iter(vectors.values()), ()))), dtype=np.float32)
    for hit in hits:
        vector = vectors.get(hit.id)
        alike = None if vector is None else _first_alike(rows[: len(with_vector)], vector, least)
        if alike is not None:
            kept[with_vector[alike]][1].append(hit.id)
            continue
        if vector is not None:
            rows[len(with_vector)] = vector
            with_vector.append(len(kept))
        kept.append((hit, []))
    return [replace(hit, duplicates=tuple(folded)) if folded else hit for hit, folded in kept]


def _first_alike(rows: Vector, vector: Vector, least: float) -> int | None:
    near = np.flatnonzero(rows @ vector >= least - 1e-4)  # fast, but not to the last digit
    sure = near[cosines(rows[near], vector) >= least - SLACK]
    return int(sure[0]) if sure.size else None


def collapsing(
    queries: Sequence[Query], search: Callable[[Mapping[int, int]], Sequence[list[Hit]]], store: Store
) -> list[list[Hit]]:
    """All hits of each query, collapsed where it asks for that: enough for its page, while there are any.

    `search` gives the hits of some queries, by their numbers, each to its own depth. Rankings that are fused
    have a window, and go no deeper.
    """
    depths = {number: query.depth * (2 if query.collapse else 1) for number, query in enumerate(queries)}
    found: dict[int, list[Hit]] = {}
    vectors: dict[str, Vector] = {}
    while depths:
        short: dict[int, int] = {}
        for (number, depth), hits in zip(depths.items(), search(depths), strict=True):
            query, found[number] = queries[number], hits
            if query.collapse:
                unknown = [hit.id for hit in hits if hit.id not in vectors]
                vectors |= {one.record.id: one.vector for one in documents_of(store, unknown)}
                own = {hit.id: vectors[hit.id] for hit in hits if hit.id in vectors}
                found[number] = collapse(hits, own, query.collapse)
                if len(found[number]) < query.offset + query.k and _may_be_more(query, hits, depth):
                    short[number] = 2 * depth
        depths = short
    return [found[number] for number in range(len(queries))]


def _may_be_more(query: Query, hits: Sequence[Hit], depth: int) -> bool:
    left_out = query.depth - query.offset - query.k  # pictures that the query names
    full = not query.fused and len(hits) + left_out >= depth
    return full and hits[-1].score >= query.min_score
