"""The embedded store's searches; those by words and by conditions alone are in `_lance_words`.

vectors in the index, rounded to a byte a number ─┐
all other vectors, as they are ───────────────────┴─► nearest rows ─► their vectors ─► hits by true cosine
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np

from esclip._flow import batches
from esclip._schema import IndexSchema
from esclip._searches import Listing, Matching, Nearest, Search
from esclip._settings import SEARCHES_AT_ONCE
from esclip._types import Hit, Vectors, cosines, ranked
from esclip.stores._lance_filters import filter_sql
from esclip.stores._lance_rows import hit_columns, hit_of, read_vectors
from esclip.stores._lance_upkeep import Scale, partitions_of, vector_indexes
from esclip.stores._lance_words import listed, matching

__all__ = ["found"]

SPARE = 10
"""Rows to find beyond k hits, or k more: an index keeps a byte of each number, and errs a little. Among more
nearly equal pictures than these, the hits' cosines can be 0.0001 below the best ones."""

TIES = 10_000
"""Where the last of so many rows is as near as the last hit, others may be too, and not all are looked at."""


def found(dataset: Any, schema: IndexSchema, searches: Sequence[Search], scale: Scale) -> list[list[Hit]]:
    """The hits of each search, of whatever kind; all kNN searches at once."""
    near = iter(_nearest(dataset, schema, [one for one in searches if isinstance(one, Nearest)], scale))

    def hits(search: Search) -> list[Hit]:
        match search:
            case Nearest():
                return next(near)
            case Matching():
                return matching(dataset, schema, search)
            case Listing():
                return listed(dataset, schema, search)
            case _:
                assert_never(search)

    return [hits(search) for search in searches]


def _nearest(dataset: Any, schema: IndexSchema, searches: Sequence[Nearest], scale: Scale) -> list[list[Hit]]:
    """The hits of each search; all vectors are compared where the probed ones give too few."""
    probes = _probe(dataset, scale)
    hasty = [number for number, search in enumerate(searches) if not (search.exact or probes is _EXACT)]
    found: dict[int, list[Hit]] = {}
    for number, hits in zip(
        hasty, _found(dataset, schema, [searches[n] for n in hasty], probes), strict=True
    ):
        if len(hits) == searches[number].k or probes.exact:
            found[number] = hits
    left = [number for number in range(len(searches)) if number not in found]
    exact = _found(dataset, schema, [searches[number] for number in left], _EXACT)
    found.update(zip(left, exact, strict=True))
    return [found[number] for number in range(len(searches))]


def _found(
    dataset: Any, schema: IndexSchema, searches: Sequence[Nearest], probes: _Probes
) -> list[list[Hit]]:
    """The hits of each search; those that differ in their vectors only are asked together."""
    alike: defaultdict[tuple[object, int], list[int]] = defaultdict(list)
    for number, search in enumerate(searches):
        alike[search.where, search.k].append(number)
    found: dict[int, list[Hit]] = {}
    for numbers in (some for of_one in alike.values() for some in batches(of_one, SEARCHES_AT_ONCE)):
        k = searches[numbers[0]].k
        rows = k + max(k, SPARE)
        while numbers:
            answers = _find(dataset, schema, [searches[number] for number in numbers], probes, rows)
            found.update((number, hits) for number, (hits, _) in zip(numbers, answers, strict=True))
            level = [number for number, (_, whole) in zip(numbers, answers, strict=True) if not whole]
            numbers, rows = level if rows < k + TIES else [], rows * 4
    return [found[number] for number in range(len(searches))]


class _Probes(NamedTuple):
    """How to search the vectors."""

    options: dict[str, Any]
    """For Lance's `nearest`."""
    exact: bool
    """Whether no vector is passed over."""


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
    dataset: Any, schema: IndexSchema, searches: Sequence[Nearest], probes: _Probes, rows: int
) -> list[_Best]:
    """For searches that differ in nothing but their vectors: the nearest rows, by true cosine."""
    columns = hit_columns(dataset.schema.names)
    queries = np.stack([search.vector for search in searches])
    table = dataset.to_table(
        columns=[*columns, "vector", "_distance"],
        filter=filter_sql(searches[0].where, {field.name for field in schema.fields}),
        prefilter=True,
        nearest={
            "column": "vector",
            "q": queries if len(searches) > 1 else queries[0],
            "k": rows,
            "metric": "cosine",
            **probes.options,
        },
    )
    vectors = read_vectors(table, schema)
    asked = table["query_index"].to_numpy() if len(searches) > 1 else np.zeros(len(vectors), dtype=int)
    hits = table.select(columns)
    return [
        _best(hits, vectors, np.flatnonzero(asked == number), search, schema, rows)
        for number, search in enumerate(searches)
    ]


class _Best(NamedTuple):
    hits: list[Hit]
    whole: bool
    """Whether no row that was not found is as near as the last hit."""


def _best(table: Any, vectors: Vectors, found: Any, search: Nearest, schema: IndexSchema, rows: int) -> _Best:
    """The k best of the found rows by true cosine; only they are read."""
    scores = cosines(vectors[found], search.vector)
    last = np.sort(scores)[-search.k :].min(initial=1)
    kept = scores >= last
    read = zip(table.take(found[kept]).to_pylist(), scores[kept].tolist(), strict=True)
    hits = ranked(hit_of(row, score, schema.fields) for row, score in read)[: search.k]
    return _Best(hits, whole=len(found) < rows or not kept.all())
