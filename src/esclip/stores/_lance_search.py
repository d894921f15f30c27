"""The embedded store's kNN search.

vectors in the index, rounded to a byte a number ─┐
all other vectors, as they are ───────────────────┴─► nearest rows ─► their vectors ─► hits by true cosine
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from esclip._schema import IndexSchema
from esclip._types import Hit, Vector, cosines, ranked
from esclip.stores._lance_rows import hit_columns, hit_of
from esclip.stores._lance_upkeep import Scale, partitions_of, vector_indexes

__all__ = ["nearest"]


def nearest(
    dataset: Any, schema: IndexSchema, vector: Vector, k: int, sql: str | None, scale: Scale
) -> list[Hit]:
    """The k nearest rows for which `sql` is true; all are compared where the probed ones are fewer."""
    probes = _probe(dataset, scale)
    hits = _find(dataset, schema, vector, k, sql, probes)
    if len(hits) < k and not probes.exact:
        hits = _find(dataset, schema, vector, k, sql, _EXACT)
    return hits


class _Probes(NamedTuple):
    """How to search the vectors."""

    options: dict[str, Any]
    """For Lance's `nearest`."""
    exact: bool
    """Whether no vector is passed over."""

    def found(self, k: int) -> int:
        """How many rows to find for k hits: an index keeps a byte of each number, and errs a little.

        Among more nearly equal pictures than these, the hits' cosines can be 0.0001 below the best ones.
        """
        return k if self is _EXACT else k + max(k, 10)


_EXACT = _Probes({"use_index": False}, exact=True)
"""Compare all vectors, read from disk."""


def _probe(dataset: Any, scale: Scale) -> _Probes:
    """How a search should go about the dataset as it is now."""
    partitions = max((partitions_of(index) for index in vector_indexes(dataset)), default=0)
    if partitions == 0:
        return _EXACT
    probed = math.ceil(partitions * min(1, scale.probed / max(1, dataset.count_rows())))
    return _Probes({"nprobes": probed}, exact=probed == partitions)


def _find(
    dataset: Any, schema: IndexSchema, vector: Vector, k: int, sql: str | None, probes: _Probes
) -> list[Hit]:
    """Those nearest by Lance's distances, which are rounded for vectors in the index, by their true ones."""
    present = dataset.schema.names
    columns = hit_columns(present)
    table = dataset.to_table(
        columns=[*columns, "vector", "_distance"],
        filter=sql,
        prefilter=True,
        nearest={"column": "vector", "q": vector, "k": probes.found(k), "metric": "cosine", **probes.options},
    )
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, schema.space.dim)
    scores = cosines(vectors, vector)
    last = np.sort(scores)[-k:].min(initial=1)
    rows = zip(table.select(columns).to_pylist(), scores.tolist(), strict=True)
    return ranked(hit_of(row, score, schema.fields) for row, score in rows if score >= last)[:k]
